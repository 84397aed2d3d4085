"""How large latent states are: a norm that grows without end goes before a loss of plasticity (UniZero, ScaleZero)."""
from typing import Dict, Sequence

import torch
from torch import Tensor


def norm_by_task(x: Tensor, tasks: Sequence[int]) -> Dict[int, float]:
    """
    Overview:
        Mean L2 norm of each task's states.
    Arguments:
        - x (:obj:`Tensor`): (B, ..., W).
        - tasks (:obj:`Sequence[int]`): B task ids.
    Returns:
        - norms (:obj:`dict`): Task id -> number.
    """
    norms = torch.linalg.vector_norm(x.float(), dim=-1).flatten(1).mean(1).tolist()  # (B,)
    rows = {k: [norm for norm, task in zip(norms, tasks) if task == k] for k in sorted(set(tasks))}
    return {k: sum(values) / len(values) for k, values in rows.items()}
