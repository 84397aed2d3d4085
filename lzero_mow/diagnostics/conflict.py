"""Gradient conflict: whether tasks pull the weights they share the same way, past each other, or apart."""
from typing import Dict, Iterable, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def cosine_matrix(gradients: Iterable[Tuple[int, Sequence[Tensor]]], num_tasks: int) -> np.ndarray:
    """
    Overview:
        Cosines between the tasks' gradients.
    Arguments:
        - gradients (:obj:`Iterable`): (k, gradients of the shared parameters) for each task there is data of.
        - num_tasks (:obj:`int`): K.
    Returns:
        - cosine (:obj:`np.ndarray`): (K, K), NaN for tasks without a gradient, 0 for those whose gradient is zero.
    """
    vectors = {k: torch.cat([g.flatten() for g in parts]).float() for k, parts in gradients}
    tasks = list(vectors)
    directions = F.normalize(torch.stack([vectors.pop(k) for k in tasks]), dim=1)
    cosine = np.full((num_tasks, num_tasks), np.nan)
    with torch.autocast(directions.device.type, enabled=False):  # the gradients may be computed under one
        cosine[np.ix_(tasks, tasks)] = (directions @ directions.T).cpu().numpy()
    return cosine


def conflict(cosine: np.ndarray) -> Dict[str, float]:
    """
    Overview:
        Mean cosine over all pairs of tasks, and the share of pairs whose gradients are opposed; nothing without a pair.
    """
    pairs = cosine[np.triu_indices(len(cosine), 1)]
    pairs = pairs[~np.isnan(pairs)]
    if not len(pairs):
        return {}
    return {'mean_cosine': float(pairs.mean()), 'negative_share': float((pairs < 0).mean())}
