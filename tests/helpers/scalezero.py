"""Small ScaleZero models and inputs for tests."""
import torch

from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel

TINY = dict(
    observation_shape=(3, 16, 16), action_space_size=5, num_tasks=3, patch_size=4, vit_width=24, vit_layers=2,
    vit_heads=3, vit_head_width=4, vit_mlp_width=20, resnet_channels=8, resnet_blocks=1, embed_dim=32, num_layers=2,
    num_heads=4, max_steps=6, feed_forward_width=40, num_experts=4, value_support=(-5, 5, 1),
    reward_support=(-2, 2, 0.5)
)


def tiny_scalezero(seed: int = 0, **overrides) -> ScaleZeroModel:
    """In eval mode; every parameter away from its start, so that no head is silent and no norm is trivial."""
    torch.manual_seed(seed)
    model = ScaleZeroModel(**{**TINY, **overrides}).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def random_frames(rows: int, size: int = 16, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (rows, 3, size, size), dtype=torch.uint8, generator=generator)


def random_steps(rows: int, length: int, width: int = 32, actions: int = 5, seed: int = 0):
    """Latents (rows, length, width) and actions (rows, length)."""
    generator = torch.Generator().manual_seed(seed)
    latent = torch.randn(rows, length, width, generator=generator)
    return latent, torch.randint(0, actions, (rows, length), generator=generator)
