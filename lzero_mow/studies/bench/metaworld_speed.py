"""
Environment steps a second of Meta-World, in one to four processes, with and without pictures.

    python -m lzero_mow.studies.bench.metaworld_speed [--task reach] [--processes 1 2 4] [--steps 300] [--profiles fast full]

Every process has one environment and one renderer. Time runs from the moment when all of them are ready. Shown are
the median, the least and the most of several measurements.
"""
import argparse
import multiprocessing
import time
from multiprocessing.connection import wait
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from statistics import median
from typing import Optional, Tuple

from rich.console import Console
from rich.progress import track
from rich.table import Table

from lzero_mow.config.metaworld import METAWORLD, PROFILES
from lzero_mow.envs.metaworld_game import require_metaworld
from lzero_mow.envs.rendering import choose_gl
from .command_line import command_line

NO_PICTURES = 'none'
STEPS = {NO_PICTURES: 20, 'fast': 1, 'full': 0.2}  # as many times --steps, for measurements of about equal length


def play(task: str, profile: str, steps: int, ready: Barrier, done: SimpleQueue) -> None:
    """One process: play at random, and say when it began and ended."""
    from lzero_mow.envs.metaworld import MetaWorldMoWEnv
    pictures = profile != NO_PICTURES
    env = MetaWorldMoWEnv(dict(task=task, render_profile=profile if pictures else PROFILES[0]))
    env.seed(0)
    env.reset()
    take = env.step if pictures else env.play
    ready.wait()
    start = time.perf_counter()
    for _ in range(steps):
        info = take(env.random_action())[-1]
        if info['truncated']:
            env.reset()
    done.put((start, time.perf_counter()))
    env.close()


def steps_per_second(task: str, profile: str, processes: int, steps: int) -> float:
    """Of all processes together."""
    spawn = multiprocessing.get_context('spawn')  # a process that was forked from one with a GL context hangs
    ready, done = spawn.Barrier(processes), spawn.SimpleQueue()
    workers = [spawn.Process(target=play, args=(task, profile, steps, ready, done)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    while running := [worker for worker in workers if worker.exitcode is None]:
        wait([worker.sentinel for worker in running])
        if any(worker.exitcode for worker in workers):  # the others would wait for it
            for worker in workers:
                worker.terminate()
            raise SystemExit(f'{task}, {profile} pictures: one of {processes} processes died')
    starts, ends = zip(*(done.get() for _ in workers))
    return processes * steps / (max(ends) - min(starts))


def parse(arguments: Optional[list]) -> argparse.Namespace:
    """The checked command line."""
    parser = command_line('metaworld_speed', __doc__)
    parser.add_argument('--task', default='reach', help='default: %(default)s')
    parser.add_argument('--processes', type=int, nargs='+', default=[1, 2, 3, 4], help='default: 1 to 4')
    parser.add_argument(
        '--steps', type=int, default=300,
        help='of each process with fast pictures (default: %(default)s), without pictures 20 times, with full ones a '
        'fifth as many'
    )
    parser.add_argument('--repeats', type=int, default=3, help='measurements of each number (default: %(default)s)')
    parser.add_argument('--profiles', nargs='+', choices=PROFILES, default=PROFILES, help='default: both')
    args = parser.parse_args(arguments)
    try:
        METAWORLD.check(dict(tasks=[args.task]))
        require_metaworld()
        choose_gl()
    except ValueError as error:
        parser.error(str(error))
    if min(args.steps, args.repeats, *args.processes) < 1:
        parser.error('--steps, --repeats and --processes must be at least 1')
    return args


def main(arguments: Optional[list] = None) -> None:
    """Measure and show the table."""
    args = parse(arguments)
    rows: Tuple[str, ...] = (NO_PICTURES, *args.profiles)
    table = Table(title=f'{args.task}, steps/s of all processes: median of {args.repeats} (least to most)')
    table.add_column('pictures')
    for processes in args.processes:
        table.add_column(f'{processes} processes' if processes > 1 else '1 process', justify='right')
    for profile in rows:
        steps, cells = max(1, round(args.steps * STEPS[profile])), []
        for processes in track(args.processes, description=profile, transient=True):
            speeds = [steps_per_second(args.task, profile, processes, steps) for _ in range(args.repeats)]
            cells.append(f'{median(speeds):.0f} ({min(speeds):.0f} to {max(speeds):.0f})')
        table.add_row(profile, *cells)
    Console(width=110).print(table)


if __name__ == '__main__':
    main()
