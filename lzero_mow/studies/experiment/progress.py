"""How far the runs of an experiment are, on the screen. Light: imports no torch."""
import logging
import time
from typing import Dict, Tuple

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from lzero_mow.utils.screen import SCREEN
from .jobs import Job


class JobsProgress(Progress):
    """On a terminal a live line per run and one for all of them; elsewhere plain log lines."""

    def __init__(self, total: int) -> None:
        columns = (SpinnerColumn(), TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn())
        super().__init__(*columns, TimeElapsedColumn(), console=SCREEN, disable=not SCREEN.is_terminal)
        self._all = self.add_task('all runs', total=total)
        self._running: Dict[str, Tuple[float, TaskID]] = {}  # by the run's name: start and live line
        self._ended, self._total = 0, total

    def note_start(self, job: Job, how: str = 'started') -> None:
        self._running[str(job)] = time.monotonic(), self.add_task(str(job), total=None)
        logging.info('%s: %s', job, how)

    def note_end(self, job: Job, how: str) -> None:
        self._ended += 1
        started, line = self._running.pop(str(job))
        self.remove_task(line)
        self.advance(self._all)
        minutes = (time.monotonic() - started) / 60
        logging.info('%s: %s after %.1f minutes (%d of %d)', job, how, minutes, self._ended, self._total)
