"""What a collector keeps between two calls: each environment's segment in progress."""
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

import numpy as np
from lzero.mcts.buffer.game_segment import GameSegment

from .packing import pack, unpack

STEP_FLAGS = ('terminated', 'truncated', 'life_loss')
# The lists of a GameSegment that grow by one entry per step (obs_segment also has the frames before the first step).
SEGMENT_LISTS = (
    'obs_segment', 'action_segment', 'reward_segment', 'child_visit_segment', 'root_value_segment',
    'action_mask_segment', 'to_play_segment', 'timestep_segment'
)


@dataclass
class EnvStream:
    """
    One environment's segment in progress, and what LightZero's GameSegment has no field for. ``segment`` is None
    between a done and the first observation of the next episode.
    """
    env_id: int
    episode_id: int = 0
    episode_steps: int = 0  # taken so far in this episode: the timestep of the current observation
    entropy_sum: float = 0.
    segment: Optional[GameSegment] = None
    window: Optional[deque] = None  # the last frame_stack_num frames, from which the next segment begins
    held_meta: Optional[Dict[str, Any]] = None  # of the full segment in `last_game_segments` that waits for its padding
    predicted_values: List[float] = field(default_factory=list)
    searched_values: List[float] = field(default_factory=list)
    flags: Dict[str, List[bool]] = field(default_factory=lambda: {name: [] for name in STEP_FLAGS})
    # (C, A) each, the samples that a search of continuous actions chose from; empty for other policies.
    sampled_actions: List[np.ndarray] = field(default_factory=list)

    def record_flags(self, done: bool, info: Dict[str, Any]) -> None:
        """Record how a step ended. LightZero's environments mark a time limit as gym did; other ends terminate."""
        truncated = bool(info.get('truncated', info.get('TimeLimit.truncated', False)))
        terminated = bool(info.get('terminated', done and not truncated))
        for name, value in zip(STEP_FLAGS, (terminated, truncated, bool(info.get('life_loss', False)))):
            self.flags[name].append(value)

    def take_meta(self) -> Dict[str, Any]:
        """
        Meta of the segment that has just ended: env_id, episode_id, first_timestep, STEP_FLAGS (n,) bool each, and
        sampled_actions (n, C, A) float32 if the policy samples. The per-step lists start anew for the next segment.
        """
        steps = len(self.flags['terminated'])
        meta = dict(env_id=self.env_id, episode_id=self.episode_id, first_timestep=self.episode_steps - steps)
        meta.update({name: np.array(values, dtype=bool) for name, values in self.flags.items()})
        if self.sampled_actions:
            meta['sampled_actions'] = np.array(self.sampled_actions)
        self.flags, self.sampled_actions = {name: [] for name in STEP_FLAGS}, []
        self.predicted_values, self.searched_values = [], []
        return meta

    def end_episode(self) -> None:
        """Forget the finished episode; the environment's next observation begins a new one."""
        self.segment, self.window = None, None
        self.episode_id += 1
        self.episode_steps, self.entropy_sum = 0, 0.

    def state_dict(self) -> Dict[str, Any]:
        """All fields, as tensors and primitives."""
        state = {name: value for name, value in vars(self).items() if name not in ('segment', 'window')}
        state['segment'] = pack_segment(self.segment)
        state['window'] = None if self.window is None else list(self.window)
        return pack(state)

    def load_state_dict(self, state: Dict[str, Any], empty_segment: GameSegment) -> None:
        """Restore a ``state_dict``; the segment that was in progress, if any, is restored into `empty_segment`."""
        state = unpack(state)
        window = state.pop('window')
        self.window = None if window is None else deque(window, maxlen=len(window))
        self.segment = unpack_segment(state.pop('segment'), empty_segment)
        for name, value in state.items():
            setattr(self, name, value)


def pack_segment(segment: Optional[GameSegment]) -> Optional[Dict[str, np.ndarray]]:
    """The per-step lists of an unpadded segment, as one array each; None for no segment."""
    if segment is None:
        return None
    return {name: np.array(getattr(segment, name)) for name in SEGMENT_LISTS}


def unpack_segment(arrays: Optional[Dict[str, np.ndarray]], empty_segment: GameSegment) -> Optional[GameSegment]:
    """The inverse of ``pack_segment``: fills `empty_segment` and returns it; None for no segment."""
    if arrays is None:
        return None
    for name, array in arrays.items():
        setattr(empty_segment, name, list(array))
    return empty_segment
