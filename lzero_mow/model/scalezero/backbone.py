"""The sequence model: a pre-norm causal transformer over the tokens o_0 a_0 o_1 a_1 ... (UniZero section 3)."""
from typing import Callable, Optional, Tuple

import torch
import torch.nn.functional as F
from easydict import EasyDict
from torch import Tensor, nn

from .staged_linear import StagedLinear, Staging


class CausalAttention(nn.Module):
    """Multi-head causal self-attention with biases. A cache is (2, R, heads, T_max, head_width): keys, then values."""

    def __init__(self, width: int, num_heads: int, dropout: float, staging: Staging) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.query, self.key, self.value, self.out = (StagedLinear(width, width, True, *staging) for _ in range(4))

    def forward(self, x: Tensor, cache: Optional[Tensor]) -> Tensor:
        """x (R, T, D) -> (R, T, D); a cache is filled from the start."""
        query, key, value = self._project(x)
        if cache is not None:
            cache[0, :, :, :x.shape[1]] = key
            cache[1, :, :, :x.shape[1]] = value
        dropout = self.dropout if self.training else 0.0
        return self._merge(F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=True))

    def step(self, x: Tensor, cache: Tensor, rows: Tensor, length: Tensor, visible: Tensor) -> Tensor:
        """One token per row, x (R, 1, D) -> (R, 1, D), written at position `length` (R,) of the cache."""
        query, key, value = self._project(x)
        cache[0][rows, :, length] = key.squeeze(2).to(cache.dtype)
        cache[1][rows, :, length] = value.squeeze(2).to(cache.dtype)
        keys, values = cache.to(query.dtype)
        return self._merge(F.scaled_dot_product_attention(query, keys, values, visible))

    def _project(self, x: Tensor) -> Tuple[Tensor, ...]:
        """Queries, keys and values, (R, heads, T, head_width) each."""
        return tuple(
            layer(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )

    def _merge(self, attended: Tensor) -> Tensor:
        return F.dropout(self.out(attended.transpose(1, 2).flatten(2)), self.dropout, self.training)


class Block(nn.Module):
    """x + Attention(LN(x)), then x + FFN(LN(x))."""

    def __init__(self, width: int, num_heads: int, dropout: float, staging: Staging, feed_forward: nn.Module) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = CausalAttention(width, num_heads, dropout, staging)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = feed_forward

    def forward(self, x: Tensor, cache: Optional[Tensor]) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cache)
        return x + self.feed_forward(self.feed_forward_norm(x))

    def step(self, x: Tensor, *cache: Tensor) -> Tensor:
        x = x + self.attention.step(self.attention_norm(x), *cache)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Backbone(nn.Module):
    """Causal transformer with learned positions; `staging` is for its attention, and `feed_forward` makes a layer's."""

    def __init__(self, cfg: EasyDict, staging: Staging, feed_forward: Callable[[], nn.Module]) -> None:
        super().__init__()
        width, num_heads, max_tokens = cfg.embed_dim, cfg.num_heads, 2 * cfg.max_steps
        if width % num_heads:
            raise ValueError(f'model.embed_dim must be a multiple of model.num_heads, got {width} and {num_heads}')
        self.max_tokens, self.num_heads, self.dropout = max_tokens, num_heads, cfg.dropout
        self.position = nn.Embedding(max_tokens, width)
        self.blocks = nn.ModuleList(
            Block(width, num_heads, cfg.dropout, staging, feed_forward()) for _ in range(cfg.num_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.register_buffer('positions', torch.arange(max_tokens), persistent=False)

    def new_cache(self, rows: int) -> Tensor:
        """An empty cache for `rows` sequences: zeros (layers, 2, R, heads, max_tokens, head_width)."""
        table = self.position.weight
        return table.new_zeros(
            len(self.blocks), 2, rows, self.num_heads, self.max_tokens, table.shape[1] // self.num_heads
        )

    def forward(self, tokens: Tensor, cache: Optional[Tensor] = None) -> Tensor:
        """(B, T, D) -> (B, T, D), at most `max_tokens` tokens; their keys and values are written to a cache's start."""
        length = tokens.shape[1]
        if length > self.max_tokens:
            raise ValueError(f'sequence of {length} tokens, but model.max_steps allows {self.max_tokens}')
        x = F.dropout(tokens + self.position.weight[:length], self.dropout, self.training)
        for layer, block in enumerate(self.blocks):
            x = block(x, None if cache is None else cache[layer])
        return self.norm(x)

    def step(self, x: Tensor, cache: Tensor, length: Tensor) -> Tensor:
        """
        One more token per row, (R, 1, D) -> (R, 1, D). The cache (layers, 2, R, heads, max_tokens, head_width) is
        extended in place; `length` (R,) tells how many tokens of each row it has, below `max_tokens`. For searches: in
        eval mode, without gradient.
        """
        x = x + self.position(length).unsqueeze(1)
        rows = torch.arange(len(x), device=x.device)
        visible = (self.positions <= length.unsqueeze(1))[:, None, None]  # (R, 1, 1, max_tokens)
        for layer, block in enumerate(self.blocks):
            x = block.step(x, cache[layer], rows, length, visible)
        return self.norm(x)
