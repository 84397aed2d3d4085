"""Lambda-returns of imagined rollouts (paper section 3.5)."""
import torch
from torch import Tensor


def lambda_return(
        reward: Tensor, continuation: Tensor, value: Tensor, discount: float, lambda_: float, bootstrap: str = 'next'
) -> Tensor:
    """
    Overview:
        R_t = r_t + gamma c_t [(1 - lambda) V_{t+1} + lambda R_{t+1}],  R_H = V_H.
    Arguments:
        - reward (:obj:`Tensor`), continuation (:obj:`Tensor`): (N, H).
        - value (:obj:`Tensor`): (N, H + 1).
        - bootstrap (:obj:`str`): 'next' mixes in V_{t+1} as the formula says, 'current' V_t as STORM's code does.
    Returns:
        - returns (:obj:`Tensor`): (N, H).
    """
    mixed_value = value[:, 1:] if bootstrap == 'next' else value[:, :-1]
    one_step = reward + discount * continuation * (1 - lambda_) * mixed_value
    decay, returns, following = discount * lambda_ * continuation, [], value[:, -1]
    for t in reversed(range(reward.shape[1])):
        following = torch.addcmul(one_step[:, t], decay[:, t], following)
        returns.append(following)
    return torch.stack(returns[::-1], 1)
