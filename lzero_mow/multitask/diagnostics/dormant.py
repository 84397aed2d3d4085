"""Dormant units (Sokar et al., ICML 2023): units whose output is close to zero for every input."""
from typing import Dict, List, Optional, Tuple

import torch
from torch import Tensor, nn

# A unit is dormant if its mean absolute activation is at most this share of the mean over its layer's units.
TAU = 0.025
# Layers whose outputs are the units. If one is called with a second argument, its rows are sorted by group, and the
# `sizes` of that argument are the rows of each group, as in `lzero_mow.model.common.grouped.GroupedReLU`.
ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU)


class DormantUnits:
    """
    Context manager that watches the activation layers in named modules (None for those that a method lacks) while data
    flows through them. A unit is a channel of a feature map (B, C, H, W), otherwise an index of the last axis. In
    grouped layers each group has its own units, which are compared within the group. Units that no data reaches do not
    count.
    """

    def __init__(self, modules: Dict[str, Optional[nn.Module]]) -> None:
        self._layers = {
            name: [layer for layer in module.modules() if isinstance(layer, ACTIVATIONS)]
            for name, module in modules.items() if module is not None
        }
        self._sums: Dict[nn.Module, List[Tensor]] = {}  # sums of |activation|, (U,) per group
        self._rows: Dict[nn.Module, List[int]] = {}  # the number of rows in each sum
        self._hooks = []

    def __enter__(self) -> 'DormantUnits':
        layers = [layer for layers in self._layers.values() for layer in layers]
        self._hooks = [layer.register_forward_hook(self._note) for layer in layers]
        return self

    def __exit__(self, *_) -> None:
        for hook in self._hooks:
            hook.remove()

    @torch.no_grad()
    def _note(self, layer: nn.Module, inputs: tuple, output: Tensor) -> None:
        units_last = output.movedim(1, -1) if output.dim() == 4 else output
        sizes = inputs[1].sizes if len(inputs) > 1 else ()
        groups = units_last.split(sizes) if len(sizes) > 1 else (units_last, )
        groups = [group.flatten(0, -2).float() for group in groups]  # (rows, U) each
        sums, rows = [group.abs().sum(0) for group in groups], [len(group) for group in groups]
        if layer in self._sums:
            sums = [old + new for old, new in zip(self._sums[layer], sums)]
            rows = [old + new for old, new in zip(self._rows[layer], rows)]
        self._sums[layer], self._rows[layer] = sums, rows

    def ratios(self) -> Dict[str, float]:
        """The share of dormant units in each module that data has reached, and in 'all' of them together."""
        counts = {name: self._count(layers) for name, layers in self._layers.items()}
        counts['all'] = tuple(map(sum, zip(*counts.values())))
        return {name: dormant / units for name, (dormant, units) in counts.items() if units}

    def _count(self, layers: List[nn.Module]) -> Tuple[int, int]:
        """The numbers of dormant units and of all units in some layers."""
        means = [
            total / rows for layer in layers if layer in self._sums
            for total, rows in zip(self._sums[layer], self._rows[layer]) if rows
        ]
        return sum(int((mean <= TAU * mean.mean()).sum()) for mean in means), sum(map(len, means))
