"""Symlog two-hot regression: scalars as distributions over fixed bins (STORM appendix; Hafner et al., 2023)."""
from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def symlog(x: Tensor) -> Tensor:
    """sign(x) ln(1 + |x|), elementwise."""
    return torch.sign(x) * torch.log1p(torch.abs(x))


def symexp(x: Tensor) -> Tensor:
    """Inverse of :func:`symlog`."""
    return torch.sign(x) * torch.expm1(torch.abs(x))


class TwoHot(nn.Module):
    """Scalars as distributions over bins evenly spaced in symlog space, -bound to bound; targets are clamped."""

    def __init__(self, num_bins: int = 255, bound: float = 20.0) -> None:
        super().__init__()
        self.bound = bound
        self.register_buffer('bins', torch.linspace(-bound, bound, num_bins), persistent=False)

    def neighbours(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        """The two-hot code of raw scalars (...): index (...) of the lower bin, and share (...) of the bin above it."""
        position = (symlog(x).clamp(-self.bound, self.bound) + self.bound) / (2 * self.bound) * (len(self.bins) - 1)
        below = position.floor().long().clamp(0, len(self.bins) - 2)  # a NaN falls into bin 0; its share remains NaN
        return below, position - below

    def decode(self, logits: Tensor) -> Tensor:
        """(..., num_bins) logits -> (...) expected scalars. Not a matrix product, which autocast would round."""
        return symexp((F.softmax(logits.float(), dim=-1) * self.bins).sum(-1))

    def loss(self, logits: Tensor, x: Tensor) -> Tensor:
        """Cross-entropy of logits (..., num_bins) against the two-hot code of raw scalars (...), unreduced: (...)."""
        below, share = self.neighbours(x)
        logits = logits.float()
        at = lambda index: logits.gather(-1, index.unsqueeze(-1)).squeeze(-1)
        return logits.logsumexp(-1) - torch.lerp(at(below), at(below + 1), share)
