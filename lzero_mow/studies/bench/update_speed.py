"""
Seconds for one world-model update, one imagination, one agent update and one decision, at STORM's and MoW's sizes.

    python -m lzero_mow.studies.bench.update_speed [--device cuda] [--repeats 5]

Imagination is 1024 rollouts of 16 steps from 8 real ones in every row; MoW divides them among 26 tasks, 12 experts
and 12 clusters. A decision chooses one action for each task, from full windows. Floating-point operations are counted
by torch, the machine's rate is that of a square product.
"""
import copy
from typing import Any, Dict, Tuple

import numpy as np
import torch
from rich.progress import track
from torch.utils.flop_counter import FlopCounterMode

from lzero_mow.buffer.batch import SequenceBatch
from lzero_mow.policy.mow import MoWPolicy
from lzero_mow.utils.memory import keep_freed_memory
from .shared import decision, parse, policy_config, show, timed

LENGTH, STARTS = 64, 1024
Phases = Dict[str, Tuple[float, float]]


def random_sequences(number: int, length: int, num_tasks: int) -> SequenceBatch:
    """`number` sequences of noise, shared out over the tasks."""
    return SequenceBatch(
        torch.randint(0, 256, (number, length, 3, 64, 64), dtype=torch.uint8), torch.randint(0, 18, (number, length)),
        torch.randn(number, length), torch.zeros(number, length), torch.zeros(number, length, dtype=torch.bool),
        tuple(sorted(i % num_tasks for i in range(number)))
    )


def flops_of_groups(a: torch.Tensor, b: torch.Tensor, *_: Any, **__: Any) -> int:
    """Floating-point operations of torch's grouped product, which its counter does not know."""
    return 2 * a.numel() * b.shape[-1]


def gemm_rate(device: torch.device) -> float:
    """Best rate of a 2048^3 fp32 product, in GFLOP/s."""
    a = torch.randn(2048, 2048, device=device)
    return max(2 * 2.048 ** 3 / timed(lambda: a @ a, device) for _ in range(10))


def measure(preset: str, num_tasks: int, source: str, sequences: int, device: torch.device, repeats: int) -> Phases:
    """Of each phase the median seconds and the GFLOP."""
    cfg = policy_config(preset, num_tasks)
    cfg.imagine_source, cfg.imagine_batch_size, cfg.cuda = source, STARTS, device.type == 'cuda'
    policy = MoWPolicy(copy.deepcopy(cfg), enable_field=['learn', 'collect'])
    batch = random_sequences(sequences, LENGTH, num_tasks).to(device)
    fresh = random_sequences(STARTS, cfg.context_length, num_tasks)
    state = {}

    def world_model() -> None:
        state['latent'] = policy._update_world_model(batch)[2]

    def imagination() -> None:
        state['rollouts'] = list(policy._imagined(policy._contexts(batch, state['latent'], fresh)))

    def agent() -> None:
        policy._update_agent(state['rollouts'])

    decide = decision(policy, num_tasks)
    phases = {'world model': world_model, 'imagination': imagination, 'agent': agent, 'decision': decide}
    for phase in list(phases.values()) + [decide] * cfg.acting_window:  # first calls allocate; the windows fill
        phase()
    seconds, gflop = {phase: [] for phase in phases}, {}
    for name, phase in phases.items():
        with FlopCounterMode(display=False, custom_mapping={torch.ops.aten._grouped_mm: flops_of_groups}) as counter:
            phase()
        gflop[name] = counter.get_total_flops() / 1e9
    for _ in track(range(repeats), description=f'{preset}, {num_tasks} tasks, {source}', transient=True):
        for name, phase in phases.items():
            seconds[name].append(timed(phase, device))
    return {name: (float(np.median(seconds[name])), gflop[name]) for name in phases}


def main() -> None:
    args = parse('update_speed', __doc__, device='cpu', repeats=5)
    device = torch.device(args.device)
    torch.manual_seed(0)
    keep_freed_memory()
    rate = gemm_rate(device)
    rows = []
    # STORM's batch; then the same number of steps for one task and for 26, which need a sequence each.
    for preset, num_tasks, source, sequences in (
        ('storm', 1, 'replay', 16), ('storm', 1, 'batch', 16), ('storm', 1, 'batch', 26), ('paper', 26, 'batch', 26)
    ):
        phases = measure(preset, num_tasks, source, sequences, device, args.repeats)
        name = (f'{preset}, {num_tasks} tasks', f'{sequences} x {LENGTH}', source)
        for phase, (seconds, gflop) in phases.items():
            rows.append((*name, phase, f'{seconds:.3f}', f'{gflop:.0f}', f'{gflop / seconds / rate:.0%}'))
            name = ('', '', '')
        update = sum(seconds for phase, (seconds, _) in phases.items() if phase != 'decision')
        rows += [('', '', '', 'an update in all', f'{update:.3f}'), ()]
    title = f'{args.device}, {torch.get_num_threads()} threads, fp32 product {rate:.0f} GFLOP/s'
    words = ['model', 'batch', 'imagination from', 'phase']
    show(title, words, ['seconds', 'GFLOP', 'share of the rate'], rows)


if __name__ == '__main__':
    main()
