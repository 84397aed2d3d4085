"""
``upstream_compat``: where LightZero's ScaleZero computes something else than ours does by default (see
docs/upstream.md), so that a difference between the two can be traced.
"""
from math import cos, pi
from typing import Callable, Dict, Mapping, Union

import torch
from easydict import EasyDict
from torch import Tensor

from lzero_mow.buffer.search_batch import SearchBatch
from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel

FIXED_ENTROPY_WEIGHT = 1e-4
# The largest norm of a latent that is not clipped: at first, in the end, and the updates from one to the other.
CLIP_START, CLIP_END, CLIP_UPDATES = 30.0, 10.0, 100000


def upstream_config(cfg: EasyDict) -> EasyDict:
    """
    The configuration as upstream reads it: the weights of a token's experts add up to 1. With one expert that is a
    constant, so the router never learns.
    """
    return EasyDict(cfg, model=EasyDict(cfg.model, router_norm='topk'))


def doubled_weights(weights: Mapping[str, float], entropy_weight: Tensor) -> Dict[str, Union[float, Tensor]]:
    """Upstream adds up the loss twice: once with a fixed weight of the entropy and once with the learned one."""
    doubled = {name: 2 * weight for name, weight in weights.items()}
    return dict(doubled, entropy=weights['policy'] * (FIXED_ENTROPY_WEIGHT + entropy_weight))


def encoder_clip(model: ScaleZeroModel, batch: SearchBatch, updates: int) -> Callable[[], None]:
    """
    What upstream does between gradients and step: if a latent of the last task is longer than a threshold that falls by
    a cosine, every learned tensor of the encoder is multiplied by threshold / length, positions and all norms included.
    The last of them, `latent_norm`, is what makes latents shorter.
    """
    last = batch.of_task(max(batch.task))

    @torch.no_grad()
    def clip() -> None:
        falling = 0.5 * (1 + cos(pi * min(1.0, updates / CLIP_UPDATES)))
        threshold = CLIP_END + (CLIP_START - CLIP_END) * falling
        longest = model.encode(last.obs[:, :last.visits.shape[1]].flatten(0, 1)).norm(dim=-1).max()
        factor = (threshold / longest).clamp(max=1.0)
        encoder = [*model.encoder.parameters(), *model.latent_norm.parameters()]
        torch._foreach_mul_([p for p in encoder if p.requires_grad], factor)

    return clip
