"""
Seconds for one update of ScaleZero, and with a share of its batch searched anew (`policy.reanalyze_ratio`).

    python -m lzero_mow.studies.bench.reanalysis_speed [--suite atari] [--preset laptop] [--tasks 4] [--device cuda]

On sequences of noise; all steps of a sequence are searched from. Sequences of the replay (`policy.reanalyze_freq`) take
as long as the same number of a batch.
"""
import numpy as np
import torch
from easydict import EasyDict
from rich.progress import track

from lzero_mow.buffer.search_batch import SearchBatch
from lzero_mow.policy.scalezero import ScaleZeroPolicy
from lzero_mow.utils.memory import keep_freed_memory
from .shared import parse, policy_config, show, timed

RATIOS = (0.0, 0.1, 0.25, 0.5, 1.0)


def noise(cfg: EasyDict) -> SearchBatch:
    """A batch of the configured size, each sequence from the middle of an episode."""
    B, L, A = cfg.batch_size, cfg.num_unroll_steps, cfg.model.action_space_size
    T = L + cfg.td_steps
    never = torch.zeros(B, T, dtype=torch.bool)
    return SearchBatch(
        torch.randint(0, 256, (B, T, *cfg.model.observation_shape), dtype=torch.uint8), torch.randint(0, A, (B, T)),
        torch.randn(B, T), never, never, never, torch.rand(B, L, A).softmax(-1),
        tuple(sorted(i % len(cfg.tasks) for i in range(B)))
    )


def main() -> None:
    args = parse('reanalysis_speed', __doc__, suite='minatar', preset='laptop', tasks=5, device='cpu', repeats=5)
    device = torch.device(args.device)
    torch.manual_seed(0)
    keep_freed_memory()
    cfg = policy_config(args.preset, args.tasks, 'scalezero', args.suite)
    cfg.cuda = device.type == 'cuda'
    policy = ScaleZeroPolicy(cfg, enable_field=['learn', 'collect'])
    batch, seconds = noise(cfg), {ratio: [] for ratio in RATIOS}
    for _ in track(range(1 + args.repeats), description='updates', transient=True):
        for ratio in RATIOS:
            policy._cfg.reanalyze_ratio = ratio
            seconds[ratio].append(timed(lambda: policy.learn_mode.forward(dict(search=batch)), device))
    median = {ratio: np.median(times[1:]) for ratio, times in seconds.items()}  # the first calls allocate
    rows = [
        (f'{ratio:.0%}', f'{int(ratio * cfg.batch_size)}', f'{median[ratio]:.3f}', f'{median[ratio] / median[0]:.1f} x')
        for ratio in RATIOS
    ]
    size = f'{cfg.batch_size} sequences of {cfg.num_unroll_steps} steps, {cfg.num_simulations} simulations'
    title = f'{args.suite}, {args.preset}, {args.tasks} tasks: {size}; {args.device}, {torch.get_num_threads()} threads'
    show(title, ['searched anew'], ['sequences', 's an update', 'of none'], rows)


if __name__ == '__main__':
    main()
