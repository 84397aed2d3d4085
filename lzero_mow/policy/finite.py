"""Detects losses that are no longer finite: recorded without waiting for the device, checked once per cycle."""
from typing import Dict, List, Tuple

import torch
from torch import Tensor


class FiniteWatch:
    """Remembers for every term the first update at which it was not finite."""

    def __init__(self, tasks: List[str]) -> None:
        self._tasks = tasks
        # For each set of terms, by name and length, the update at which each number was first not finite, or -1.
        self._first_bad: Dict[Tuple[Tuple[str, int], ...], Tensor] = {}

    def note(self, terms: Dict[str, Tensor], update: int) -> None:
        """Record one update's terms, (K,) or (1,) each, on the device."""
        names, values = tuple((name, len(value)) for name, value in terms.items()), torch.cat(list(terms.values()))
        first = self._first_bad.get(names, torch.full_like(values, -1))
        self._first_bad[names] = torch.where((first < 0) & ~values.isfinite(), float(update), first)

    def check(self) -> None:
        """Raise if a term was not finite, with its task and update. Waits for the device: called once per cycle."""
        if not self._first_bad:
            return
        labels = [
            (f'task {self._tasks[k]}: ' if length == len(self._tasks) else '') + name
            for names in self._first_bad for name, length in names for k in range(length)
        ]
        first = torch.cat(list(self._first_bad.values())).tolist()
        bad = [(update, label) for update, label in zip(first, labels) if update >= 0]
        if bad:
            update, label = min(bad, key=lambda item: item[0])
            raise FloatingPointError(
                f'{label} is not finite at update {int(update)}; try a smaller policy.learning_rate or policy.grad_clip'
            )
