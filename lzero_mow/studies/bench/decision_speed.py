"""
Seconds for one action in every task: MoW's actor beside ScaleZero's searches.

    python -m lzero_mow.studies.bench.decision_speed [--preset paper] [--tasks 26] [--device cuda] [--repeats 5]

Each task has one environment, and all are decided in one call, on full windows of past steps.
"""
import numpy as np
import torch
from rich.progress import track

from lzero_mow.model.common.size import count_parameters
from lzero_mow.policy.mow import MoWPolicy
from lzero_mow.policy.scalezero import ScaleZeroPolicy
from lzero_mow.utils.memory import keep_freed_memory
from .shared import decision, parse, policy_config, show, timed

METHODS = {'mow': MoWPolicy, 'unizero_multitask_dense': ScaleZeroPolicy, 'scalezero': ScaleZeroPolicy}
WINDOW = 16  # calls after which every method's window of past steps is full


def main() -> None:
    args = parse('decision_speed', __doc__, preset='paper', tasks=26, device='cpu', repeats=5)
    device = torch.device(args.device)
    torch.manual_seed(0)
    keep_freed_memory()
    seconds, rows = {}, []
    for method, policy_cls in METHODS.items():
        cfg = policy_config(args.preset, args.tasks, method)
        cfg.cuda = device.type == 'cuda'
        policy = policy_cls(cfg, enable_field=['learn', 'collect'])
        decide = decision(policy, args.tasks)
        calls = track(range(WINDOW + args.repeats), description=method, transient=True)
        seconds[method] = np.median([timed(decide, device) for _ in calls][WINDOW:])
        times = seconds[method] / seconds['mow']
        megabytes = 4 * count_parameters(policy._model) / 2 ** 20
        simulations = str(cfg.get('num_simulations', '-'))
        rows.append((method, simulations, f'{megabytes:.1f}', f'{seconds[method]:.4f}', f'{times:.1f} x'))
        del policy, decide
    title = f'{args.preset}, {args.tasks} tasks; {args.device}, {torch.get_num_threads()} threads'
    show(title, ['method'], ['simulations', 'MB', 'seconds', 'of MoW'], rows)


if __name__ == '__main__':
    main()
