"""
Meta-World for many tasks at once, as a DI-engine environment: pictures, four continuous actions, success.
"""
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
from ding.utils import ENV_REGISTRY
from easydict import EasyDict

from lzero_mow.config.metaworld import ACTION_DIM, METAWORLD_CONFIG, check_config
from .actions import ContinuousActions
from .metaworld_expert import new_expert
from .metaworld_game import MetaWorldGame, require_metaworld
from .rendering import choose_gl
from .visual_env import VisualEnv


@ENV_REGISTRY.register('metaworld_mow')
class MetaWorldMoWEnv(VisualEnv):
    """
    Overview:
        One Meta-World task: pictures of a camera, the hand's movement and the gripper as actions, the package's reward,
        500 steps of the simulator. ``info['success']`` says at each step whether the task is done, at the end
        ``info['episode_info']`` whether it was at any step of the simulator, ``success_any``, and at the last one,
        ``success_last``.
    Arguments:
        - cfg (:obj:`EasyDict`): Keys of ``config`` below, and ``task``, the task's name; what is missing has its
            default.
    Raises:
        - ValueError: for an unknown task or a value that makes no sense, as ``check`` does.
    """
    config = METAWORLD_CONFIG
    num_actions = ACTION_DIM
    action_kind = ContinuousActions
    frames_per_second = 80

    @classmethod
    def check(cls, cfg: dict) -> None:
        """
        Overview:
            Refuse a configuration that no environment can be built from, before anything is built.
        Arguments:
            - cfg (:obj:`dict`): The part ``env`` of a run's configuration.
        Raises:
            - ValueError: one line, for unknown or repeated tasks, values that make no sense, without Meta-World, or
              without a library to draw with.
        """
        check_config(cfg)
        require_metaworld()
        choose_gl()

    @classmethod
    def create_evaluator_env_cfg(cls, cfg: dict) -> List[EasyDict]:
        """
        Overview:
            The configurations of the environments that evaluate: a task's environments share its fixed goals out, one
            after the other.
        Arguments:
            - cfg (:obj:`dict`): The part ``env`` of a run's configuration; left as it is.
        Returns:
            - cfgs (:obj:`List[EasyDict]`): One per environment, task by task, each with its ``task``, ``task_id`` and
              ``first_goal``.
        """
        cfgs = super().create_evaluator_env_cfg(cfg)
        for number, env_cfg in enumerate(cfgs):
            if env_cfg.goals == 'fixed':
                env_cfg.first_goal = number % env_cfg.evaluator_env_num
        return cfgs

    @staticmethod
    def reference_scores(task: str) -> Optional[Tuple[float, float]]:
        """None: results are rates of success, which need no scale."""
        return None

    @property
    def state(self) -> np.ndarray:
        """What scripted experts see and agents do not: float64 (39, ), now, before, goal."""
        return self._game.state

    def expert_action(self) -> np.ndarray:
        """
        What the task's scripted expert does now: float32 (4, ). Asked once per environment step, its action is held for
        ``action_repeat`` steps of the simulator.
        """
        if self._expert is None:
            self._expert = new_expert(self.task)
        return self._expert(self.state)

    def play(self, action: np.ndarray) -> Tuple[float, Dict[str, Any]]:
        """See ``VisualEnv.play``; at an episode's end its successes stand in ``info['episode_info']``."""
        reward, info = super().play(action)
        self._success_any |= info['success']
        if self._done:
            info['episode_info'] = dict(
                success_any=float(self._success_any), success_last=float(info['success_now'])
            )
        return reward, info

    def _new_game(self) -> MetaWorldGame:
        keys = ('camera', 'render_profile', 'action_repeat', 'goals', 'goal_seed', 'reward_version')
        return MetaWorldGame(self.task, tuple(self._cfg.obs_shape[1:]), **{key: self._cfg[key] for key in keys})

    def _reset_game(self, seed: int) -> np.random.Generator:
        self._success_any = False
        self._expert: Optional[Callable] = None  # an episode's own, if it is asked
        first = self._cfg.get('first_goal')
        episode = self._episode if self._dynamic_seed else 0
        return self._game.reset(seed, None if first is None else first + self._cfg.evaluator_env_num * episode)
