"""Seconds for one world-model update, one imagination and one agent update, at STORM's sizes and at MoW's.

    python -m lzero_mow.bench.update_speed [--device cuda] [--repeats 5]

Batch 16 x 64 and 1024 rollouts of 16 steps from 8 real ones, in every row; the MoW row shares them out over 26 tasks, 12
experts and 12 clusters. Floating-point operations are counted by torch, the machine's rate is that of a square product.
"""
import argparse
import copy
import resource
import time
from typing import Callable, Dict, List

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from lzero_mow.bench.configs import policy_config
from lzero_mow.buffer.batch import SequenceBatch
from lzero_mow.memory import keep_freed_memory
from lzero_mow.policy.mow import MoWPolicy

SEQUENCES, LENGTH, STARTS = 16, 64, 1024


def random_sequences(number: int, length: int, num_tasks: int) -> SequenceBatch:
    """`number` sequences of noise, shared out over the tasks."""
    return SequenceBatch(
        torch.randint(0, 256, (number, length, 3, 64, 64), dtype=torch.uint8), torch.randint(0, 18, (number, length)),
        torch.randn(number, length), torch.zeros(number, length), torch.zeros(number, length, dtype=torch.bool),
        tuple(sorted(i % num_tasks for i in range(number)))
    )


def timed(call: Callable, device: torch.device):
    """(result, seconds) of a call, the device's work included."""
    synchronize = torch.cuda.synchronize if device.type == 'cuda' else lambda: None
    synchronize()
    start = time.perf_counter()
    result = call()
    synchronize()
    return result, time.perf_counter() - start


def gemm_rate(device: torch.device) -> float:
    """Best rate of a 2048^3 fp32 product, in GFLOP/s."""
    a = torch.randn(2048, 2048, device=device)
    return max(2 * 2.048 ** 3 / timed(lambda: a @ a, device)[1] for _ in range(10))


def measure(preset: str, num_tasks: int, source: str, sequences: int, device: torch.device, repeats: int) -> List[Dict]:
    """One row a phase: median seconds and GFLOP."""
    cfg = policy_config(preset, num_tasks)
    cfg.imagine_source, cfg.imagine_batch_size, cfg.cuda = source, STARTS, device.type == 'cuda'
    policy = MoWPolicy(copy.deepcopy(cfg), enable_field=['learn'])
    batch = random_sequences(sequences, LENGTH, num_tasks).to(device)
    fresh = random_sequences(STARTS, cfg.context_length, num_tasks)
    seconds, flops = {'world model': [], 'imagination': [], 'agent': []}, {}

    def once():
        (_, _, latent), world = timed(lambda: policy._update_world_model(batch), device)
        (rollout, plan), imagine = timed(lambda: policy._imagine(batch, latent, fresh), device)
        _, agent = timed(lambda: policy._update_agent(rollout, plan), device)
        return dict(zip(seconds, (world, imagine, agent))), latent, rollout, plan

    _, latent, rollout, plan = once()  # the first call allocates
    calls = (
        lambda: policy._update_world_model(batch), lambda: policy._imagine(batch, latent, fresh),
        lambda: policy._update_agent(rollout, plan)
    )
    for phase, call in zip(seconds, calls):
        with FlopCounterMode(display=False) as counter:
            call()
        flops[phase] = counter.get_total_flops() / 1e9
    for _ in track(range(repeats), description=f'{preset}, {num_tasks} tasks, {source}', transient=True):
        for phase, value in once()[0].items():
            seconds[phase].append(value)
    return [dict(phase=phase, seconds=float(np.median(seconds[phase])), gflop=flops[phase]) for phase in seconds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--repeats', type=int, default=5)
    args = parser.parse_args()
    device = torch.device(args.device)
    torch.manual_seed(0)
    keep_freed_memory()
    rate = gemm_rate(device)
    table = Table(title=f'{args.device}, {torch.get_num_threads()} threads, fp32 product {rate:.0f} GFLOP/s')
    for column in ('model', 'imagination from', 'phase', 'seconds', 'GFLOP', 'share of the rate'):
        table.add_column(column, justify='left' if column in ('model', 'imagination from', 'phase') else 'right')
    # 26 sequences are the least that 26 tasks can share; `paper` rows are scaled to the tokens of the others.
    for preset, num_tasks, source, sequences in (
        ('storm', 1, 'replay', SEQUENCES), ('storm', 1, 'batch', SEQUENCES), ('paper', 26, 'batch', 26)
    ):
        total = 0.0
        scale = SEQUENCES / sequences
        for row in measure(preset, num_tasks, source, sequences, device, args.repeats):
            factor = scale if row['phase'] == 'world model' else 1.0
            seconds, gflop = factor * row['seconds'], factor * row['gflop']
            total += seconds
            table.add_row(
                f'{preset}, {num_tasks} tasks', source, row['phase'], f'{seconds:.3f}', f'{gflop:.0f}',
                f'{gflop / seconds / rate:.0%}'
            )
        table.add_row('', '', 'all three', f'{total:.3f}', '', '', end_section=True)
    memory = torch.cuda.max_memory_allocated() / 2 ** 30 if device.type == 'cuda' else \
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** 20
    console = Console(width=110)
    console.print(table)
    console.print(f'peak memory {memory:.1f} GiB; the 26 tasks train on 26 x {LENGTH} steps, scaled here to {SEQUENCES} x {LENGTH}')


if __name__ == '__main__':
    main()
