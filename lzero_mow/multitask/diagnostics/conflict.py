"""Gradient conflict: whether tasks pull the weights they share in the same, in unrelated or in opposite directions."""
from functools import reduce
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


class TaskGradients:
    """
    The tasks' gradients for one part of a model, summed over batches, because a single batch is mostly noise. Compared
    are tasks with the same owner: the copy of the part that each of the K tasks uses.
    """

    def __init__(self, owners: Sequence[int]) -> None:
        self._owners = owners
        self._sums: Dict[int, Tensor] = {}  # k -> (P,)
        self._squares: Dict[int, List[Tensor]] = {}  # k -> squared length in each batch

    @torch.no_grad()
    def add(self, k: int, gradients: Sequence[Tensor]) -> None:
        """Add the gradients of task k on one batch."""
        g = torch.cat([gradient.flatten() for gradient in gradients]).float()
        self._squares.setdefault(k, []).append(g.square().sum())
        self._sums[k] = self._sums[k].add_(g) if k in self._sums else g

    @torch.no_grad()
    def cosines(self) -> np.ndarray:
        """
        Cosines between the tasks' sums: (K, K), NaN for tasks without a gradient and for pairs that use different
        copies, 0 if a gradient is zero.
        """
        cosine = np.full((len(self._owners), ) * 2, np.nan)
        for owner in set(self._owners):
            tasks = [k for k in self._sums if self._owners[k] == owner]
            if tasks:
                directions = F.normalize(torch.stack([self._sums[k] for k in tasks]), dim=1)
                with torch.autocast(directions.device.type, enabled=False):  # the caller may be under autocast
                    cosine[np.ix_(tasks, tasks)] = (directions @ directions.T).cpu().numpy()
        return cosine

    @torch.no_grad()
    def signal(self) -> float:
        """
        The share of the sums' squared length that is not noise between batches, averaged over tasks: about the cosine
        between a task's sum and the sum over an equal number of other batches. NaN for one batch.
        """
        shares = []
        for k, squares in self._squares.items():
            n, square = len(squares), self._sums[k].square().sum()
            noise = (torch.stack(squares).sum() - square / n) * (n / (n - 1)) if n > 1 else torch.tensor(np.nan)
            shares.append(float((1 - noise / square.clamp(min=1e-30)).clamp(min=0)))
        return float(np.mean(shares))


def conflict(cosine: np.ndarray) -> Dict[str, float]:
    """Mean cosine over all pairs of tasks, and the share of pairs with a negative one; empty without pairs."""
    pairs = cosine[np.triu_indices(len(cosine), 1)]
    pairs = pairs[~np.isnan(pairs)]
    if not len(pairs):
        return {}
    return {'mean_cosine': float(pairs.mean()), 'negative_share': float((pairs < 0).mean())}


def together(diagnoses: Sequence[Optional[Dict[str, Any]]]) -> Optional[Dict[str, Any]]:
    """
    The diagnosis of several ranks, from that of each on its own tasks: numbers that several have are averaged, and the
    conflict between tasks on different ranks is not known.
    """
    if len(diagnoses) == 1 or diagnoses[0] is None:
        return diagnoses[0]
    names = dict.fromkeys(name for diagnosis in diagnoses for name in diagnosis['scalars'])
    of_name = lambda name: [own['scalars'][name] for own in diagnoses if name in own['scalars']]
    matrices = {}
    for part in dict.fromkeys(part for diagnosis in diagnoses for part in diagnosis['conflict']):
        of_ranks = (own['conflict'][part] for own in diagnoses if part in own['conflict'])
        matrices[part] = reduce(lambda x, y: np.where(np.isnan(x), y, x), of_ranks)
    return dict(scalars={name: float(np.mean(of_name(name))) for name in names}, conflict=matrices)


def with_conflict(scalars: Dict[str, float], parts: Mapping[str, TaskGradients]) -> Dict[str, Any]:
    """
    Overview:
        A diagnosis: numbers by name, and the conflict in the parts of a model that several tasks share.
    Returns:
        - diagnosis (:obj:`dict`): 'scalars': name -> number; 'conflict': shared part -> (K, K) cosines.
    """
    scalars, matrices = dict(scalars), {}
    for part, gradients in parts.items():
        cosine = gradients.cosines()
        measured = conflict(cosine)
        if measured:
            matrices[part] = cosine
            measured['signal'] = gradients.signal()
        scalars.update({f'gradient_conflict/{part}/{name}': value for name, value in measured.items()})
    return dict(scalars=scalars, conflict=matrices)
