"""n-step returns: the value targets of ScaleZero and MuZero."""
from typing import Tuple

import torch
from torch import Tensor


def n_step_return(
        reward: Tensor, value: Tensor, terminated: Tensor, truncated: Tensor, discount: float, n: int
) -> Tuple[Tensor, Tensor]:
    """
    Overview:
        G_t = r_t + gamma r_{t+1} + ... + gamma^{n-1} r_{t+n-1} + gamma^n V_{t+n}. A termination ends the sum after its
        own reward. After a truncation the episode would have continued, but its next frame was never seen: such a
        target is incomplete and must not be used. Only the first end counts; a step with both flags is a termination.
    Arguments:
        - reward, value (:obj:`Tensor`): (B, L + n), of step t; (B, L), of the frame before step t + n.
        - terminated, truncated (:obj:`Tensor`): (B, L + n) bool, how step t ended the episode.
    Returns:
        - target, usable (:obj:`Tensor`): (B, L); (B, L) bool, False where a truncation cut the target off.
    """
    L = value.shape[1]
    assert reward.shape == terminated.shape == truncated.shape == (len(value), L + n), (reward.shape, value.shape, n)
    ended = _windows(terminated | truncated, n)
    powers = discount ** torch.arange(n, dtype=reward.dtype, device=reward.device)
    rewards = torch.where(_until_end(ended), _windows(reward, n) * powers, 0).sum(-1)
    target = torch.where(ended.any(-1), rewards, rewards + discount ** n * value)
    return target, is_whole(terminated, truncated, n)


def is_whole(terminated: Tensor, truncated: Tensor, n: int) -> Tensor:
    """(B, L + n) flags -> (B, L) bool: no truncation cuts the n-step return of step t off."""
    counts = _until_end(_windows(terminated | truncated, n))
    return ~(counts & _windows(truncated & ~terminated, n)).any(-1)


def _windows(x: Tensor, n: int) -> Tensor:
    """(B, L + n) -> (B, L, n): the n steps from t on."""
    return x[:, :-1].unfold(1, n, 1)


def _until_end(ended: Tensor) -> Tensor:
    """(B, L, n) bool: no earlier step in the window is an end."""
    return ended.cumsum(-1) == ended
