"""Two-hot regression: scalars as distributions over fixed bins (STORM appendix; Hafner et al., 2023)."""
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
    """
    Overview:
        Scalars as distributions over 255 bins, evenly spaced in symlog space; targets outside are clamped.
    Arguments:
        - decoding (:obj:`str`): What a distribution stands for. 'symlog', STORM's code: symexp of the mean of the bins
          in symlog space, from -20 to 20. A reward of 100 that comes with probability 0.04 is read as 0.2. 'mean',
          DreamerV3: the mean of the bins' values, 4 in the same case, between whose neighbours targets are shared out.
          They reach from symexp(-10) = -22,025 to symexp(10), beyond which returns are clamped: the last bins must not
          outweigh all others where they have a little probability left, so a head should begin at zero as well.
    """
    NUM_BINS, BOUNDS = 255, {'symlog': 20.0, 'mean': 10.0}

    def __init__(self, decoding: str = 'symlog') -> None:
        super().__init__()
        self.decoding, self.bound = decoding, self.BOUNDS[decoding]
        bins = torch.linspace(-self.bound, self.bound, self.NUM_BINS)  # in symlog space
        # Where a distribution is averaged, and between whose neighbours a target is shared out.
        self.register_buffer('bins', symexp(bins) if decoding == 'mean' else bins, persistent=False)

    def start_at_zero(self, head: nn.Module) -> None:
        """Make a head's last layer, ``head.out``, predict the same for every bin, if the decoding asks for it."""
        if self.decoding == 'mean':
            nn.init.zeros_(head.out.weight)
            nn.init.zeros_(head.out.bias)

    def neighbours(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        """The two-hot code of raw scalars (...): index (...) of the lower bin, and share (...) of the bin above it."""
        in_symlog = symlog(x).clamp(-self.bound, self.bound)
        position = (in_symlog + self.bound) / (2 * self.bound) * (len(self.bins) - 1)
        below = position.floor().long().clamp(0, len(self.bins) - 2)  # a NaN falls into bin 0; its share remains NaN
        if self.decoding == 'symlog':
            return below, position - below
        low, high = self.bins[below], self.bins[below + 1]
        return below, ((x - low) / (high - low)).clamp(0, 1)

    def decode(self, logits: Tensor) -> Tensor:
        """(..., bins) logits -> (...) expected scalars. Not a matrix product, which autocast would round."""
        probs, n = F.softmax(logits.float(), dim=-1), len(self.bins) // 2
        if self.decoding == 'symlog':
            return symexp((probs * self.bins).sum(-1))
        # A bin and its opposite together, so that the large ones cancel exactly where nothing is known yet.
        return ((probs[..., n + 1:] - probs[..., :n].flip(-1)) * self.bins[n + 1:]).sum(-1)

    def chance_of_reward(self, logits: Tensor) -> Tensor:
        """(..., bins) logits -> (...) probability of anything but the bin of 0."""
        return 1 - F.softmax(logits.float(), dim=-1)[..., len(self.bins) // 2]

    def loss(self, logits: Tensor, x: Tensor) -> Tensor:
        """Cross-entropy of logits (..., bins) against the two-hot code of raw scalars (...), unreduced: (...)."""
        below, share = self.neighbours(x)
        logits = logits.float()
        at = lambda index: logits.gather(-1, index.unsqueeze(-1)).squeeze(-1)
        return logits.logsumexp(-1) - torch.lerp(at(below), at(below + 1), share)
