"""Linear layers whose weight grows in stages: ScaleZero's dynamic parameter scaling (section 4)."""
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lzero_mow.model.common.grouped import GroupedLinear
from lzero_mow.model.common.groups import ONE_GROUP, Groups

SCALE_RANGE = 0.2
DOWN_STD = 0.01


class Staging(NamedTuple):
    """The adapters of a staged layer: a low-rank one for each stage after the first, none if the rank is 0."""
    rank: int = 0
    alpha: float = 1.0
    dropout: float = 0.0
    stages: int = 1


class Adapter(nn.Module):
    """A stage's low-rank addition B A to a weight, per group; zero at first, because B = 0."""

    def __init__(self, groups: int, in_features: int, rank: int, out_features: int) -> None:
        super().__init__()
        self.down = GroupedLinear(groups, in_features, rank, bias=False)  # A
        self.up = GroupedLinear(groups, rank, out_features, bias=False)  # B
        self.reset()

    def reset(self) -> None:
        """A ~ N(0, 0.01^2), B = 0."""
        nn.init.normal_(self.down.weight, std=DOWN_STD)
        nn.init.zeros_(self.up.weight)


class StagedLinear(GroupedLinear):
    """
    y = a_0 W_0 x + b + sum_{1 <= j <= s} a_j (alpha / rank) B_j A_j dropout(x) in stage s, with learnable scales
    a_j = 1 + 0.2 tanh(logit_j) that start at 1. Stage 0 is the plain layer: its a_0 is still 1. Without adapters (rank
    0 or a single stage, see :class:`Staging`) there are no scales. Each group (expert) has weights, adapters and scales
    of its own. `multitask/dps/freeze.py` decides which parameters train.
    """

    def __init__(
            self, in_features: int, out_features: int, bias: bool = True, rank: int = 0, alpha: float = 1.0,
            dropout: float = 0.0, stages: int = 1, groups: int = 1
    ) -> None:
        super().__init__(groups, in_features, out_features, bias)
        self.dropout, self.current = dropout, 0
        self.adapters = nn.ModuleList(
            Adapter(groups, in_features, rank, out_features) for _ in range(stages - 1 if rank else 0)
        )
        if self.adapters:
            self.scaling = alpha / rank
            self.scales = nn.ParameterList(torch.zeros(groups) for _ in range(stages))  # logits of a_0 ... a_S
            self.register_buffer('stage', torch.zeros((), dtype=torch.long))
            self.register_load_state_dict_post_hook(lambda layer, _: layer.set_stage(int(layer.stage)))

    def set_stage(self, stage: int) -> None:
        """Use adapters 1 to `stage`. The stage is also kept on the host, so that no step waits for the device."""
        if not 0 <= stage <= len(self.adapters):
            raise ValueError(f'stage {stage} of a layer that has stages 0 to {len(self.adapters)}')
        self.current = stage
        if self.adapters:
            self.stage.fill_(stage)

    def scale(self, stage: int, x: Tensor, groups: Groups) -> Tensor:
        """a_j for each row of x (R, ..., W), broadcastable to x."""
        scale = 1 + SCALE_RANGE * torch.tanh(self.scales[stage])  # (G,)
        return scale if len(scale) == 1 else scale[groups.index].view(-1, *[1] * (x.dim() - 1))

    @torch.no_grad()
    def fold(self) -> None:
        """
        Replace the weight with W = a_0 W_0 + sum_j a_j (alpha / rank) B_j A_j and return to stage 0: except for dropout
        the same layer, but as fast as a plain one. Cannot be undone.
        """
        scale = [1 + SCALE_RANGE * torch.tanh(logit).view(-1, 1, 1) for logit in self.scales]
        whole = scale[0] * self.weight if self.current else self.weight.clone()  # (G, out, in)
        for stage, adapter in zip(range(1, self.current + 1), self.adapters):
            whole += self.scaling * scale[stage] * (adapter.up.weight @ adapter.down.weight)
        self.weight.copy_(whole)
        self.set_stage(0)

    def forward(self, x: Tensor, groups: Groups = ONE_GROUP) -> Tensor:
        """x (R, ..., in), rows sorted by group -> (R, ..., out)."""
        if self.current == 0:
            return super().forward(x, groups)
        # Scaling x instead of W_0 avoids a product of W_0's size in the gradient of a_0.
        out = super().forward(x * self.scale(0, x, groups), groups)
        dropped = F.dropout(x, self.dropout, self.training)
        for stage, adapter in zip(range(1, self.current + 1), self.adapters):
            low = adapter.down(dropped, groups)  # (R, ..., rank)
            out = out + adapter.up(low * (self.scaling * self.scale(stage, low, groups)), groups)
        return out
