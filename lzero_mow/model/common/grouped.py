"""Layers with separate weights per group (a cluster, an expert or a task), which run all groups in one call.

The rows of a batch are sorted by group, so that each group is a slice; weights are stacked over groups.
"""
import math
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .groups import Groups
from .kept_cast import KeptCast, product_dtype

MULTIPLE = 8  # of the widths that the grouped product of a GPU takes


def has_grouped_product(device: torch.device) -> bool:
    """
    Whether a device multiplies all groups at once in bfloat16, and reads their ends itself: torch 2.10 on cards of
    compute capability 9 and 10 (Hopper, Blackwell's large ones); on others torch loops over them and waits each time.
    """
    if device.type != 'cuda' or not hasattr(F, 'grouped_mm'):
        return False
    return torch.cuda.get_device_capability(device)[0] in (9, 10)


def takes_offsets(x: Tensor, dtype: torch.dtype) -> bool:
    """Whether groups of x are multiplied at once; the host need not know their sizes then."""
    return dtype == torch.bfloat16 and has_grouped_product(x.device)


class GroupedLinear(nn.Module):
    """One linear layer per group: the rows of group g are multiplied by weight[g]."""

    def __init__(self, groups: int, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        bound = 1 / math.sqrt(in_features)  # as torch.nn.Linear
        self.weight = nn.Parameter(torch.empty(groups, out_features, in_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(groups, out_features).uniform_(-bound, bound)) if bias else None
        self._cast_weight, self._cast_bias = KeptCast(), KeptCast()

    def forward(self, x: Tensor, groups: Groups) -> Tensor:
        """x (R, ..., in), rows sorted by group -> (R, ..., out)."""
        dtype, num_groups = product_dtype(x), len(self.weight)
        bias = None if self.bias is None else self._cast_bias(self.bias, dtype)
        if num_groups > 1 and takes_offsets(x, dtype):
            return self._by_offsets(x.to(dtype), groups, bias)
        weight = self._cast_weight(self.weight, dtype)
        if num_groups == 1:
            return F.linear(x, weight[0], None if bias is None else bias[0])
        sizes = groups.sizes
        if len(set(sizes)) == 1:
            rows = x.reshape(num_groups, -1, x.shape[-1])
            out = torch.bmm(rows, weight.transpose(1, 2)) if bias is None else \
                torch.baddbmm(bias.unsqueeze(1), rows, weight.transpose(1, 2))
            return out.view(*x.shape[:-1], -1)
        weights, biases = weight.unbind(), [None] * num_groups if bias is None else bias.unbind()
        parts = [F.linear(part, weights[g], biases[g]) for g, part in enumerate(x.split(sizes)) if len(part)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _by_offsets(self, x: Tensor, groups: Groups, bias: Optional[Tensor]) -> Tensor:
        """All groups in one product, of which only the device needs to know where they end."""
        missing = [-width % MULTIPLE for width in self.weight.shape[:0:-1]]  # of in and out
        weight = self._cast_weight(self.weight, x.dtype, (0, missing[0], 0, missing[1]))
        rows = F.pad(x, (0, missing[0])) if missing[0] else x
        rows = rows.reshape(-1, rows.shape[-1])
        steps = len(rows) // len(x)
        ends = groups.ends if steps == 1 else groups.ends * steps
        out = F.grouped_mm(rows, weight.transpose(1, 2), offs=ends)[:, :self.weight.shape[1]]
        out = out.unflatten(0, x.shape[:-1])
        return out if bias is None else out + bias.index_select(0, groups.index).view(
            len(x), *[1] * (x.dim() - 2), -1
        )


class GroupedLayerNorm(nn.Module):
    """Layer normalisation over the last axis, with a scale and a shift per group."""

    def __init__(self, groups: int, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(groups, width))
        self.bias = nn.Parameter(torch.zeros(groups, width))
        self.eps = eps

    def forward(self, x: Tensor, groups: Groups) -> Tensor:
        """x (R, ..., width), rows sorted by group -> the same shape."""
        if len(self.weight) == 1:
            return F.layer_norm(x, x.shape[-1:], self.weight[0], self.bias[0], self.eps)
        shape = (len(x), *[1] * (x.dim() - 2), x.shape[-1])
        scale, shift = (x.index_select(0, groups.index).view(shape) for x in (self.weight, self.bias))
        return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=self.eps), scale)


class GroupedActivation(nn.Module):
    """An activation of rows sorted by group, called with the groups so that a hook can tell them apart."""

    def forward(self, x: Tensor, groups: Groups) -> Tensor:
        return super().forward(x)


class GroupedReLU(GroupedActivation, nn.ReLU):
    """ReLU, called with the groups."""


class GroupedGELU(GroupedActivation, nn.GELU):
    """GELU, called with the groups."""


class GroupedSiLU(GroupedActivation, nn.SiLU):
    """SiLU, called with the groups."""


class GroupedMLP(nn.Module):
    """
    One multi-layer perceptron per group: `layers` times (linear without bias, LayerNorm, ReLU), then a linear layer.
    STORM's reward, continuation, actor and critic networks all have this form.
    """

    def __init__(self, groups: int, in_features: int, width: int, out_features: int, layers: int = 2) -> None:
        super().__init__()
        widths = [in_features] + [width] * layers
        self.hidden = nn.ModuleList(GroupedLinear(groups, i, o, bias=False) for i, o in zip(widths, widths[1:]))
        self.norms = nn.ModuleList(GroupedLayerNorm(groups, width) for _ in range(layers))
        self.activations = nn.ModuleList(GroupedReLU() for _ in range(layers))
        self.out = GroupedLinear(groups, widths[-1], out_features)

    def forward(self, x: Tensor, groups: Groups) -> Tensor:
        """x (R, ..., in) -> (R, ..., out), both in the order of the batch."""
        x = groups.sort(x)
        for linear, norm, activation in zip(self.hidden, self.norms, self.activations):
            x = activation(norm(linear(x, groups), groups), groups)
        return groups.unsort(self.out(x, groups))
