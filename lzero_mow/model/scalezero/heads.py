"""Prediction heads, separate per task as in LightZero's code."""
from typing import Optional

from torch import Tensor, nn

from lzero_mow.model.common.grouped import GroupedGELU, GroupedLayerNorm, GroupedLinear
from lzero_mow.model.common.groups import Groups


class TaskHead(nn.Module):
    """LayerNorm, linear, LayerNorm, GELU, linear, separate per task. The last layer starts at zero."""

    def __init__(self, num_tasks: int, width: int, out_features: int, out_norm: Optional[nn.Module] = None) -> None:
        super().__init__()
        self.norm = GroupedLayerNorm(num_tasks, width)
        self.hidden = GroupedLinear(num_tasks, width, width)
        self.hidden_norm = GroupedLayerNorm(num_tasks, width)
        self.activation = GroupedGELU(approximate='tanh')
        self.out = GroupedLinear(num_tasks, width, out_features)
        self.out_norm = out_norm

    def reset(self) -> None:
        """Start with an output of zero: uniform distributions, and the norm's shift as next latent."""
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, groups: Groups) -> Tensor:
        """x (R, ..., D), rows sorted by task -> (R, ..., out)."""
        x = self.hidden_norm(self.hidden(self.norm(x, groups), groups), groups)
        x = self.out(self.activation(x, groups), groups)
        return x if self.out_norm is None else self.out_norm(x, groups)
