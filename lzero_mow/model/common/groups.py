"""Which group (a cluster, an expert or a task) each row of a batch belongs to."""
from dataclasses import dataclass
from functools import cached_property
from typing import Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Groups:
    """Assignment of the R rows of a batch to G groups."""
    order: Optional[Tensor]  # (R,) rows sorted by group; None if they already are
    inverse: Optional[Tensor]  # (R,) position of each row after sorting
    index: Optional[Tensor]  # (R,) group of each sorted row; None if there is only one group
    counts: Optional[Tensor]  # (G,) rows of each group; None if there is only one
    counts_on_host: Optional[Tuple[int, ...]] = None  # if the host knows them

    @classmethod
    def of(cls, group_of_row: Sequence[int], num_groups: int, device: torch.device) -> 'Groups':
        """From the group of each row, given on the host, so that nothing waits for the device."""
        group_of_row = np.asarray(group_of_row)
        order, counts = np.argsort(group_of_row, kind='stable'), np.bincount(group_of_row, minlength=num_groups)
        to_device = lambda x: torch.from_numpy(x).to(device, non_blocking=True)
        known = to_device(group_of_row[order]), to_device(counts), tuple(counts.tolist())
        if (order[1:] > order[:-1]).all():
            return cls(None, None, *known)
        return cls(to_device(order), to_device(np.argsort(order)), *known)

    @cached_property
    def sizes(self) -> Tuple[int, ...]:
        """Rows in each of the G groups, on the host, which may have to wait for the device."""
        return tuple(self.counts.tolist()) if self.counts_on_host is None else self.counts_on_host

    @cached_property
    def ends(self) -> Tensor:
        """(G,) int32, where each group ends among the sorted rows."""
        return self.counts.cumsum(0, dtype=torch.int32)

    def sort(self, x: Tensor) -> Tensor:
        """Rows of x (R, ...) sorted by group."""
        return x if self.order is None else x.index_select(0, self.order)

    def unsort(self, x: Tensor) -> Tensor:
        """Inverse of :meth:`sort`."""
        return x if self.inverse is None else x.index_select(0, self.inverse)


# For modules with one group: it has every row, so nothing is needed.
ONE_GROUP = Groups(None, None, None, None, ())
