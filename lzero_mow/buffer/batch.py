"""SequenceBatch: what the replay hands to the policy."""
from dataclasses import dataclass, replace
from typing import Callable, Iterator, List, Optional, Sequence, Tuple, TypeVar, Union

import numpy as np
import torch

Batch = TypeVar('Batch', bound='TaskBatch')


def rows_of_tasks(task: Sequence[int], number: int) -> List[slice]:
    """The rows of `number` groups of whole tasks, from the ascending task of each row."""
    ends = np.flatnonzero(np.diff([*task, -1])) + 1  # of each task's rows
    ends = [0, *(int(group[-1]) for group in np.array_split(ends, number))]
    return [slice(start, end) for start, end in zip(ends, ends[1:])]


class TaskBatch:
    """Base of dataclasses whose fields are tensors of B rows or None, and ``task``: the B task ids, ascending."""

    def to(self: Batch, device: Union[str, torch.device]) -> Batch:
        """The same batch on another device; the copy does not block."""
        return self._with(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self: Batch) -> Batch:
        """The same batch in memory from which it is copied to a GPU without a wait."""
        return self._with(torch.Tensor.pin_memory)

    def _with(self: Batch, change: Callable[[torch.Tensor], torch.Tensor]) -> Batch:
        """The same batch with each tensor changed."""
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, torch.Tensor)}
        return replace(self, **{name: change(value) for name, value in tensors.items()})

    def of_task(self: Batch, task: int) -> Batch:
        """The rows of one task, which are adjacent."""
        return self._rows(slice(self.task.index(task), self.task.index(task) + self.task.count(task)))

    def parts(self: Batch, size: Optional[int]) -> Iterator[Batch]:
        """The batch in parts of `size` rows, the last one of what is left; None for the whole at once."""
        size = size or len(self.task)
        return (self._rows(slice(start, start + size)) for start in range(0, len(self.task), size))

    def parts_of_tasks(self: Batch, number: int) -> List[Batch]:
        """The batch in `number` parts of whole tasks: neighbours, as many in each or one fewer."""
        return [self._rows(rows) for rows in rows_of_tasks(self.task, number)]

    def _rows(self: Batch, rows: slice) -> Batch:
        return replace(self, **{name: value[rows] for name, value in vars(self).items() if value is not None})


@dataclass
class SequenceBatch(TaskBatch):
    """
    B sequences of L consecutive steps, sorted by task. Along the time axis ``o_0 a_0 r_0 | o_1 a_1 r_1 ...``:
    ``reward[:, t]`` and ``terminated[:, t]`` are the results of ``action[:, t]`` taken at ``obs[:, t]``. Sequences
    continue across the ends of episodes, as in STORM.
    """
    obs: torch.Tensor  # (B, L, C, H, W) uint8 frames
    action: torch.Tensor  # (B, L) int64, or (B, L, A) float32
    reward: torch.Tensor  # (B, L) float32, raw
    terminated: torch.Tensor  # (B, L) float32, 0 or 1; includes life losses if `life_loss_as_termination`
    first: torch.Tensor  # (B, L) bool, obs[:, t] is the first of an episode
    task: Tuple[int, ...]  # B task ids, ascending, on the host, so that reading them never waits for a device

    def __post_init__(self) -> None:
        shape = self.action.shape[:2]
        assert self.obs.dim() == 5 and self.obs.shape[:2] == shape, (self.obs.shape, shape)
        assert self.reward.shape == self.terminated.shape == self.first.shape == shape, (self.reward.shape, shape)
        assert len(self.task) == shape[0], (len(self.task), shape)


@dataclass
class RecordedPlay:
    """An episode of E steps that was played in an evaluation, and that no replay has; frames of its first T steps."""
    obs: np.ndarray  # (T, C, H, W) uint8
    action: np.ndarray  # (T,) int64, or (T, A) float32
    reward: np.ndarray  # (E,) float32, raw
    terminated: np.ndarray  # (E,) bool
    life_loss: np.ndarray  # (E,) bool

    def __len__(self) -> int:
        return len(self.obs)

    def goes_on(self, life_loss_ends: bool) -> np.ndarray:
        """(E,) c_t: False where the episode ends, and with ``life_loss_ends`` where a life is lost."""
        return ~(self.terminated | self.life_loss) if life_loss_ends else ~self.terminated
