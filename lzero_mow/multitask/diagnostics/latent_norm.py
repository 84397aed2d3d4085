"""Norms of latent states: unbounded growth precedes a loss of plasticity (UniZero, ScaleZero)."""
from typing import Dict, Sequence

import torch
from torch import Tensor


def norm_by_task(x: Tensor, tasks: Sequence[int]) -> Dict[int, float]:
    """Mean L2 norm of each task's states: (B, ..., W) of B task ids -> task id: number."""
    norms = torch.linalg.vector_norm(x.float(), dim=-1).flatten(1).mean(1).tolist()  # (B,)
    rows = {k: [norm for norm, task in zip(norms, tasks) if task == k] for k in sorted(set(tasks))}
    return {k: sum(values) / len(values) for k, values in rows.items()}


def norm_scalars(name: str, x: Tensor, tasks: Sequence[int], names: Sequence[str]) -> Dict[str, float]:
    """The scalars of `norm_by_task`, and their mean over tasks."""
    norms = norm_by_task(x, tasks)
    mean = sum(norms.values()) / len(norms)
    return {f'latent_norm/{name}': mean, **{f'latent_norm/{name}/{names[k]}': norm for k, norm in norms.items()}}
