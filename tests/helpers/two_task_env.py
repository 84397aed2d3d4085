"""Two tiny tasks with a known optimum, behind the interface of the Atari environment."""
import copy
from typing import Any, Dict, List, Tuple

import gym
import numpy as np
from ding.envs import BaseEnv, BaseEnvTimestep
from ding.utils import ENV_REGISTRY
from easydict import EasyDict

NUM_ACTIONS = 18
NUM_POSITIONS = 4
EPISODE_STEPS = 16
# By task, the colour of its square and how far the right action lies from the square's position.
TASKS = {'Direct': ((255, 64, 0), 0), 'Shifted': ((0, 128, 255), 1)}


def make_frames(colour: Tuple[int, int, int]) -> np.ndarray:
    """
    Overview:
        One frame for each position: a 32 x 32 square in a corner of a dark image.
    Returns:
        - frames (:obj:`np.ndarray`): uint8 (4, 3, 64, 64).
    """
    frames = np.full((NUM_POSITIONS, 3, 64, 64), 16, dtype=np.uint8)
    for position in range(NUM_POSITIONS):
        top, left = 32 * (position // 2), 32 * (position % 2)
        frames[position, :, top:top + 32, left:left + 32] = np.array(colour, dtype=np.uint8)[:, None, None]
    return frames


FRAMES = {task: make_frames(colour) for task, (colour, _) in TASKS.items()}


@ENV_REGISTRY.register('two_task_mow')
class TwoTaskEnv(BaseEnv):
    """
    Overview:
        A square shows up in one of four corners. Of the four legal actions one is right, given corner and task, and
        is worth 1; the next corner is random. After 16 steps the episode is truncated: the best return is 16,
        random play brings 4 on average, and a policy that cannot tell the tasks apart 8.
    """
    config = dict(collector_env_num=1, evaluator_env_num=1, tasks=tuple(TASKS))

    def __init__(self, cfg: EasyDict) -> None:
        self._task = cfg.task
        self._frames, self._shift = FRAMES[cfg.task], TASKS[cfg.task][1]
        self._seed, self._dynamic_seed = 0, True
        self._rng = np.random.default_rng(0)
        self._position = self._timestep = self._score = 0
        self._mask = np.zeros(NUM_ACTIONS, dtype=np.int8)
        self._mask[:NUM_POSITIONS] = 1
        self.observation_space = gym.spaces.Box(0, 255, (3, 64, 64), np.uint8)
        self.action_space = gym.spaces.Discrete(NUM_ACTIONS)
        self.reward_space = gym.spaces.Box(0, 1, (), np.float32)

    def seed(self, seed: int, dynamic_seed: bool = True) -> None:
        self._seed, self._dynamic_seed = seed, dynamic_seed
        self._rng = np.random.default_rng(seed)

    def reset(self) -> Dict[str, Any]:
        if not self._dynamic_seed:
            self._rng = np.random.default_rng(self._seed)
        self._position, self._timestep, self._score = int(self._rng.integers(NUM_POSITIONS)), 0, 0
        return self._observation()

    def step(self, action: Any) -> BaseEnvTimestep:
        reward = int(int(action) == (self._position + self._shift) % NUM_POSITIONS)
        self._score += reward
        self._timestep += 1
        self._position = int(self._rng.integers(NUM_POSITIONS))
        done = self._timestep == EPISODE_STEPS
        info = dict(terminated=False, truncated=done, life_loss=False)
        if done:
            info['eval_episode_return'] = float(self._score)
        return BaseEnvTimestep(self._observation(), np.array(reward, dtype=np.float32), done, info)

    def random_action(self) -> int:
        return int(self._rng.integers(NUM_POSITIONS))

    def _observation(self) -> Dict[str, Any]:
        return {
            'observation': self._frames[self._position].copy(),
            'action_mask': self._mask.copy(),
            'to_play': -1,
            'timestep': self._timestep,
        }

    def close(self) -> None:
        pass

    def __repr__(self) -> str:
        return f'TwoTaskEnv({self._task})'

    def state_dict(self) -> Dict[str, Any]:
        return dict(
            seed=self._seed, dynamic_seed=self._dynamic_seed, rng=self._rng.bit_generator.state,
            position=self._position, timestep=self._timestep, score=self._score
        )

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self._seed, self._dynamic_seed = state['seed'], state['dynamic_seed']
        self._rng.bit_generator.state = state['rng']
        self._position, self._timestep, self._score = state['position'], state['timestep'], state['score']

    @staticmethod
    def create_collector_env_cfg(cfg: EasyDict) -> List[EasyDict]:
        return env_configs(cfg, cfg.collector_env_num)

    @staticmethod
    def create_evaluator_env_cfg(cfg: EasyDict) -> List[EasyDict]:
        return env_configs(cfg, cfg.evaluator_env_num)

    @classmethod
    def check(cls, cfg: EasyDict) -> None:
        unknown = [task for task in cfg.tasks if task not in TASKS]
        if unknown:
            raise ValueError(f'unknown task {unknown[0]!r}: the tasks are {list(TASKS)}')

    @staticmethod
    def reference_scores(cfg: EasyDict) -> List[Tuple[float, float]]:
        return [(EPISODE_STEPS / NUM_POSITIONS, float(EPISODE_STEPS))] * len(cfg.tasks)


def env_configs(cfg: EasyDict, envs_per_task: int) -> List[EasyDict]:
    """One config per environment, task by task."""
    configs = []
    for task_id, task in enumerate(cfg.tasks):
        for _ in range(envs_per_task):
            configs.append(EasyDict(copy.deepcopy(dict(cfg)), task=task, task_id=task_id))
    return configs
