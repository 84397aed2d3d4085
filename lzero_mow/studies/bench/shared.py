"""What the benchmarks share: command lines, policies of any preset at any number of tasks, a clock, tables."""
import argparse
import time
from typing import Any, Callable, Optional, Sequence

import numpy as np
import torch
from ding.policy import Policy
from easydict import EasyDict
from rich.console import Console
from rich.table import Table

from lzero_mow.config.arguments import Parser
from lzero_mow.config.build import DEFAULT_METHOD, DEFAULT_SUITE, build_config


def parse(
        name: str, text: Optional[str], check: Callable[[argparse.Namespace], Any] = lambda _: None, **options: Any
) -> argparse.Namespace:
    """
    A benchmark's command line: its docstring, and options with their defaults. A number, device, preset or method that
    cannot be, and what ``check`` refuses, is one line.
    """
    parser = Parser(
        prog=f'python -m lzero_mow.studies.bench.{name}', description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for option, default in options.items():
        kind, count = (type(default[0]), '+') if isinstance(default, list) else (type(default), None)
        parser.add_argument(f'--{option}', type=kind, nargs=count, default=default, help='default: %(default)s')
    args = parser.parse_args()
    given = {
        'device': 'cpu', 'preset': 'paper', 'tasks': 1, 'method': DEFAULT_METHOD, 'suite': DEFAULT_SUITE, **vars(args)
    }
    try:
        for option, value in given.items():
            for number in np.ravel(value):
                least = 0 if option == 'seed' else 1
                if isinstance(number, np.integer) and number < least:
                    raise ValueError(f"--{option.replace('_', '-')} must be at least {least}, got {number}")
        torch.zeros(1, device=given['device'])
        policy_config(given['preset'], given['tasks'], given['method'], given['suite'])
        check(args)
    except (ValueError, RuntimeError, AssertionError) as error:  # torch's, where there is no such device or no CUDA
        parser.error(str(error).splitlines()[0])
    return args


def policy_config(
        preset: str, num_tasks: int, method: str = DEFAULT_METHOD, suite: str = DEFAULT_SUITE
) -> EasyDict:
    """The preset's policy configuration for `num_tasks` tasks without names that matter."""
    cfg = EasyDict(build_config(preset, method=method, suite=suite)['policy'])
    cfg.tasks = [f'task {k}' for k in range(num_tasks)]
    cfg.model.num_tasks = num_tasks
    if 'clustering' in cfg:
        cfg.clustering, cfg.warmup_steps = 'order', 0
    return cfg


def decision(policy: Policy, num_tasks: int) -> Callable[[], None]:
    """A call that chooses one action for each task, each in one environment of its own, from frames of noise."""
    C, H, W = policy.cfg.model.observation_shape
    frames, ids = torch.randint(0, 256, (num_tasks, C, H, W), dtype=torch.uint8), list(range(num_tasks))
    legal = np.ones((num_tasks, policy.cfg.model.action_space_size))
    return lambda: policy.collect_mode.forward(frames, legal, 1.0, ids, 0.0, ready_env_id=ids, timestep=ids)


def timed(call: Callable[[], Any], device: torch.device = torch.device('cpu')) -> float:
    """Seconds that a call takes, the device's work included."""
    synchronize = torch.cuda.synchronize if device.type == 'cuda' else lambda: None
    synchronize()
    start = time.perf_counter()
    call()
    synchronize()
    return time.perf_counter() - start


def show(title: str, words: Sequence[str], numbers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: columns of words, then columns of numbers; an empty row is a line."""
    table = Table(*words, title=title)
    for name in numbers:
        table.add_column(name, justify='right')
    for row in rows:
        table.add_row(*row) if row else table.add_section()
    Console(width=110).print(table)
