"""
Environment steps per second of Meta-World's reach, in one to four processes, with and without pictures.

    python -m lzero_mow.studies.bench.metaworld_speed [--processes 1 2 4] [--steps 300] [--repeats 3]

Every process has one environment and one renderer, and makes --steps with fast pictures, 20 times as many without
pictures, a fifth with full ones. Time runs from the moment when all of them are ready. Shown are the median, the least
and the most of --repeats measurements.
"""
import multiprocessing
import time
from multiprocessing.connection import wait
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from statistics import median

from rich.progress import track

from lzero_mow.config.metaworld import PROFILES
from lzero_mow.envs.metaworld_game import require_metaworld
from lzero_mow.envs.rendering import choose_gl
from .shared import parse, show

TASK, NO_PICTURES = 'reach', 'none'
# As multiples of --steps, so that measurements take about equally long.
STEPS = {NO_PICTURES: 20, 'fast': 1, 'full': 0.2}


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


def main() -> None:
    def check(_) -> None:
        require_metaworld()
        choose_gl()

    args = parse('metaworld_speed', __doc__, check, processes=[1, 2, 3, 4], steps=300, repeats=3)
    rows = []
    for profile, share in STEPS.items():
        steps, cells = max(1, round(args.steps * share)), [profile]
        for processes in track(args.processes, description=profile, transient=True):
            speeds = [steps_per_second(TASK, profile, processes, steps) for _ in range(args.repeats)]
            cells.append(f'{median(speeds):.0f} ({min(speeds):.0f} to {max(speeds):.0f})')
        rows.append(cells)
    numbers = [f'{processes} processes' if processes > 1 else '1 process' for processes in args.processes]
    title = f'{TASK}, steps/s of all processes: median of {args.repeats} (least to most)'
    show(title, ['pictures'], numbers, rows)


if __name__ == '__main__':
    main()
