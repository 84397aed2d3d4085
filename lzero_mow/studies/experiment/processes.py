"""Runs as processes, several at once, with a progress bar. Light: imports no torch."""
import logging
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import Callable, Dict, Iterator, List, Sequence, Tuple

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from lzero_mow.utils.screen import SCREEN
from .jobs import Job, Plan, command, is_finished

POLL_SECONDS = 0.2
# How long an interrupted run may take to close its environments before it is killed.
GRACE_SECONDS = 30


def run_jobs(jobs: Sequence[Job], plan: Plan, at_once: int, threads: int, on_finished: Callable) -> List[Job]:
    """
    Run jobs in their order, ``at_once`` processes with ``threads`` threads each. One that fails does not stop the
    others: returned are those that did not reach their end. ``on_finished`` is called whenever a run has reached it.
    KeyboardInterrupt after Ctrl-C or SIGTERM, when all processes have ended.
    """
    waiting, running, failed = list(jobs), {}, []
    with _Screen(len(jobs)) as screen, _stopping(running):
        while waiting or running:
            while waiting and len(running) < at_once:
                job = waiting.pop(0)
                screen.note_start(job)
                try:
                    running[_start(job, plan, threads)] = job
                except BlockingIOError:
                    screen.note_end(job, 'is being trained by another process')
                    failed.append(job)
            for process in [process for process in running if process.poll() is not None]:
                job = running.pop(process)
                if is_finished(job):
                    screen.note_end(job, 'finished')
                    on_finished()
                else:
                    screen.note_end(job, f'failed: see {job.log}')
                    failed.append(job)
            time.sleep(POLL_SECONDS)
    return failed


def _start(job: Job, plan: Plan, threads: int) -> subprocess.Popen:
    # In a session of its own: Ctrl-C reaches this process alone, which tells the others.
    arguments = command(job, plan)
    names = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'NUMEXPR_NUM_THREADS')
    environment = {**os.environ, **dict.fromkeys(names, str(threads))}
    os.makedirs(os.path.dirname(job.log), exist_ok=True)
    with open(job.log, 'a') as log:
        return subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment,
            start_new_session=True
        )


@contextmanager
def _stopping(running: Dict[subprocess.Popen, Job]) -> Iterator[None]:
    """Whatever ends the block, SIGTERM too, ends the processes and waits for them; their last checkpoints stay."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        yield
    finally:
        for process in running:
            process.terminate()  # SIGINT would be lost on those that inherited it ignored, such as below nohup
        for process in running:
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        signal.signal(signal.SIGTERM, previous)


class _Screen(Progress):
    """On a terminal a live line per run and one for all of them; elsewhere plain log lines."""

    def __init__(self, total: int) -> None:
        columns = (SpinnerColumn(), TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn())
        super().__init__(*columns, TimeElapsedColumn(), console=SCREEN, disable=not SCREEN.is_terminal)
        self._all = self.add_task('all runs', total=total)
        self._running: Dict[str, Tuple[float, TaskID]] = {}  # by the run's name: start and live line
        self._ended, self._total = 0, total

    def note_start(self, job: Job) -> None:
        self._running[str(job)] = time.monotonic(), self.add_task(str(job), total=None)
        logging.info('%s: started', job)

    def note_end(self, job: Job, how: str) -> None:
        self._ended += 1
        started, line = self._running.pop(str(job))
        self.remove_task(line)
        self.advance(self._all)
        minutes = (time.monotonic() - started) / 60
        logging.info('%s: %s after %.1f minutes (%d of %d)', job, how, minutes, self._ended, self._total)
