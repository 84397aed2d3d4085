"""Feed-forward layers of the backbone: a sparse mixture of experts, or an MLP (ScaleZero section 4)."""
from contextlib import contextmanager
from typing import Iterator, List, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lzero_mow.model.common.grouped import GroupedSiLU, has_grouped_product
from lzero_mow.model.common.groups import Groups
from .staged_linear import StagedLinear, Staging


class DenseFeedForward(nn.Module):
    """Linear, GELU, linear, dropout: dense multi-task UniZero."""

    def __init__(self, width: int, hidden: int, dropout: float, staging: Staging) -> None:
        super().__init__()
        self.expand = StagedLinear(width, hidden, True, *staging)
        self.activation = nn.GELU(approximate='tanh')
        self.contract = StagedLinear(hidden, width, True, *staging)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.contract(self.activation(self.expand(x))))


class Experts(nn.Module):
    """The routed experts, each a SwiGLU: W_2 (SiLU(W_1 x) * W_3 x), without biases."""

    def __init__(self, num_experts: int, width: int, hidden: int, staging: Staging) -> None:
        super().__init__()
        self.gate = StagedLinear(width, hidden, False, *staging, groups=num_experts)  # W_1
        self.expand = StagedLinear(width, hidden, False, *staging, groups=num_experts)  # W_3
        self.activation = GroupedSiLU()
        self.contract = StagedLinear(hidden, width, False, *staging, groups=num_experts)  # W_2

    def forward(self, x: Tensor, groups: Groups) -> Tensor:
        """x (P, D), rows sorted by expert -> (P, D)."""
        return self.contract(self.activation(self.gate(x, groups), groups) * self.expand(x, groups), groups)


class MoEFeedForward(nn.Module):
    """
    shared(x) + sum_i w_i(x) expert_i(x) over the k experts with the highest router scores, token by token, without
    noise or capacity limit. The shared expert is `num_shared` experts wide; 0 for none. With router_norm 'all', w is
    the softmax over all experts, so that the router also learns if k = 1. With 'topk' it is that over the k chosen
    ones, as in LightZero: if k = 1, w is 1 without gradient (docs/upstream.md, 1).
    """

    every_expert = False  # whether each token goes through all experts, see `searching`

    def __init__(
            self, width: int, hidden: int, num_experts: int, experts_per_token: int, num_shared: int, router_norm: str,
            staging: Staging
    ) -> None:
        super().__init__()
        if router_norm not in ('all', 'topk'):
            raise ValueError(f"model.router_norm is '{router_norm}', choose 'all' or 'topk'")
        if not 1 <= experts_per_token <= num_experts:
            raise ValueError(f'model.experts_per_token must be 1 to num_experts {num_experts}, got {experts_per_token}')
        self.experts_per_token, self.router_norm = experts_per_token, router_norm
        self.router = nn.Linear(width, num_experts, bias=False)
        self.experts = Experts(num_experts, width, hidden, staging)
        wide = num_shared * hidden
        self.shared = nn.Sequential(nn.Linear(width, wide), nn.GELU(), nn.Linear(wide, width)) if num_shared else None
        self.register_buffer('expert_ids', torch.arange(num_experts), persistent=False)
        # (E,) share of the (token, choice) pairs that each expert got in the last forward pass.
        self.register_buffer('share', torch.zeros(num_experts), persistent=False)

    def route(self, rows: Tensor) -> Tuple[Tensor, Tensor]:
        """Tokens (N, D) -> weights and ids of the chosen experts, (N, k) each."""
        with torch.autocast(rows.device.type, enabled=False):  # in bfloat16 other experts would be chosen
            logits = self.router(rows.float())  # (N, E)
        if self.router_norm == 'all':
            return F.softmax(logits, dim=-1).topk(self.experts_per_token)
        chosen, experts = logits.topk(self.experts_per_token)
        return F.softmax(chosen, dim=-1), experts

    def forward(self, x: Tensor) -> Tensor:
        """x (..., D) -> the same shape."""
        rows = x.reshape(-1, x.shape[-1])  # (N, D)
        weights, experts = self.route(rows)
        shared = torch.zeros_like(rows) if self.shared is None else self.shared(rows)
        if self.every_expert:
            return (shared + self._by_all(rows, weights, experts).to(shared.dtype)).view_as(x)
        expert_of_pair, order = experts.flatten().sort(stable=True)  # (N k,) (token, choice) pairs by expert
        tokens_of_expert = (expert_of_pair.unsqueeze(1) == self.expert_ids).sum(0)  # (E,)
        self.share = tokens_of_expert / len(order)
        groups = Groups(None, None, expert_of_pair, tokens_of_expert)
        token_of_pair = order // self.experts_per_token
        out = self.experts(rows.index_select(0, token_of_pair), groups) * weights.flatten()[order].unsqueeze(-1)
        return shared.index_add(0, token_of_pair, out.to(shared.dtype)).view_as(x)

    def _by_all(self, rows: Tensor, weights: Tensor, experts: Tensor) -> Tensor:
        """The weighted sum of the chosen experts' outputs (N, D), from those of all experts."""
        N, E = len(rows), len(self.expert_ids)
        self.share = (experts.unsqueeze(-1) == self.expert_ids).sum((0, 1)) / experts.numel()
        groups = Groups(None, None, self.expert_ids.repeat_interleave(N), None, (N, ) * E)
        out = self.experts(rows.repeat(E, 1), groups).view(E, N, -1)
        weight = weights.new_zeros(N, E).scatter(1, experts, weights)
        return (out * weight.t().unsqueeze(-1)).sum(0)


def expert_layers(model: nn.Module) -> List[MoEFeedForward]:
    """The layers of a model that have experts, in order; none in the dense variant."""
    return [layer for layer in model.modules() if isinstance(layer, MoEFeedForward)]


@contextmanager
def searching(model: nn.Module) -> Iterator[None]:
    """
    On a GPU without a grouped product, the host must know how many tokens each expert has, and waits for it in every
    layer. For the few tokens of a search it is faster that all experts take all of them.
    """
    device = next(model.parameters()).device
    waits = device.type == 'cuda' and not (has_grouped_product(device) and torch.is_autocast_enabled('cuda'))
    layers = expert_layers(model) if waits else []
    for layer in layers:
        layer.every_expert = True
    try:
        yield
    finally:
        for layer in layers:
            layer.every_expert = False
