"""Runs as processes of this machine, several at once. Light: imports no torch."""
import signal
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Callable, Dict, List, Optional, Sequence

from .jobs import Job, Plan, is_finished
from .progress import JobsProgress
from .runs import Run


def run_jobs(jobs: Sequence[Job], plan: Plan, at_once: int, threads: int, on_finished: Callable) -> List[Job]:
    """
    Run jobs in their order, ``at_once`` processes with ``threads`` threads each. One that fails does not stop the
    others: returned are those that did not reach their end. ``on_finished`` is called whenever a run has reached it.
    KeyboardInterrupt after Ctrl-C or SIGTERM, when all processes have ended.
    """
    runs, failed = [Run(job, plan, threads) for job in jobs], []
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    with JobsProgress(len(jobs)) as progress, ThreadPoolExecutor(at_once) as pool:

        def start(run: Run) -> Optional[str]:
            progress.note_start(run.job)
            return run()

        futures: Dict[Future, Job] = {pool.submit(start, run): run.job for run in runs}
        try:
            for future in as_completed(futures):
                error = future.exception()
                word = future.result() if error is None else f'failed: {str(error).strip() or repr(error)}'
                if not note_end(futures[future], word, progress, on_finished):
                    failed.append(futures[future])
        finally:
            for run in runs:
                run.stop()
            pool.shutdown(cancel_futures=True)
            signal.signal(signal.SIGTERM, previous)
    return failed


def note_end(job: Job, word: Optional[str], progress: JobsProgress, on_finished: Callable) -> bool:
    """Say how a job has ended, with a word if there is one about it; returns whether it has reached its end."""
    finished = is_finished(job)
    progress.note_end(job, 'finished' if finished else word or f'failed: see {job.log}')
    if finished:
        on_finished()
    return finished
