"""STORM's causal transformer, stacked over groups: once for all experts, once for the shared transformer.

Post-norm layers: x = LN(x + Attention(x)); x = LN(x + FFN(x)). Positions are learned.
"""
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from easydict import EasyDict
from torch import Tensor, nn

from lzero_mow.model.common.grouped import GroupedLayerNorm, GroupedLinear, GroupedReLU
from lzero_mow.model.common.groups import Groups


class KVCache:
    """
    Keys and values of the past steps, in memory for `max_length` steps. How many there are is known on the device
    alone, so that each further step is the same work: one graph for `torch.compile`.
    """

    def __init__(self, num_layers: int, max_length: int, device: torch.device) -> None:
        self.num_layers = num_layers
        self.slots = torch.arange(max_length, device=device)
        self.length = torch.zeros((), dtype=torch.long, device=device)
        self.keys: Optional[Tensor] = None  # (layers, R, heads, max_length, head_width), when the first are appended
        self.values: Optional[Tensor] = None
        self.mask: Optional[Tensor] = None  # (max_length, max_length) 0 for what a step may attend to, else -inf

    def next_slots(self, steps: int) -> Tensor:
        """(L,) places of L new steps."""
        return self.length + self.slots[:steps]

    def append(self, layer: int, key: Tensor, value: Tensor, slots: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """
        Store a layer's keys and values (R, heads, L, head_width); returns those of all places, and the mask (L,
        max_length) of the new steps.
        """
        if self.keys is None:
            rows, heads, _, head_width = key.shape
            self.keys = key.new_zeros(self.num_layers, rows, heads, len(self.slots), head_width)
            self.values = torch.zeros_like(self.keys)
            self.mask = key.new_full((len(self.slots), len(self.slots)), float('-inf')).triu(1)
        keys, values = self.keys[layer], self.values[layer]
        keys.index_copy_(2, slots, key)
        values.index_copy_(2, slots, value)
        return keys, values, self.mask.index_select(0, slots)


class CausalAttention(nn.Module):
    """Multi-head causal self-attention without biases, residual and LayerNorm included."""

    def __init__(self, groups: int, width: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.query_key_value = GroupedLinear(groups, width, 3 * width, bias=False)
        self.out = GroupedLinear(groups, width, width, bias=False)
        self.norm = GroupedLayerNorm(groups, width, eps=1e-6)

    def forward(
            self, x: Tensor, groups: Groups, layer: int, cache: Optional[KVCache], slots: Optional[Tensor]
    ) -> Tensor:
        rows, length, width = x.shape
        heads = self.query_key_value(x, groups).view(rows, length, 3, self.num_heads, -1)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each (R, heads, L, head_width)
        mask = None
        if cache is not None:
            key, value, mask = cache.append(layer, key, value, slots)
        attended = F.scaled_dot_product_attention(
            query, key, value, mask, self.dropout if self.training else 0.0, is_causal=cache is None
        )
        attended = self.out(attended.transpose(1, 2).reshape(rows, length, width), groups)
        return self.norm(x + F.dropout(attended, self.dropout, self.training), groups)


class FeedForward(nn.Module):
    """Two linear layers of hidden width 2D around a ReLU, residual and LayerNorm included."""

    def __init__(self, groups: int, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.expand = GroupedLinear(groups, width, 2 * width)
        self.activation = GroupedReLU()
        self.contract = GroupedLinear(groups, 2 * width, width)
        self.norm = GroupedLayerNorm(groups, width, eps=1e-6)

    def forward(self, x: Tensor, groups: Groups) -> Tensor:
        out = self.contract(self.activation(self.expand(x, groups), groups), groups)
        return self.norm(x + F.dropout(out, self.dropout, self.training), groups)


class Mixer(nn.Module):
    """The mixer m: a step's inputs (latent, action, task; or expert outputs, task) to the width D."""

    def __init__(self, groups: int, in_features: int, width: int) -> None:
        super().__init__()
        self.inner = GroupedLinear(groups, in_features, width, bias=False)
        self.inner_norm = GroupedLayerNorm(groups, width)
        self.activation = GroupedReLU()
        self.outer = GroupedLinear(groups, width, width, bias=False)
        self.outer_norm = GroupedLayerNorm(groups, width)

    def forward(self, x: Tensor, groups: Groups) -> Tensor:
        x = self.activation(self.inner_norm(self.inner(x, groups), groups), groups)
        return self.outer_norm(self.outer(x, groups), groups)


class Transformer(nn.Module):
    """Mixer and causal transformer (STORM section 3.2), once per expert (MoW's f_j) or once for all tasks (MoW's F)."""

    def __init__(self, groups: int, in_features: int, cfg: EasyDict) -> None:
        super().__init__()
        self.max_length, width, layers = cfg.max_length, cfg.width, range(cfg.num_layers)
        self.mixer = Mixer(groups, in_features, width)
        self.position = nn.Parameter(torch.randn(groups, cfg.max_length, width))
        self.norm = GroupedLayerNorm(groups, width, eps=1e-6)
        self.attention = nn.ModuleList(CausalAttention(groups, width, cfg.num_heads, cfg.dropout) for _ in layers)
        self.feed_forward = nn.ModuleList(FeedForward(groups, width, cfg.dropout) for _ in layers)

    def new_cache(self, max_length: int) -> KVCache:
        """A cache for sequences of at most `max_length` steps; ValueError if the transformer has not so many."""
        self._check(max_length)
        return KVCache(len(self.attention), max_length, self.position.device)

    def _check(self, steps: int) -> None:
        if steps > self.max_length:
            raise ValueError(f'sequence of {steps} steps, but model.max_length is {self.max_length}')

    def forward(self, x: Tensor, groups: Groups, cache: Optional[KVCache] = None) -> Tensor:
        """
        x (R, L, in_features), rows sorted by group -> h (R, L, width). With a cache, x continues the cached steps and
        is added to them: no more steps than it was made for, IndexError beyond them (on a GPU a failed assertion, as
        their number is known there alone). ValueError if a sequence is longer than `max_length`.
        """
        steps, slots = x.shape[1], None
        if cache is None:
            self._check(steps)
            position = self.position[:, :steps]
        else:
            slots = cache.next_slots(steps)
            position = self.position.index_select(1, slots)
        x = self.mixer(x, groups) + (position if len(position) == 1 else position.index_select(0, groups.index))
        x = self.norm(x, groups)
        for layer, (attention, feed_forward) in enumerate(zip(self.attention, self.feed_forward)):
            x = feed_forward(attention(x, groups, layer, cache, slots), groups)
        if cache is not None:
            cache.length += steps
        return x
