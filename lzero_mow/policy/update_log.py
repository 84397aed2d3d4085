"""What an update says of itself: numbers that stay on the device, in a few tensors."""
from typing import Collection, Dict, Mapping, Sequence

import torch
from torch import Tensor


class Totals(Dict[str, Tensor]):
    """Numbers of the parts of an update, added up by name, without their graphs."""

    def add(self, numbers: Mapping[str, Tensor]) -> None:
        """Those of one more part."""
        self.update({name: self[name] + x.detach() if name in self else x.detach() for name, x in numbers.items()})


def log_of_tasks(terms: Mapping[str, Tensor], names: Sequence[str], present: Collection[int]) -> Dict[str, Tensor]:
    """
    Of terms (K,), which are 0 for tasks that are not `present`: 'name' -> mean over those that are, and
    'task/<task>/name' -> its own.
    """
    values = torch.stack(list(terms.values()))  # (terms, K)
    log = dict(zip(terms, (values.sum(1) / len(present)).unbind()))
    for k, of_task in enumerate(values.unbind(1)):
        if k in present:
            log.update(zip((f'task/{names[k]}/{name}' for name in terms), of_task.unbind()))
    return log
