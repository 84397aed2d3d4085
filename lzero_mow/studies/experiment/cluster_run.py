"""One run of an experiment as a job of a cluster, which may take several jobs. Light: imports no torch."""
import logging
import os
import time
from typing import Any, List, Optional

from lzero_mow.utils.exit_codes import INTERRUPTED
from lzero_mow.utils.paths import LATEST
from .runs import Run

FRUITLESS = 3  # jobs in a row after which nothing new is saved, and no further one is queued
# SLURM tells all processes of a job that its time is over. The run must not die of it: this process ends it in order.
DEAF = ('sh', '-c', 'trap "" USR2; exec "$@"', 'sh')
PREEMPTED_SECONDS = 600.0


class ClusterRun(Run):
    """A run in a job of submitit, which is queued again and goes on as long as its jobs bring it further."""

    _fruitless = 0
    _saved: Optional[float] = None

    def __call__(self) -> Optional[str]:
        self._saved = self._last_save()
        word = super().__call__()
        if self._process is not None and self._process.returncode == INTERRUPTED:
            # By the scheduler's SIGTERM, as a warning. The job's end follows, and whether it is queued again.
            time.sleep(PREEMPTED_SECONDS)
        return word

    def checkpoint(self) -> Any:
        """
        What submitit calls before the time of a job is over, or others need the machine. Returns what is queued next:
        the same; or None, if it has come no further in several jobs.
        """
        from submitit.helpers import DelayedSubmission
        if self._process is not None:
            self._end_process()
        again = ClusterRun(self.job, self._plan, self._threads)
        again._fruitless = self._fruitless + 1 if self._last_save() == self._saved else 0
        if again._fruitless == FRUITLESS:
            logging.error('%s has saved nothing in %d jobs: give it more --slurm time', self.job, FRUITLESS)
            return None
        return DelayedSubmission(again)

    def _command(self) -> List[str]:
        return [*DEAF, *super()._command()]

    def _last_save(self) -> Optional[float]:
        """When the run's checkpoint was written."""
        path = os.path.join(self.job.run_dir, LATEST)
        return os.path.getmtime(path) if os.path.isfile(path) else None
