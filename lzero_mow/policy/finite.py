"""Detects losses that are no longer finite: recorded without waiting for the device, checked once per cycle."""
from typing import Dict, List

import torch
from torch import Tensor


class FiniteWatch:
    """Remembers for every term the first update at which it was not finite."""

    def __init__(self, tasks: List[str]) -> None:
        self._tasks = tasks
        # Name -> (K,) update at which the term was first not finite, or -1; gradient norms are (1,).
        self._first_bad: Dict[str, Tensor] = {}

    def note(self, terms: Dict[str, Tensor], update: int) -> None:
        """Record one update's terms, (K,) or (1,) each, on the device."""
        for name, value in terms.items():
            first = self._first_bad.get(name, torch.full_like(value, -1))
            self._first_bad[name] = torch.where((first < 0) & ~value.isfinite(), float(update), first)

    def check(self) -> None:
        """Raise if a term was not finite, with its task and update. Waits for the device: called once per cycle."""
        if not self._first_bad:
            return
        labels = [
            (f'task {self._tasks[k]}: ' if len(first) == len(self._tasks) else '') + name
            for name, first in self._first_bad.items() for k in range(len(first))
        ]
        first = torch.cat(list(self._first_bad.values())).tolist()
        bad = [(update, label) for update, label in zip(first, labels) if update >= 0]
        if bad:
            update, label = min(bad, key=lambda item: item[0])
            raise FloatingPointError(
                f'{label} is not finite at update {int(update)}; try a smaller policy.learning_rate or policy.grad_clip'
            )
