"""Meta-World as a DI-engine environment for multi-task runs: pictures, four continuous actions, success."""
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
from ding.utils import ENV_REGISTRY
from easydict import EasyDict

from lzero_mow.config.metaworld import METAWORLD
from .metaworld_expert import new_expert
from .metaworld_game import MetaWorldGame, require_metaworld
from .rendering import choose_gl
from .visual_env import VisualEnv


@ENV_REGISTRY.register('metaworld_mow')
class MetaWorldMoWEnv(VisualEnv):
    """
    Overview:
        One Meta-World task: camera pictures, the movement of the hand and the gripper as actions, the package's reward,
        500 simulator steps. ``info['success']`` says at each step whether the task is done. At the end,
        ``info['episode_info']`` says whether it was done at any simulator step (``success_any``) and at the last one
        (``success_last``).
    Arguments:
        - cfg (:obj:`EasyDict`): Keys of ``config``, and ``task``, the task's name; missing keys have their defaults.
    Raises:
        - ValueError: for an unknown task, an invalid value, or without Meta-World or a GL library, see ``check``.
    """
    suite = METAWORLD
    config = METAWORLD.keys.defaults()
    frames_per_second = 80

    @classmethod
    def check(cls, cfg: dict) -> None:
        super().check(cfg)
        require_metaworld()
        choose_gl()

    @classmethod
    def create_evaluator_env_cfg(cls, cfg: dict) -> List[EasyDict]:
        """With ``first_goal``: a task's environments take turns in playing its fixed goals."""
        cfgs = super().create_evaluator_env_cfg(cfg)
        for index, env_cfg in enumerate(cfgs):
            if env_cfg.goals == 'fixed':
                env_cfg.first_goal = index % env_cfg.evaluator_env_num
        return cfgs

    @property
    def state(self) -> np.ndarray:
        """What scripted experts see and agents do not: float64 (39, ), the current and last state and the goal."""
        return self._game.state

    def expert_action(self) -> np.ndarray:
        """
        The scripted expert's action in this state: float32 (4, ). It is queried once per environment step, and its
        action is held for ``action_repeat`` simulator steps.
        """
        if self._expert is None:
            self._expert = new_expert(self.task)
        return self._expert(self.state)

    def play(self, action: np.ndarray) -> Tuple[float, Dict[str, Any]]:
        """As in ``VisualEnv``; when the episode ends, ``info['episode_info']`` has its successes."""
        reward, info = super().play(action)
        self._success_any |= info['success']
        if self._done:
            info['episode_info'] = dict(success_any=float(self._success_any), success_last=float(info['success_now']))
        return reward, info

    def _new_game(self) -> MetaWorldGame:
        keys = ('camera', 'render_profile', 'action_repeat', 'goals', 'goal_seed', 'reward_version')
        return MetaWorldGame(self.task, tuple(self._cfg.obs_shape[1:]), **{key: self._cfg[key] for key in keys})

    def _reset_game(self, seed: int) -> np.random.Generator:
        self._success_any = False
        self._expert: Optional[Callable] = None  # one per episode, made when it is needed
        first = self._cfg.get('first_goal')
        episode = self._episode if self._dynamic_seed else 0
        return self._game.reset(seed, None if first is None else first + self._cfg.evaluator_env_num * episode)
