"""Layers with separate weights per group (a cluster, an expert or a task), which run all groups in one call.

The rows of a batch are sorted by group, so that each group is a slice; weights are stacked over groups. The group of
each row is known on the host, so nothing here waits for the device.
"""
import math
from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Groups:
    """Assignment of the R rows of a batch to G groups."""
    sizes: Tuple[int, ...]  # rows in each of the G groups
    order: Optional[Tensor]  # (R,) rows sorted by group; None if they already are
    inverse: Optional[Tensor]  # (R,) position of each row after sorting
    index: Optional[Tensor]  # (R,) group of each sorted row; None if there is only one group

    @classmethod
    def of(cls, group_of_row: Sequence[int], num_groups: int, device: torch.device) -> 'Groups':
        """From the group of each row, given on the host."""
        group_of_row = np.asarray(group_of_row)
        order = np.argsort(group_of_row, kind='stable')
        index = torch.from_numpy(group_of_row[order]).to(device, non_blocking=True)
        sizes = tuple(np.bincount(group_of_row, minlength=num_groups).tolist())
        if (order[1:] > order[:-1]).all():
            return cls(sizes, None, None, index)
        to_device = lambda x: torch.from_numpy(x).to(device, non_blocking=True)
        return cls(sizes, to_device(order), to_device(np.argsort(order)), index)

    def sort(self, x: Tensor) -> Tensor:
        """Rows of x (R, ...) sorted by group."""
        return x if self.order is None else x[self.order]

    def unsort(self, x: Tensor) -> Tensor:
        """Inverse of :meth:`sort`."""
        return x if self.inverse is None else x[self.inverse]


# For modules with one group: it has every row, so no sizes are needed.
ONE_GROUP = Groups((), None, None, None)


class GroupedLinear(nn.Module):
    """One linear layer per group: the rows of group g are multiplied by weight[g]."""

    def __init__(self, groups: int, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        bound = 1 / math.sqrt(in_features)  # as torch.nn.Linear
        self.weight = nn.Parameter(torch.empty(groups, out_features, in_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(groups, out_features).uniform_(-bound, bound)) if bias else None

    def forward(self, x: Tensor, groups: Groups) -> Tensor:
        """x (R, ..., in), rows sorted by group -> (R, ..., out)."""
        sizes, num_groups = groups.sizes, len(self.weight)
        weights, biases = self.weight.unbind(), [None] * num_groups if self.bias is None else self.bias.unbind()
        if num_groups == 1:
            return F.linear(x, weights[0], biases[0])
        if len(set(sizes)) == 1:
            rows = x.reshape(num_groups, -1, x.shape[-1])
            out = torch.bmm(rows, self.weight.transpose(1, 2)) if self.bias is None else \
                torch.baddbmm(self.bias.unsqueeze(1), rows, self.weight.transpose(1, 2))
            return out.view(*x.shape[:-1], -1)
        parts = [F.linear(part, weights[g], biases[g]) for g, part in enumerate(x.split(sizes)) if len(part)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)


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
        scale, shift = self.weight[groups.index].view(shape), self.bias[groups.index].view(shape)
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
