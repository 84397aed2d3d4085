"""Residual network: UniZero's encoder."""
from typing import Sequence

from torch import Tensor, nn

FINAL_SIZE = 8  # height and width of the last feature map


class ResidualBlock(nn.Module):
    """GELU(x + conv-norm-GELU-conv-norm(x)); if the channels differ, x passes through a convolution too."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.norm1 = nn.GroupNorm(1, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.GroupNorm(1, channels)
        self.shortcut = None if in_channels == channels else nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.activation = nn.GELU(approximate='tanh')

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm2(self.conv2(self.activation(self.norm1(self.conv1(x)))))
        return self.activation(out + (x if self.shortcut is None else self.shortcut(x)))


class ResNet(nn.Module):
    """
    Halves the frame down to 8 x 8, with a convolution, a residual block and then average pooling; a frame of 16 pixels
    is halved once, one of 128 four times. The last feature map has `channels`, the first half as many; `num_blocks`
    more residual blocks follow at 8 x 8. ValueError for frames that cannot be halved to 8 x 8.
    """

    def __init__(self, observation_shape: Sequence[int], channels: int, num_blocks: int, out_features: int) -> None:
        super().__init__()
        in_channels, size = observation_shape[:2]
        halvings = (size // FINAL_SIZE).bit_length() - 1
        if halvings < 1 or tuple(observation_shape[1:]) != (FINAL_SIZE * 2 ** halvings, ) * 2:
            raise ValueError(f"model.encoder 'resnet' needs square frames of 16 to 128 pixels, got {observation_shape}")
        half = channels // 2
        layers = [
            nn.Conv2d(in_channels, half, 3, 2, 1, bias=False), nn.LayerNorm([half, size // 2, size // 2]),
            nn.GELU(approximate='tanh'), ResidualBlock(half, half),
            ResidualBlock(half, channels, stride=1 if halvings == 1 else 2), ResidualBlock(channels, channels)
        ]
        for _ in range(halvings - 2):
            layers += [nn.AvgPool2d(3, 2, 1), ResidualBlock(channels, channels)]
        layers += [ResidualBlock(channels, channels) for _ in range(num_blocks)]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.out = nn.Linear(channels * FINAL_SIZE ** 2, out_features, bias=False)

    def forward(self, obs: Tensor) -> Tensor:
        """Frames (N, C, size, size) uint8 -> (N, D)."""
        return self.out(self.layers(obs.float() / 255))
