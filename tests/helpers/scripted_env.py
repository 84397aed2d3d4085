"""An environment that follows a script and writes down everything it did."""
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import gym
import numpy as np
from ding.envs import BaseEnv, BaseEnvTimestep
from ding.utils import ENV_REGISTRY
from easydict import EasyDict

NUM_ACTIONS = 18
FRAME_SHAPE = (3, 64, 64)
# (length, how the episode ends, timesteps whose action costs a life). With segments of 5 steps: one-step episodes,
# episodes that fill one or several segments exactly, ends just before and after a boundary, lives lost at all those
# places.
DEFAULT_SCRIPT = (
    (3, 'terminated', ()), (1, 'terminated', (0, )), (5, 'truncated', (2, )), (1, 'truncated', ()),
    (1, 'terminated', ()), (10, 'terminated', (4, 5, 9)), (6, 'terminated', ()), (4, 'truncated', (3, )),
    (15, 'truncated', (0, 14)), (11, 'terminated', (10, )), (5, 'terminated', ()), (9, 'truncated', (8, ))
)


class Step(NamedTuple):
    """One line of an environment's log."""
    env_id: int
    episode: int
    timestep: int
    action: int
    reward: float
    terminated: bool
    truncated: bool
    life_loss: bool


def encode(env_id: int, episode: int, timestep: int) -> np.ndarray:
    """The frame of one moment: a uint8 image (3, 64, 64) that no other moment has."""
    frame = np.zeros(FRAME_SHAPE, dtype=np.uint8)
    frame[0] = env_id
    for channel, value in ((1, episode), (2, timestep)):
        frame[channel, :32], frame[channel, 32:] = divmod(value, 256)
    return frame


def decode(frame: np.ndarray) -> Tuple[int, int, int]:
    """The inverse of ``encode``; fails on a frame that ``encode`` cannot have made."""
    env_id = int(frame[0, 0, 0])
    episode, timestep = (int(frame[channel, 0, 0]) * 256 + int(frame[channel, 63, 63]) for channel in (1, 2))
    assert np.array_equal(frame, encode(env_id, episode, timestep)), (env_id, episode, timestep)
    return env_id, episode, timestep


def action_for(frame: np.ndarray) -> int:
    """The action that the tests' policy takes on a frame: wrong as soon as it is shown another one."""
    env_id, episode, timestep = decode(frame)
    return (env_id * 7 + episode * 3 + timestep) % NUM_ACTIONS


@ENV_REGISTRY.register('scripted_mow')
class ScriptedEnv(BaseEnv):
    """
    Overview:
        Plays the episodes of ``cfg.script`` in turn, forever. Rewards tell env, episode and timestep apart;
        ``log`` holds a Step for every call of ``step``.
    """

    def __init__(self, cfg: EasyDict) -> None:
        self._cfg = cfg
        self.env_id = cfg.env_id
        self.log: List[Step] = []
        self._episode, self._timestep = -1, 0
        self.observation_space = gym.spaces.Box(0, 255, FRAME_SHAPE, np.uint8)
        self.action_space = gym.spaces.Discrete(NUM_ACTIONS)
        self.reward_space = gym.spaces.Box(-np.inf, np.inf, (), np.float32)

    def _observation(self) -> Dict[str, Any]:
        return {
            'observation': encode(self.env_id, self._episode, self._timestep),
            'action_mask': np.ones(NUM_ACTIONS, dtype=np.int8),
            'to_play': -1,
            'timestep': self._timestep,
        }

    def reset(self) -> Dict[str, Any]:
        time.sleep(self._cfg.get('reset_seconds', 0))
        self._episode, self._timestep = self._episode + 1, 0
        return self._observation()

    def step(self, action: Any) -> BaseEnvTimestep:
        script = self._cfg.script
        length, ending, life_losses = script[self._episode % len(script)]
        if list(self._cfg.get('abnormal_at', [])) == [self._episode, self._timestep]:
            return BaseEnvTimestep(self._observation(), np.float32(0), False, {'abnormal': True})
        reward = np.array(self.env_id + self._episode / 64 + self._timestep / 4096, dtype=np.float32)
        done = self._timestep == length - 1
        info = dict(
            terminated=done and ending == 'terminated', truncated=done and ending == 'truncated',
            life_loss=self._timestep in life_losses
        )
        self.log.append(Step(self.env_id, self._episode, self._timestep, int(action), float(reward), **info))
        if done:
            info['eval_episode_return'] = float(sum(step.reward for step in self.log[-length:]))
        self._timestep += 1
        return BaseEnvTimestep(self._observation(), reward, done, info)

    def seed(self, seed: int, dynamic_seed: Optional[bool] = None) -> None:
        pass

    def close(self) -> None:
        pass

    def __repr__(self) -> str:
        return f'ScriptedEnv({self.env_id})'

    def state_dict(self) -> Dict[str, Any]:
        return dict(episode=self._episode, timestep=self._timestep, log=[tuple(step) for step in self.log])

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self._episode, self._timestep = state['episode'], state['timestep']
        self.log = [Step(*step) for step in state['log']]


def script_for(env_id: int, script: Sequence[Tuple] = DEFAULT_SCRIPT) -> Tuple:
    """
    The script of one environment: the same episodes from another starting point, so that environments fall out of step.
    """
    return tuple(script[env_id % len(script):]) + tuple(script[:env_id % len(script)])
