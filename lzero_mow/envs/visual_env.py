"""
The environment class that all suites share: an episode of one visual task, behind DI-engine's interface.

A suite provides a *game*, an object with

    reset(seed)      -> the episode's np.random.Generator
    step(action)     -> reward, terminated, dict of further info
    observe()        -> the current frame, uint8 (3, height, width)
    minimal_actions  the actions that have an effect, where actions are discrete
    screen           uint8 (height, width, 3), the picture for videos
    fingerprint()    -> uint8 array, equal for games in the same state
    close()          frees resources other than memory

whose episodes are functions of their seed and actions alone.
"""
import copy
import operator
import os
from typing import Any, Dict, List, Optional, Tuple, Union

import numpy as np
from ding.envs import BaseEnv, BaseEnvTimestep
from easydict import EasyDict
from gymnasium import spaces

from lzero_mow.config.envs import Suite, task_configs, with_defaults
from lzero_mow.config.references import Reference
from .actions import ContinuousActions, DiscreteActions
from .recorder import Recorder


class VisualEnv(BaseEnv):
    """
    Overview:
        One task of a multi-task run, in the form that all tasks share: RGB frames, one action space with a mask, raw
        rewards. ``info`` tells ``terminated``, ``truncated`` (step limit) and ``life_loss`` apart; only the first two
        end an episode. The game is built at the first ``reset``.
    Arguments:
        - cfg (:obj:`EasyDict`): Keys of ``config``, and ``task``, the task's name; missing keys have their defaults.
    Interfaces:
        A suite sets the attributes below and implements ``_new_game``; its ``check`` may also look for what its games
        need on this machine.
    Raises:
        - ValueError: for an unknown task or an invalid value, see ``check``.
    """
    suite: Suite
    config: dict  # defaults of the suite's keys
    frames_per_second: float  # of videos

    @classmethod
    def default_config(cls) -> EasyDict:
        """A copy of the default configuration."""
        cfg = EasyDict(copy.deepcopy(cls.config))
        cfg.cfg_type = cls.__name__ + 'Dict'
        return cfg

    @classmethod
    def check(cls, cfg: dict) -> None:
        """
        Refuse a configuration (its part ``env``) from which no environment can be built. ValueError in one line for
        unknown or repeated tasks, invalid values and missing packages or files. Needs no game yet.
        """
        cls.suite.check(cfg)

    @classmethod
    def reference_scores(cls, cfg: dict) -> List[Optional[Reference]]:
        """
        For each task of a configuration the raw returns of random play and of the suite's reference player, between
        which its scores lie; None where it has no scores.
        """
        return cls.suite.reference_scores(with_defaults(cls.config, cfg))

    @classmethod
    def create_collector_env_cfg(cls, cfg: dict) -> List[EasyDict]:
        """One configuration per collecting environment, task by task, each with its ``task`` and ``task_id``."""
        return task_configs(cls.config, cfg, 'collector_env_num')

    @classmethod
    def create_evaluator_env_cfg(cls, cfg: dict) -> List[EasyDict]:
        """The same for the evaluating environments, which play the same games as the collecting ones."""
        return task_configs(cls.config, cfg, 'evaluator_env_num')

    def __init__(self, cfg: dict) -> None:
        self._cfg = with_defaults(self.config, cfg)
        self.task = self._cfg.get('task')
        self.check({**cfg, 'tasks': [self.task]})
        height, width = self._cfg.obs_shape[1:]
        self._observation_space = spaces.Dict(
            {
                'observation': spaces.Box(0, 255, (3, height, width), np.uint8),
                'action_mask': spaces.Box(0, 1, (self.suite.num_actions, ), np.int8),
                'to_play': spaces.Box(-1, -1, (), np.int8),
                'timestep': spaces.Box(0, self._cfg.max_episode_steps, (), np.int32),
            }
        )
        actions = ContinuousActions if self.suite.continuous else DiscreteActions
        self._actions: Union[DiscreteActions, ContinuousActions] = actions(self.suite.num_actions)
        self._reward_space = spaces.Box(-np.inf, np.inf, (), np.float32)
        self._game: Any = None
        self._recorder: Optional[Recorder] = None
        self._episode_actions: List[Any] = []  # together with its seed, the whole state of an episode
        self._done = True
        self.seed(int(np.random.SeedSequence().generate_state(1)[0]))

    def seed(self, seed: int, dynamic_seed: bool = True) -> None:
        """
        Choose the episodes that the next resets start: with ``dynamic_seed`` the n-th is a function of the seed and n,
        without it every reset starts the same one.
        """
        self._seed, self._dynamic_seed, self._episode = operator.index(seed), bool(dynamic_seed), -1

    def reset(self) -> Dict[str, Any]:
        """
        Start the next episode: ``observation`` uint8 (3, height, width), ``action_mask`` int8 (num_actions, ),
        ``to_play`` -1, ``timestep`` 0.
        """
        self._episode += 1
        obs = self._start()
        if self._recorder is not None:
            self._recorder.start(f'{self.task}_episode_{self._episode}', self._game.screen)
        return obs

    def step(self, action: Any) -> BaseEnvTimestep:
        """
        Overview:
            Play one action.
        Arguments:
            - action (:obj:`Any`): An integer below ``suite.num_actions``, or a vector of so many numbers in [-1, 1].
        Returns:
            - timestep (:obj:`BaseEnvTimestep`): ``obs`` as ``reset`` returns it, ``reward`` raw float32 (), ``done``,
              and ``info`` with ``terminated``, ``truncated``, ``life_loss``, the game's info and, at the end,
              ``eval_episode_return``.
        Raises:
            - ValueError: for an invalid action, or one that the action mask forbids.
            - RuntimeError: before the first ``reset``, or after the end of the episode.
        """
        reward, info = self.play(action)
        self._frame = self._game.observe()
        if self._recorder is not None:
            self._recorder.add(self._game.screen, last=self._done)
        return BaseEnvTimestep(self.observe(), np.array(reward, dtype=np.float32), self._done, info)

    def play(self, action: Any) -> Tuple[float, Dict[str, Any]]:
        """``step`` without rendering the frame, which takes most of its time in Meta-World; returns reward and info."""
        if self._done:
            raise RuntimeError(f"no episode of {self.task} is in progress: call reset() first")
        action = self._actions.check(action, self.task)
        reward, terminated, game_info = self._game.step(action)
        self._episode_actions.append(action)
        self._return += reward
        truncated = not terminated and len(self._episode_actions) >= self._cfg.max_episode_steps
        self._done = terminated or truncated
        info = {'terminated': terminated, 'truncated': truncated, 'life_loss': False, **game_info}
        if self._done:
            info['eval_episode_return'] = self._return
        return reward, info

    def observe(self) -> Dict[str, Any]:
        """The current observation, as ``reset`` or ``step`` returned it."""
        steps = len(self._episode_actions)
        return dict(observation=self._frame, action_mask=self._actions.mask.copy(), to_play=-1, timestep=steps)

    def state_dict(self) -> Dict[str, Any]:
        """
        All that is needed to continue exactly from here, also in another object: the seed, the episode's number and its
        actions so far. Small (one byte per step for a discrete action, 16 for four numbers), and exact although ALE's
        own saved states are not. RuntimeError before the first ``reset``.
        """
        if self._game is None:
            raise RuntimeError(f"{self.task} has not been reset: there is no episode to save")
        return dict(
            task=self.task, seed=self._seed, dynamic_seed=self._dynamic_seed, episode=self._episode,
            actions=self._actions.pack(self._episode_actions), rng=copy.deepcopy(self._rng.bit_generator.state),
            fingerprint=self._game.fingerprint()
        )

    def load_state_dict(self, state: Dict[str, Any]) -> Dict[str, Any]:
        """
        Continue where ``state_dict`` was called, by replaying the episode's actions: about 0.3 s per thousand steps for
        Atari, 1 s for Meta-World; returns the observation at that point. Arrays may have become tensors. ValueError if
        the state belongs to another task, or the replayed episode differs from the saved one.
        """
        if state['task'] != self.task:
            raise ValueError(
                f"a saved environment of {state['task']} cannot continue as {self.task}: keep the order of the tasks"
            )
        self.seed(state['seed'], state['dynamic_seed'])
        self._episode = state['episode']
        self._start()
        for action in np.asarray(state['actions']):
            self.play(action)
        self._frame = self._game.observe()
        if not np.array_equal(self._game.fingerprint(), np.asarray(state['fingerprint'])):
            raise ValueError(
                f"{self.task} does not continue as saved: keep the env keys and the game's version of the saved run"
            )
        self._rng.bit_generator.state = state['rng']
        return self.observe()

    def random_action(self) -> Any:
        """A uniformly random legal action."""
        return self._actions.random(self._rng)

    def enable_save_replay(self, replay_path: str) -> None:
        """Record every episode from the next one on as ``<replay_path>/<task>_episode_<n>.mp4``."""
        os.makedirs(replay_path, exist_ok=True)
        frames_per_step = self._cfg.get('frame_skip', self._cfg.get('action_repeat', 1))
        self._recorder = Recorder(replay_path, self.frames_per_second / frames_per_step)

    def close(self) -> None:
        """Free the game and finish a video in progress; a later ``reset`` still starts the next episode."""
        if self._recorder is not None:
            self._recorder.close()
        if self._game is not None:
            self._game.close()
        self._game, self._done = None, True

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.task})'

    @property
    def observation_space(self) -> spaces.Dict:
        return self._observation_space

    @property
    def action_space(self) -> spaces.Space:
        return self._actions.space

    @property
    def reward_space(self) -> spaces.Box:
        return self._reward_space

    def _start(self) -> Dict[str, Any]:
        if self._game is None:
            self._game = self._new_game()
            if self._cfg.get('action_space') == 'minimal':
                self._actions.allow(self._game.minimal_actions)
        seed = self._seed
        if self._dynamic_seed:
            seed = int(np.random.SeedSequence([self._seed, self._episode]).generate_state(1)[0])
        self._rng = self._reset_game(seed)
        self._frame = self._game.observe()
        self._episode_actions, self._return, self._done = [], 0., False
        return self.observe()

    def _reset_game(self, seed: int) -> np.random.Generator:
        return self._game.reset(seed)
