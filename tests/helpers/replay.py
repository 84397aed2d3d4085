"""Replays filled from scripted environments."""
from dataclasses import fields
from typing import Any, Sequence, Tuple

import torch

from helpers.collection import make_collector
from helpers.workers import make_policy_config
from lzero_mow.buffer import MoWGameBuffer
from lzero_mow.buffer.batch import TaskBatch
from lzero_mow.worker import MoWSegmentCollector

TASKS = ('Pong', 'Boxing', 'Gopher')


def filled(calls: int,
           tasks: Sequence[str] = TASKS,
           envs_per_task: int = 1,
           **changes: Any) -> Tuple[MoWGameBuffer, MoWSegmentCollector]:
    """A buffer that a collector has filled, and that collector."""
    config = make_policy_config(collector_env_num=envs_per_task, **changes)
    buffer, collector = MoWGameBuffer(config, tasks), make_collector(len(tasks) * envs_per_task, config)
    for _ in range(calls):
        buffer.push_game_segments(collector.collect())
    return buffer, collector


def batches_equal(first: TaskBatch, second: TaskBatch) -> bool:
    """Whether two batches of one class hold the same steps."""
    pairs = [(getattr(first, item.name), getattr(second, item.name)) for item in fields(first)]
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)
