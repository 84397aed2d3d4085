"""StepStream: a ring of the steps of one environment."""
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

# What is kept of a step beside its frame. About 12.3 kB a step with a 64 x 64 x 3 frame.
STEP_DTYPES = dict(
    action=np.uint8, reward=np.float32, terminated=np.bool_, truncated=np.bool_, life_loss=np.bool_, first=np.bool_
)
# Shape and dtype of further fields of a step, by name.
Fields = Dict[str, Tuple[Tuple[int, ...], type]]


class StepStream:
    """
    Overview:
        The last ``capacity`` steps of one environment in the order they were taken, in arrays that are allocated once
        (and committed by the system only as they fill). A step is named by its absolute index, counted from the first
        step ever appended; index i lies in row ``i % capacity``. Where a segment does not continue the one before
        it, a new run starts; no window crosses such a gap or the write head.
    Interfaces:
        ``append``, ``windows``, ``gather``, ``rows``, ``write``, ``state_dict``, ``load_state_dict``.
    """

    def __init__(self, capacity: int, observation_shape: Sequence[int], more_fields: Optional[Fields] = None) -> None:
        """
        Overview:
            Reserve the arrays.
        Arguments:
            - capacity (:obj:`int`): Steps kept.
            - observation_shape (:obj:`Sequence[int]`): (C, H, W) of a frame.
            - more_fields (:obj:`Optional[Fields]`): What is kept of a step beside its frame and STEP_DTYPES, or in
                another form.
        """
        self.capacity = capacity
        self.arrays = {'obs': np.empty((capacity, *observation_shape), dtype=np.uint8)}
        self.arrays.update({name: np.empty(capacity, dtype=dtype) for name, dtype in STEP_DTYPES.items()})
        for name, (shape, dtype) in (more_fields or {}).items():
            self.arrays[name] = np.empty((capacity, *shape), dtype=dtype)
        # Steps ever appended; also the absolute index of the write head.
        self.total = 0
        # Absolute indices at which a run starts, ascending; those that were overwritten are dropped.
        self.run_starts: List[int] = []
        # (episode id, timestep) with which the next segment continues this stream.
        self._expected: Tuple[int, int] = (-1, -1)

    def __len__(self) -> int:
        return min(self.total, self.capacity)

    @property
    def oldest(self) -> int:
        """Absolute index of the oldest step that is still there."""
        return self.total - len(self)

    def append(self, steps: Dict[str, np.ndarray], episode_id: int, first_timestep: int) -> None:
        """
        Overview:
            Append the steps of one segment.
        Arguments:
            - steps (:obj:`Dict[str, np.ndarray]`): obs (n, C, H, W) uint8, the fields of STEP_DTYPES except \
                ``first``, each of shape (n, ), and those of ``more_fields``.
            - episode_id (:obj:`int`): Counts this environment's episodes.
            - first_timestep (:obj:`int`): Position of the first step in its episode.
        """
        count = len(steps['action'])
        if (episode_id, first_timestep) != self._expected:
            self.run_starts.append(self.total)
        ended = bool(steps['terminated'][-1] or steps['truncated'][-1])
        self._expected = (episode_id + 1, 0) if ended else (episode_id, first_timestep + count)
        first = np.zeros(count, dtype=np.bool_)
        first[0] = first_timestep == 0
        self.write(self.total, {**steps, 'first': first})
        self.total += count
        while len(self.run_starts) > 1 and self.run_starts[1] <= self.oldest:
            self.run_starts.pop(0)

    def windows(self, length: int) -> Tuple[np.ndarray, np.ndarray]:
        """
        Overview:
            All places where a window of consecutive steps can start.
        Arguments:
            - length (:obj:`int`): Steps in a window.
        Returns:
            - starts (:obj:`np.ndarray`): int64 (R, ), the first start in each run, absolute.
            - counts (:obj:`np.ndarray`): int64 (R, ), how many consecutive starts follow it, itself included.
        """
        starts = np.maximum(np.array(self.run_starts, dtype=np.int64), self.oldest)
        ends = np.array([*self.run_starts[1:], self.total][:len(starts)], dtype=np.int64)
        return starts, np.maximum(ends - starts - length + 1, 0)

    def gather(self, starts: np.ndarray, length: int, out: Dict[str, np.ndarray]) -> None:
        """
        Overview:
            Copy windows of consecutive steps.
        Arguments:
            - starts (:obj:`np.ndarray`): (B, ) absolute start indices out of ``windows``.
            - length (:obj:`int`): Steps in a window, L.
            - out (:obj:`Dict[str, np.ndarray]`): For each field wanted, an array (B, L, ...) of its dtype to write \
                into.
        """
        rows = (starts[:, None] + np.arange(length)) % self.capacity
        for name, target in out.items():
            # The rows are in range; any mode but 'raise' lets take() write into `target` without a buffer between.
            np.take(self.arrays[name], rows, axis=0, out=target, mode='clip')

    def rows(self, start: int, stop: int) -> Dict[str, np.ndarray]:
        """
        Overview:
            Copy of the steps ``start`` to ``stop``.
        Arguments:
            - start (:obj:`int`): Absolute index of the first step, not before ``oldest``.
            - stop (:obj:`int`): Absolute index after the last step.
        Returns:
            - steps (:obj:`Dict[str, np.ndarray]`): Every field, first axis ``stop - start``.
        """
        rows = np.arange(start, stop) % self.capacity
        return {name: array[rows] for name, array in self.arrays.items()}

    def write(self, start: int, steps: Dict[str, np.ndarray]) -> None:
        """
        Overview:
            Write steps into their rows without moving the write head.
        Arguments:
            - start (:obj:`int`): Absolute index of the first step.
            - steps (:obj:`Dict[str, np.ndarray]`): Every field; of more than ``capacity`` steps the last ones stay.
        """
        count = len(steps['action'])
        kept = min(count, self.capacity)
        rows = np.arange(start + count - kept, start + count) % self.capacity
        for name, array in self.arrays.items():
            array[rows] = steps[name][count - kept:]

    def state_dict(self) -> Dict[str, Any]:
        """
        Overview:
            Everything but the steps themselves.
        Returns:
            - state (:obj:`Dict[str, Any]`): Primitives only.
        """
        return dict(total=self.total, run_starts=list(self.run_starts), expected=list(self._expected))

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """
        Overview:
            The inverse of ``state_dict``; the steps are restored with ``write``.
        Arguments:
            - state (:obj:`Dict[str, Any]`): From ``state_dict``.
        """
        self.total = state['total']
        self.run_starts = list(state['run_starts'])
        self._expected = tuple(state['expected'])
