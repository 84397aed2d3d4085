"""
The processes of one run, started by torchrun: each has some of the tasks, and all have the same networks. Without
torchrun there is one, and nothing here communicates.
"""
import os
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Sequence, Set

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from .screen import started_here, started_processes

LOST = ('onnection closed by peer', 'onnection reset by peer', 'roken pipe')  # what gloo says of one that has ended
BUCKET = 2 ** 25  # numbers that are added up in one call, 128 MB of float32


@contextmanager
def joined(device: str) -> Iterator[None]:
    """
    Join the other processes, where torchrun has started this one among several: gloo for what lies in main memory, and
    NCCL for what lies on GPUs if `device` is one; then each process uses its own.
    """
    if started_processes() == 1:
        yield
        return
    backend = 'gloo'
    if device.startswith('cuda'):
        torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
        backend = 'cpu:gloo,cuda:nccl'
    dist.init_process_group(backend)
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or any(words in str(error) for words in LOST):
            raise RuntimeError('another process of this run has ended: the reason is in its own line') from error
        raise
    finally:
        dist.destroy_process_group()


def world_size() -> int:
    """The number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this one, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def own_tasks(num_tasks: int) -> range:
    """The tasks of this rank: neighbours, as many as of any other or one more."""
    return range(rank() * num_tasks // world_size(), (rank() + 1) * num_tasks // world_size())


def own_share(number: int, num_tasks: int) -> int:
    """This rank's part of a number that is shared out over all tasks."""
    return number * len(own_tasks(num_tasks)) // num_tasks


def own_cores() -> int:
    """The cores that this process may use, beside others of its run here; torch's threads are often fewer."""
    return max(1, len(os.sched_getaffinity(0)) // started_here())


def owner(task: int, num_tasks: int) -> int:
    """The rank of a task."""
    return next(r for r in range(world_size()) if task < (r + 1) * num_tasks // world_size())


def total(number: int) -> int:
    """A number of each rank, added up."""
    if world_size() == 1:
        return number
    numbers = torch.tensor(number)
    dist.all_reduce(numbers)
    return int(numbers)


def gathered(value: Any) -> List[Any]:
    """What each process has said, by rank, on all of them."""
    values = [value] * world_size()
    if world_size() > 1:
        dist.all_gather_object(values, value)
    return values


def of_all_tasks(arrays: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Arrays whose first axis are this rank's tasks, with the rows of all."""
    of_ranks = gathered(arrays)
    return {name: np.concatenate([own[name] for own in of_ranks]) for name in arrays}


def tasks_of_all_ranks(tasks: Sequence[int]) -> Set[int]:
    """The tasks of a batch whose rows lie on several ranks, from those of this one's."""
    return set().union(*gathered(set(tasks)))


def summed(tensors: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Tensors of one device and of numbers of one type, each added up over the processes in one call. No gradient."""
    tensors = {name: x.detach() for name, x in tensors.items()}
    if world_size() == 1 or not tensors:
        return tensors
    flat = torch.cat([x.flatten() for x in tensors.values()])
    dist.all_reduce(flat)
    parts = flat.split([x.numel() for x in tensors.values()])
    return {name: part.view_as(x) for part, (name, x) in zip(parts, tensors.items())}


@torch.no_grad()
def told_by_owners(tensors: Sequence[Tensor], own: Sequence[int]) -> None:
    """Fill in place the rows of tensors (K, ...) that belong to other ranks' tasks with what these have there."""
    if world_size() == 1:
        return
    for x in tensors:
        rows = torch.zeros_like(x, dtype=torch.uint8 if x.dtype == torch.bool else x.dtype)
        rows[own] = x[own].to(rows.dtype)
        dist.all_reduce(rows)
        x.copy_(rows)


class _Sum(torch.autograd.Function):
    """The sum over the processes; each of them has a loss that depends on it, and the gradient is that of all."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.forward(ctx, gradient.contiguous())


def summed_with_gradient(x: Tensor) -> Tensor:
    """The sum over the processes, as a function whose gradients are those of the sum of all processes' losses."""
    return _Sum.apply(x) if world_size() > 1 else x


def sum_gradients(parameters: Sequence[Tensor]) -> None:
    """
    Add up the gradients of all processes, in place. A parameter that has one in any of them has one in all of them
    afterwards, others have none.
    """
    if world_size() == 1:
        return
    used = torch.tensor([p.grad is not None for p in parameters], dtype=torch.int32)
    dist.all_reduce(used)
    bucket, size = [], 0
    for p in (p for p, count in zip(parameters, used.tolist()) if count):
        if p.grad is None:
            p.grad = torch.zeros_like(p)
        if size + p.numel() > BUCKET:
            _sum_bucket(bucket)
            bucket, size = [], 0
        bucket.append(p.grad)
        size += p.numel()
    _sum_bucket(bucket)


def _sum_bucket(bucket: Sequence[Tensor]) -> None:
    if bucket:
        flat = torch.cat([grad.flatten() for grad in bucket])
        dist.all_reduce(flat)
        for grad, part in zip(bucket, flat.split([grad.numel() for grad in bucket])):
            grad.copy_(part.view_as(grad))
