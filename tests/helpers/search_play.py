"""Segments of random play with search statistics, and the log to check them against."""
from types import SimpleNamespace
from typing import Any, Dict, List, NamedTuple, Tuple

import numpy as np

from lzero_mow.worker.env_stream import STEP_FLAGS

NUM_ACTIONS = 6
# (C, H, W): as many pixels as a step's number has bytes.
FRAME_SHAPE = (1, 2, 2)


class SearchStep(NamedTuple):
    """One line of a RandomPlay's log."""
    env_id: int
    episode: int
    action: int
    reward: float
    visits: np.ndarray
    terminated: bool
    truncated: bool
    life_loss: bool
    # Steps were lost between the line before and this one.
    gap: bool


class RandomPlay:
    """
    Overview:
        One environment's play, cut into segments as the collector 'segment_mow' returns them: episodes and segments of
        random lengths, all kinds of ends, lost lives, padding behind the real steps, now and then lost steps. The
        frame of a step holds its number in ``log``.
    Arguments:
        - env_id (:obj:`int`): Number of the environment; also its seed.
    """

    def __init__(self, env_id: int) -> None:
        self.log: List[SearchStep] = []
        self._env_id, self._rng = env_id, np.random.default_rng(env_id)
        self._episode, self._timestep = 0, 0

    def _step(self, gap: bool) -> SearchStep:
        rng = self._rng
        visits = rng.multinomial(50, np.append(rng.dirichlet(np.ones(NUM_ACTIONS - 1)), 0)) / 50
        ends = rng.random() < 0.15
        truncated = ends and rng.random() < 0.5
        return SearchStep(
            env_id=self._env_id, episode=self._episode, action=int(rng.integers(NUM_ACTIONS)),
            reward=float(rng.normal()), visits=visits, terminated=bool(ends and (not truncated or rng.random() < 0.2)),
            truncated=bool(truncated), life_loss=bool(rng.random() < 0.1), gap=gap
        )

    def segment(self) -> Tuple[Any, Dict[str, Any]]:
        """The next segment and its meta."""
        gap = self._timestep > 0 and self._rng.random() < 0.1
        self._timestep += int(gap)
        first, first_timestep = len(self.log), self._timestep
        for index in range(self._rng.integers(1, 8)):
            self.log.append(self._step(gap and index == 0))
            self._timestep += 1
            if self.log[-1].terminated or self.log[-1].truncated:
                break
        steps = self.log[first:]
        meta = dict(env_id=self._env_id, episode_id=self._episode, first_timestep=first_timestep)
        meta.update({name: np.array([getattr(step, name) for step in steps]) for name in STEP_FLAGS})
        if steps[-1].terminated or steps[-1].truncated:
            self._episode, self._timestep = self._episode + 1, 0
        # Padding that must not be taken for steps.
        padded = [*steps, *[steps[0]._replace(reward=99., action=0)] * 3]
        segment = SimpleNamespace(
            obs_segment=np.array([encode(first + index) for index in range(len(padded))]),
            action_segment=np.array([s.action for s in padded]), reward_segment=np.array([s.reward for s in padded]),
            child_visit_segment=np.array([s.visits for s in padded])
        )
        return segment, meta


def encode(number: int) -> np.ndarray:
    """The frame of a step."""
    return np.frombuffer(np.uint32(number).tobytes(), np.uint8).reshape(FRAME_SHAPE)


def decode(frame: np.ndarray) -> int:
    """The inverse of ``encode``."""
    return int(np.frombuffer(np.ascontiguousarray(frame).tobytes(), np.uint32)[0])
