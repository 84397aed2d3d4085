"""The two tiny tasks with actions of two numbers: to point at a corner."""
from typing import Any

import gym
import numpy as np
from ding.envs import BaseEnvTimestep
from ding.utils import ENV_REGISTRY
from easydict import EasyDict

from helpers.two_task_env import NUM_POSITIONS, TwoTaskEnv

CORNERS = np.array([(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)], dtype=np.float32)


@ENV_REGISTRY.register('corner_mow')
class CornerEnv(TwoTaskEnv):
    """
    Overview:
        The corner to point at follows from the square's and the task. A step is worth 1 less the mean distance of the
        two numbers from it.
    """

    def __init__(self, cfg: EasyDict) -> None:
        super().__init__(cfg)
        self._mask = np.ones(2, dtype=np.int8)
        self.action_space = gym.spaces.Box(-1, 1, (2, ), np.float32)

    def random_action(self) -> np.ndarray:
        return self._rng.uniform(-1, 1, 2).astype(np.float32)

    def step(self, action: Any) -> BaseEnvTimestep:
        assert action.shape == (2, ) and action.dtype == np.float32 and (np.abs(action) <= 1).all(), action
        corner = CORNERS[(self._position + self._shift) % NUM_POSITIONS]
        timestep = super().step(-1)
        reward = 1 - np.abs(action - corner).mean()
        self._score += float(reward)
        if timestep.done:
            timestep.info['eval_episode_return'] = self._score
        return timestep._replace(reward=np.array(reward, dtype=np.float32))
