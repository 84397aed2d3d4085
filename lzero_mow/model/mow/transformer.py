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
    """Keys and values of the past steps, allocated once for `max_length` steps, when the first are appended."""

    def __init__(self, num_layers: int, max_length: int) -> None:
        self.num_layers, self.max_length, self.length = num_layers, max_length, 0
        self.keys: Optional[Tensor] = None  # (layers, R, heads, max_length, head_width)
        self.values: Optional[Tensor] = None

    def append(self, layer: int, key: Tensor, value: Tensor) -> Tuple[Tensor, Tensor]:
        """Store a layer's keys and values (R, heads, L, head_width); returns all of them so far."""
        if self.keys is None:
            rows, heads, _, head_width = key.shape
            self.keys = key.new_empty(self.num_layers, rows, heads, self.max_length, head_width)
            self.values = torch.empty_like(self.keys)
        end = self.length + key.shape[2]
        self.keys[layer, :, :, self.length:end] = key
        self.values[layer, :, :, self.length:end] = value
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


class CausalAttention(nn.Module):
    """Multi-head causal self-attention without biases, residual and LayerNorm included."""

    def __init__(self, groups: int, width: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.query_key_value = GroupedLinear(groups, width, 3 * width, bias=False)
        self.out = GroupedLinear(groups, width, width, bias=False)
        self.norm = GroupedLayerNorm(groups, width, eps=1e-6)

    def forward(self, x: Tensor, groups: Groups, layer: int, cache: Optional[KVCache]) -> Tensor:
        rows, length, width = x.shape
        heads = self.query_key_value(x, groups).view(rows, length, 3, self.num_heads, -1)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each (R, heads, L, head_width)
        past = 0 if cache is None else cache.length
        if cache is not None:
            key, value = cache.append(layer, key, value)
        # A single new step may attend to all; the first block is causal; later blocks need a shifted mask.
        shifted = past and length > 1
        mask = torch.ones(length, past + length, dtype=torch.bool, device=x.device).tril(past) if shifted else None
        attended = F.scaled_dot_product_attention(
            query, key, value, mask, self.dropout if self.training else 0.0, is_causal=past == 0 and length > 1
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
        """A cache for sequences of at most `max_length` steps."""
        return KVCache(len(self.attention), max_length)

    def forward(self, x: Tensor, groups: Groups, cache: Optional[KVCache] = None) -> Tensor:
        """
        x (R, L, in_features), rows sorted by group -> h (R, L, width). With a cache, x continues the cached steps and
        is added to them. ValueError if a sequence grows beyond `max_length`.
        """
        start = 0 if cache is None else cache.length
        end = start + x.shape[1]
        if end > self.max_length:
            raise ValueError(f'sequence of {end} steps, but model.max_length is {self.max_length}')
        position = self.position[:, start:end]
        x = self.mixer(x, groups) + (position if len(position) == 1 else position[groups.index])
        x = self.norm(x, groups)
        for layer, (attention, feed_forward) in enumerate(zip(self.attention, self.feed_forward)):
            x = feed_forward(attention(x, groups, layer, cache), groups)
        if cache is not None:
            cache.length = end
        return x
