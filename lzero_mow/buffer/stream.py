"""StepStream: a ring of the steps of one environment."""
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch

from .frames import PackedFrames, PlainFrames

# What is kept of a step besides its frame, which is 12.3 kB of 64 x 64 x 3 pixels, or a twentieth of that compressed.
STEP_DTYPES = dict(
    action=np.uint8, reward=np.float32, terminated=np.bool_, truncated=np.bool_, life_loss=np.bool_, first=np.bool_
)
# Shape and dtype of further fields of a step, by name.
Fields = Dict[str, Tuple[Tuple[int, ...], type]]


class StepStream:
    """
    The last ``capacity`` steps of one environment in the order they were taken: ``frames``, compressed or not, and
    arrays that are allocated once (and committed by the system only as they fill). A step is named by its absolute
    index, counted from the first step ever appended; index i lies in row ``i % capacity``. Where a segment does not
    continue the previous one, a new run starts; no window crosses such a gap or the write head. `more_fields` are added
    to STEP_DTYPES or replace some.
    """

    def __init__(
            self, capacity: int, observation_shape: Sequence[int], more_fields: Optional[Fields] = None,
            compression: bool = True
    ) -> None:
        self.capacity = capacity
        self.frames = (PackedFrames if compression else PlainFrames)(capacity, tuple(observation_shape))
        self.arrays = {name: np.empty(capacity, dtype=dtype) for name, dtype in STEP_DTYPES.items()}
        for name, (shape, dtype) in (more_fields or {}).items():
            self.arrays[name] = np.empty((capacity, *shape), dtype=dtype)
        # Steps ever appended; also the absolute index of the write head.
        self.total = 0
        # How often steps have been rewritten, and which of their fields.
        self.rewrites, self.rewritten = 0, []
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
        Append the n steps of one segment: every field except ``first``, (n, ...) each. `episode_id` counts this
        environment's episodes, `first_timestep` is the position of the first step in its episode.
        """
        count = len(steps['action'])
        if (episode_id, first_timestep) != self._expected:
            self.run_starts.append(self.total)
        ended = bool(steps['terminated'][-1] or steps['truncated'][-1])
        self._expected = (episode_id + 1, 0) if ended else (episode_id, first_timestep + count)
        first = np.zeros(count, dtype=np.bool_)
        first[0] = first_timestep == 0
        self.frames.write(self.total, steps['obs'])
        self._write(self.total, {**steps, 'first': first})
        self.total += count
        while len(self.run_starts) > 1 and self.run_starts[1] <= self.oldest:
            self.run_starts.pop(0)

    def windows(self, length: int) -> Tuple[np.ndarray, np.ndarray]:
        """
        All places where a window of `length` consecutive steps can start: for each of R runs the first one, absolute,
        and the number of consecutive starts from there on, int64 (R, ) both.
        """
        starts = np.maximum(np.array(self.run_starts, dtype=np.int64), self.oldest)
        ends = np.array([*self.run_starts[1:], self.total][:len(starts)], dtype=np.int64)
        return starts, np.maximum(ends - starts - length + 1, 0)

    def empty(self, fields: Sequence[str], shape: Tuple[int, ...], pinned: bool = False) -> Dict[str, np.ndarray]:
        """An array of this shape of steps for each of the fields; pinned ones are copied to a GPU without a wait."""
        kinds = {name: (array.shape[1:], torch.from_numpy(array).dtype) for name, array in self.arrays.items()}
        kinds['obs'] = self.frames.shape, torch.uint8
        return {
            name: torch.empty((*shape, *kinds[name][0]), dtype=kinds[name][1], pin_memory=pinned).numpy()
            for name in fields
        }

    def gather(self, starts: np.ndarray, length: int, out: Dict[str, np.ndarray]) -> None:
        """Copy the windows that start at B absolute indices into `out`, an array (B, L, ...) for each field wanted."""
        index = starts[:, None] + np.arange(length)
        for name, target in out.items():
            if name == 'obs':
                self.frames.take(index, target)
            else:
                # The rows are in range; any mode but 'raise' lets take() write into `target` without an extra buffer.
                np.take(self.arrays[name], index % self.capacity, axis=0, out=target, mode='clip')

    def rewrite(self, starts: np.ndarray, changed: np.ndarray, fields: Dict[str, np.ndarray]) -> None:
        """
        Replace fields, (B, L, ...) each, never frames, of those steps of the windows that start at B absolute indices
        which are marked in `changed` (B, L) bool.
        """
        rows = (starts[:, None] + np.arange(changed.shape[1])) % self.capacity
        for name, new in fields.items():
            self.arrays[name][rows[changed]] = new[changed]
        self.rewrites, self.rewritten = self.rewrites + 1, list(fields)

    def packed(self, start: int, stop: int) -> Dict[str, np.ndarray]:
        """
        The steps from absolute index `start`, a multiple of CHUNK, to `stop`, for the disk: every field, and of the
        frames the compressed strings in a row (``obs``) and their lengths (``obs_sizes``). What is older than
        ``oldest`` means nothing.
        """
        chunks = self.frames.chunks(start, stop)
        rows = np.arange(start, stop) % self.capacity
        return dict(
            {name: array[rows] for name, array in self.arrays.items()}, obs=np.frombuffer(b''.join(chunks), np.uint8),
            obs_sizes=np.array([len(chunk) for chunk in chunks])
        )

    def patch(self) -> Dict[str, np.ndarray]:
        """The fields that have been rewritten, of all steps that are there."""
        rows = np.arange(self.oldest, self.total) % self.capacity
        return {name: self.arrays[name][rows] for name in self.rewritten}

    def apply(self, start: int, patch: Dict[str, np.ndarray]) -> None:
        """Write what ``patch`` returned when `start` was the oldest step, without what is overwritten since."""
        skipped = max(self.oldest - start, 0)
        for name, new in patch.items():
            self.arrays[name][np.arange(start + skipped, start + len(new)) % self.capacity] = new[skipped:]

    def restore(self, start: int, steps: Dict[str, np.ndarray]) -> None:
        """
        Write what ``packed`` returned into the rows from the same `start` on, without moving the write head. ValueError
        for frames of another shape.
        """
        ends = np.cumsum(steps['obs_sizes'])[:-1]
        chunks = [part.tobytes() for part in np.split(steps['obs'], ends)]
        self.frames.write_chunks(start, start + len(steps['action']), chunks)
        self._write(start, steps)

    def _write(self, start: int, steps: Dict[str, np.ndarray]) -> None:
        """Of more than ``capacity`` steps the last ones are kept."""
        count = len(steps['action'])
        kept = min(count, self.capacity)
        rows = np.arange(start + count - kept, start + count) % self.capacity
        for name, array in self.arrays.items():
            array[rows] = steps[name][count - kept:]

    def state_dict(self) -> Dict[str, Any]:
        """Everything but the steps themselves, which ``restore`` writes."""
        return dict(
            total=self.total, run_starts=list(self.run_starts), expected=list(self._expected), rewrites=self.rewrites,
            rewritten=list(self.rewritten)
        )

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self.total = state['total']
        self.run_starts = list(state['run_starts'])
        self._expected = tuple(state['expected'])
        self.rewrites, self.rewritten = state['rewrites'], list(state['rewritten'])
