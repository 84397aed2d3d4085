"""How evenly the experts are used."""
import math
from typing import Dict, Sequence

import torch
from torch import Tensor


def evenness(shares: Tensor) -> Tensor:
    """Entropy of distributions (..., N) divided by log N: 1 if uniform, 0 if one has everything."""
    if shares.shape[-1] == 1:
        return torch.ones_like(shares[..., 0])
    return torch.special.entr(shares).sum(-1) / math.log(shares.shape[-1])


def expert_use(chosen: Sequence[Sequence[int]], scores: Tensor) -> Dict[str, float]:
    """
    Evenness of the experts' shares of all choices, and mean evenness of a router's scores: from the experts chosen by
    each task (or token), and probabilities (K, N_e).
    """
    choices = torch.bincount(torch.as_tensor(chosen).flatten(), minlength=scores.shape[-1])
    return {
        'entropy': float(evenness(choices / choices.sum())),
        'score_entropy': float(evenness(scores.detach()).mean()),
    }
