"""Small models and batches for tests."""
import torch

from lzero_mow.buffer.batch import SequenceBatch
from lzero_mow.model.mow.mow_model import MoWModel

TINY = dict(
    num_tasks=3, num_clusters=2, num_experts=4, experts_per_task=2, width=32, num_heads=4, num_layers=2,
    stem_channels=4, categories=6, classes=5, task_embedding_dim=8, agent_width=32, max_length=24, action_space_size=5
)


def tiny_model(seed: int = 0, **overrides) -> MoWModel:
    torch.manual_seed(seed)
    return MoWModel(**{**TINY, **overrides}).eval()


def random_batch(tasks, length: int, actions: int = 5, seed: int = 0) -> SequenceBatch:
    generator = torch.Generator().manual_seed(seed)
    shape = (len(tasks), length)
    return SequenceBatch(
        obs=torch.randint(0, 256, (*shape, 3, 64, 64), dtype=torch.uint8, generator=generator),
        action=torch.randint(0, actions, shape, generator=generator), reward=torch.randn(shape, generator=generator),
        terminated=(torch.rand(shape, generator=generator) < 0.1).float(), first=torch.zeros(shape, dtype=torch.bool),
        task=tuple(tasks)
    )


def random_latent(rows: int, length: int, model: MoWModel, seed: int = 0) -> torch.Tensor:
    """One-hot latents (rows, length, latent)."""
    categories, classes = model.world_model.latent_shape
    index = torch.randint(0, classes, (rows, length, categories), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.one_hot(index, classes).float().flatten(2)
