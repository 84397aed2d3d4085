"""Replays filled from scripted environments."""
from typing import Any, Sequence, Tuple

import torch
from helpers.collection import make_collector
from helpers.workers import make_policy_config
from lzero_mow.buffer import MoWGameBuffer, SequenceBatch
from lzero_mow.worker import MoWSegmentCollector

TASKS = ('Pong', 'Boxing', 'Gopher')


def filled(calls: int,
           tasks: Sequence[str] = TASKS,
           envs_a_task: int = 1,
           **changes: Any) -> Tuple[MoWGameBuffer, MoWSegmentCollector]:
    """
    Overview:
        A buffer that a collector has filled, and that collector.
    """
    config = make_policy_config(collector_env_num=envs_a_task, **changes)
    buffer, collector = MoWGameBuffer(config, tasks), make_collector(len(tasks) * envs_a_task, config)
    for _ in range(calls):
        buffer.push_game_segments(collector.collect())
    return buffer, collector


def batches_equal(first: SequenceBatch, second: SequenceBatch) -> bool:
    """
    Overview:
        Whether two batches hold the same steps.
    """
    tensors = ('obs', 'action', 'reward', 'terminated', 'first')
    return first.task == second.task and all(torch.equal(getattr(first, n), getattr(second, n)) for n in tensors)
