"""Scalars as distributions over a support (MuZero appendix F)."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 0.001


def compress(x: Tensor) -> Tensor:
    """h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x, elementwise."""
    size = x.abs()
    return torch.sign(x) * (size / (torch.sqrt(size + 1) + 1) + EPS * size)  # avoids cancellation


def expand(y: Tensor) -> Tensor:
    """Inverse of :func:`compress`."""
    # With u = sqrt(|x| + 1) - 1, h is eps u^2 + (1 + 2 eps) u; this is its root, again without cancellation.
    size, half = y.abs(), 1 + 2 * EPS
    u = 2 * size / (half + torch.sqrt(half ** 2 + 4 * EPS * size))
    return torch.sign(y) * u * (u + 2)


class Support(nn.Module):
    """
    Scalars as distributions over atoms `step` apart in compressed space, from `low` to `high`, to which targets are
    clamped. ValueError if the steps do not end at `high`.
    """

    def __init__(self, low: float, high: float, step: float) -> None:
        super().__init__()
        steps = round((high - low) / step)
        if steps < 1 or abs(low + steps * step - high) > 1e-6 * step:
            raise ValueError(f'a support from {low} in steps of {step} does not reach {high}')
        self.low, self.high, self.step = low, high, step
        self.register_buffer('atoms', low + step * torch.arange(steps + 1, dtype=torch.float32), persistent=False)

    def __len__(self) -> int:
        return len(self.atoms)

    def two_hot(self, x: Tensor, smoothing: float = 0.0) -> Tensor:
        """
        Raw scalars (...) -> (..., V): the two atoms around h(x) share the mass linearly, and a share `smoothing` of it
        is spread evenly over all atoms.
        """
        position = (compress(x.float()).clamp(self.low, self.high) - self.low) / self.step
        below = position.floor().long().clamp(0, len(self) - 2)  # a NaN falls on atom 0; its share remains NaN
        share = (position - below).unsqueeze(-1)
        mass = torch.cat([1 - share, share], -1)
        code = torch.zeros(*x.shape, len(self), device=x.device)
        code.scatter_(-1, torch.stack([below, below + 1], -1), mass)
        return torch.lerp(code, torch.full_like(code, 1 / len(self)), smoothing)

    def mean(self, logits: Tensor) -> Tensor:
        """(..., V) logits -> (...) expected scalars. Not a matrix product, which autocast would round."""
        return expand((F.softmax(logits.float(), dim=-1) * self.atoms).sum(-1))

    def chance_of_reward(self, logits: Tensor) -> Tensor:
        """(..., V) logits -> (...) probability of anything but the atom of 0."""
        return 1 - F.softmax(logits.float(), dim=-1)[..., round(-self.low / self.step)]
