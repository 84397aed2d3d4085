"""Lambda-returns of imagined rollouts, and the scale that makes them comparable between tasks (paper section 3.5)."""
from typing import Sequence

import torch
from torch import Tensor, nn


def lambda_return(
        reward: Tensor, continuation: Tensor, value: Tensor, discount: float, lambda_: float, bootstrap: str = 'next'
) -> Tensor:
    """
    Overview:
        R_t = r_t + gamma c_t [(1 - lambda) V_{t+1} + lambda R_{t+1}],  R_H = V_H.
    Arguments:
        - reward (:obj:`Tensor`), continuation (:obj:`Tensor`): (N, H).
        - value (:obj:`Tensor`): (N, H + 1).
        - discount (:obj:`float`), lambda_ (:obj:`float`): gamma and lambda.
        - bootstrap (:obj:`str`): 'next' mixes in V_{t+1} as the formula says, 'current' V_t as STORM's code does.
    Returns:
        - returns (:obj:`Tensor`): (N, H).
    """
    mixed_value = value[:, 1:] if bootstrap == 'next' else value[:, :-1]
    one_step = reward + discount * continuation * (1 - lambda_) * mixed_value
    returns, following = [], value[:, -1]
    for t in reversed(range(reward.shape[1])):
        following = one_step[:, t] + discount * lambda_ * continuation[:, t] * following
        returns.append(following)
    return torch.stack(returns[::-1], 1)


class ReturnScale(nn.Module):
    """
    Overview:
        S_k: moving average of the 95th minus the 5th percentile of task k's returns. One a task, because returns of
        different games differ by orders of magnitude. Buffers, so that it is saved and resumed.
    Arguments:
        - num_tasks (:obj:`int`): K.
    """

    def __init__(self, num_tasks: int) -> None:
        super().__init__()
        self.register_buffer('low', torch.zeros(num_tasks))
        self.register_buffer('high', torch.zeros(num_tasks))

    @torch.no_grad()
    def update(self, returns: Tensor, tasks: Sequence[int], decay: float) -> None:
        """Take in returns (N, H) of rows whose tasks are ascending and known on the host; `decay` of the average."""
        counts = torch.bincount(torch.as_tensor(tasks), minlength=len(self.low))
        rows = returns.split(counts.tolist())
        padded = nn.utils.rnn.pad_sequence([row.flatten() for row in rows], True, float('nan'))  # (K, longest)
        low, high = (torch.nanquantile(padded, level, dim=1) for level in (0.05, 0.95))
        seen = (counts > 0).to(low.device, non_blocking=True)
        self.low.copy_(torch.where(seen, torch.lerp(low, self.low, decay), self.low))
        self.high.copy_(torch.where(seen, torch.lerp(high, self.high, decay), self.high))

    def forward(self, least: float) -> Tensor:
        """(K,) divisors of the advantage: max(least, S_k)."""
        return (self.high - self.low).clamp(min=least)
