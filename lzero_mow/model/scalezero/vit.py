"""Vision transformer: ScaleZero's encoder."""
from typing import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .staged_linear import StagedLinear, Staging


class ViTBlock(nn.Module):
    """x + Attention(LN(x)), then x + MLP(LN(x)); the heads' total width may differ from that of the tokens."""

    def __init__(
            self, width: int, num_heads: int, head_width: int, mlp_width: int, dropout: float, staging: Staging
    ) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = StagedLinear(width, 3 * num_heads * head_width, False, *staging)
        self.attention_out = StagedLinear(num_heads * head_width, width, True, *staging)
        self.mlp_norm = nn.LayerNorm(width)
        self.expand = StagedLinear(width, mlp_width, True, *staging)
        self.activation = nn.GELU()
        self.contract = StagedLinear(mlp_width, width, True, *staging)

    def forward(self, x: Tensor) -> Tensor:
        """x (N, T, width) -> the same shape."""
        x = x + self._drop(self.attention_out(self._attend(self.attention_norm(x))))
        hidden = self._drop(self.activation(self.expand(self.mlp_norm(x))))
        return x + self._drop(self.contract(hidden))

    def _attend(self, x: Tensor) -> Tensor:
        """(N, T, width) -> (N, T, heads * head_width)."""
        heads = self.query_key_value(x).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each (N, heads, T, head_width)
        dropout = self.dropout if self.training else 0.0
        return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout).transpose(1, 2).flatten(2)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


class ViT(nn.Module):
    """
    A pre-norm transformer over patches and a class token, whose output is the latent. Dropout is that of the tokens,
    the attention weights and both sublayers. With `recompute` the blocks' activations are not kept for the gradients
    but computed again. ValueError if the patches do not tile the frame.
    """

    def __init__(
            self, observation_shape: Sequence[int], patch_size: int, width: int, num_layers: int, num_heads: int,
            head_width: int, mlp_width: int, dropout: float, out_features: int, staging: Staging,
            recompute: bool = False
    ) -> None:
        super().__init__()
        channels, height, frame_width = observation_shape
        if height % patch_size or frame_width % patch_size:
            raise ValueError(f'patches of {patch_size} pixels (model.patch_size) do not tile {height} x {frame_width}')
        self.patch_size, self.dropout, self.recompute = patch_size, dropout, recompute
        num_patches, patch_dim = height * frame_width // patch_size ** 2, channels * patch_size ** 2
        self.patch_norm = nn.LayerNorm(patch_dim)
        self.patch = nn.Linear(patch_dim, width)
        self.token_norm = nn.LayerNorm(width)
        self.class_token = nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, num_patches + 1, width))
        self.blocks = nn.ModuleList(
            ViTBlock(width, num_heads, head_width, mlp_width, dropout, staging) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, out_features)

    def patches(self, obs: Tensor) -> Tensor:
        """Frames (N, C, H, W) -> (N, patches, patch_size * patch_size * C), row by row, channels innermost."""
        size = self.patch_size
        tiles = obs.unflatten(3, (-1, size)).unflatten(2, (-1, size))  # (N, C, rows, size, columns, size)
        return tiles.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)

    def forward(self, obs: Tensor) -> Tensor:
        """Frames (N, C, H, W) uint8 -> (N, D)."""
        tokens = self.token_norm(self.patch(self.patch_norm(self.patches(obs).float() / 255)))
        tokens = torch.cat([self.class_token.expand(len(obs), -1, -1), tokens], 1)
        x = F.dropout(tokens + self.position, self.dropout, self.training)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.recompute and torch.is_grad_enabled() else block(x)
        return self.out(self.norm(x[:, 0]))
