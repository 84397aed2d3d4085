"""SearchBatch: what the replay of ScaleZero hands to the policy."""
from dataclasses import dataclass
from typing import Optional, Tuple

from torch import Tensor

from .batch import TaskBatch


@dataclass
class SearchBatch(TaskBatch):
    """
    B sequences of L steps to learn from and n more for their value targets, sorted by task. Along the time axis
    ``o_0 a_0 r_0 | o_1 a_1 r_1 ...``: ``reward[:, t]`` and the flags at t are the results of ``action[:, t]`` taken at
    ``obs[:, t]``; ``visits[:, t]`` are the result of the search from ``obs[:, t]``, if there was one (``searched``).
    Sequences continue across the ends of episodes; ``valid`` and ``has_next`` tell which steps may be learned from.
    """
    obs: Tensor  # (B, L + n, C, H, W) uint8 frames
    action: Tensor  # (B, L + n) int64, or (B, L + n, A) float32
    reward: Tensor  # (B, L + n) float32, raw, or their signs (`policy.clip_rewards`)
    # (B, L + n) bool: the episode ended with step t, was cut off there, lost a life there (see `return_ends`).
    terminated: Tensor
    truncated: Tensor
    life_loss: Tensor
    # (B, L, C) float32, share of the search's visits that went to each choice: to each of all C = A actions, or of C
    # samples; 0 for illegal actions, and all 0 where there was no search.
    visits: Tensor
    task: Tuple[int, ...]  # B task ids, ascending, on the host, so that reading them never waits for a device
    sampled_actions: Optional[Tensor] = None  # (B, L, C, A) float32; None where the search chooses from all actions

    def __post_init__(self) -> None:
        shape = self.action.shape[:2]
        assert self.obs.dim() == 5 and self.obs.shape[:2] == shape, (self.obs.shape, shape)
        for name in ('reward', 'terminated', 'truncated', 'life_loss'):
            assert getattr(self, name).shape == shape, (name, getattr(self, name).shape, shape)
        assert self.visits.dim() == 3 and len(self.visits) == shape[0], (self.visits.shape, shape)
        assert self.visits.shape[1] < shape[1], (self.visits.shape, shape)
        assert len(self.task) == shape[0], (len(self.task), shape)
        samples = self.visits.shape if self.sampled_actions is None else self.sampled_actions.shape[:3]
        assert samples == self.visits.shape, (samples, self.visits.shape)

    @property
    def valid(self) -> Tensor:
        """
        (B, L) bool: step t belongs to the episode of step 0. A lost life does not end an episode here: frames and
        acting continue.
        """
        return self._ended.cumsum(1) == self._ended

    @property
    def searched(self) -> Tensor:
        """(B, L) bool: the action of step t comes from a search, not from random play."""
        return self.visits.sum(-1) > 0

    def has_next(self, life_loss_as_termination: bool) -> Tensor:
        """
        (B, L) bool: ``obs[:, t + 1]`` is what step t led to, since step t is valid and did not end its episode. A lost
        life that ends the return leads nowhere, or a search would continue in the next life.
        """
        lost = self.return_ends(life_loss_as_termination)[:, :self.visits.shape[1]]
        return (self._ended.cumsum(1) == 0) & ~lost

    def return_ends(self, life_loss_as_termination: bool) -> Tensor:
        """(B, L + n) bool: where returns end, for ``n_step_return``; optionally at lost lives too."""
        return self.terminated | self.life_loss if life_loss_as_termination else self.terminated

    @property
    def _ended(self) -> Tensor:
        return (self.terminated | self.truncated)[:, :self.visits.shape[1]]
