"""Normalisation of latents, both the encoder's output and the predicted next latent."""
import torch.nn.functional as F
from torch import Tensor, nn

from lzero_mow.model.common.grouped import GroupedLayerNorm
from lzero_mow.model.common.groups import ONE_GROUP, Groups

SIM_GROUP = 8  # dimension of a simplex of SimNorm


class SimNorm(nn.Module):
    """Softmax over each block of eight on the last axis (Lavoie et al., 2022); without weights per group."""

    def forward(self, x: Tensor, groups: Groups = ONE_GROUP) -> Tensor:
        """x (..., width) -> the same shape."""
        return F.softmax(x.unflatten(-1, (-1, SIM_GROUP)), dim=-1).flatten(-2)


def latent_norm(kind: str, groups: int, width: int) -> nn.Module:
    """'layer' (LayerNorm with a scale and a shift per group) or 'sim' (SimNorm), called as (x, groups)."""
    if kind == 'layer':
        return GroupedLayerNorm(groups, width)
    if kind != 'sim':
        raise ValueError(f"model.latent_norm is '{kind}', choose 'layer' or 'sim'")
    if width % SIM_GROUP:
        raise ValueError(f"model.embed_dim is {width}; model.latent_norm 'sim' needs a multiple of {SIM_GROUP}")
    return SimNorm()
