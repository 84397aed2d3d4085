"""The screen of a run: one live line per task on a terminal, plain log lines elsewhere."""
import time
from typing import List, Optional, Sequence

from ditk import logging
from rich.live import Live
from rich.table import Table

from lzero_mow.utils.screen import SCREEN

# Seconds between two rounds of plain log lines.
LINES_EVERY = 30.0


class Progress:
    """
    Shows the progress of each task: steps, return of its last training episode, score of its last evaluation, steps per
    second. Use as a context manager.
    """

    def __init__(self, tasks: Sequence[str], max_env_step: int) -> None:
        self._tasks, self._max_env_step = tasks, max_env_step
        self._env_step, self._train_iter, self._phase = 0, 0, 'starting'
        self._returns: List[Optional[float]] = [None] * len(tasks)
        self._scores: List[Optional[float]] = [None] * len(tasks)
        self._clock = None
        self.steps_per_second = 0.0
        self._live = Live(console=SCREEN, get_renderable=self._table, auto_refresh=False)
        self._last_lines = time.monotonic()

    def __enter__(self) -> 'Progress':
        if SCREEN.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_) -> None:
        self._live.stop()

    def phase(self, name: str) -> None:
        """Show what the run is doing now, such as ``evaluating``."""
        self._phase = name
        self._refresh()

    def episode(self, task_id: int, episode_return: float) -> None:
        self._returns[task_id] = episode_return

    def evaluation(self, scores: Sequence[Optional[float]]) -> None:
        self._scores = list(scores)

    def step(self, env_step: int, train_iter: int) -> None:
        """Show how far the run is. The speed is a moving average: a call has half its weight after ten more."""
        now = time.monotonic()
        if self._clock is not None and env_step > self._env_step:
            speed = (env_step - self._env_step) / (now - self._clock)
            self.steps_per_second += (speed - self.steps_per_second) * (0.07 if self.steps_per_second else 1)
        self._clock, self._env_step, self._train_iter = now, env_step, train_iter
        self._refresh()
        if not SCREEN.is_terminal and now - self._last_lines >= LINES_EVERY:
            self.write_lines()

    def warm_up(self, done: int, steps: int) -> None:
        """Show how far the warm-up is."""
        self.phase(f'warming up, {done} of {steps}')
        now = time.monotonic()
        if not SCREEN.is_terminal and now - self._last_lines >= LINES_EVERY:
            self._last_lines = now
            logging.info('warming up: update %d of %d', done, steps)

    def write_lines(self) -> None:
        """Write one plain line per task."""
        self._last_lines = time.monotonic()
        for row in self._rows():
            logging.info('%s: step %s, last return %s, score %s, %s steps/s', *row)

    def write_evaluation(self, env_step: int, returns: Sequence[float], score: float) -> None:
        """Write one line for an evaluation: the mean return of each task, and the mean of their scores if they have."""
        overall = '' if None in self._scores else f'; mean score over tasks {score:.3f}'
        scores = ['' if score is None else f' (score {score:.2f})' for score in self._scores]
        means = ', '.join(f'{task} {mean:.1f}{own}' for task, mean, own in zip(self._tasks, returns, scores))
        logging.info('evaluation at step %d: %s%s', env_step, means, overall)

    def _rows(self) -> List[tuple]:
        steps, speed = f'{self._env_step}/{self._max_env_step}', f'{self.steps_per_second:.1f}'
        return [
            (task, steps, _number(self._returns[k], '.1f'), _number(self._scores[k], '.3f'), speed)
            for k, task in enumerate(self._tasks)
        ]

    def _table(self) -> Table:
        table = Table(caption=f'{self._phase}, {self._train_iter} updates', caption_justify='left', box=None)
        for column in ('task', 'steps', 'last return', 'score', 'steps/s'):
            table.add_column(column, justify='left' if column == 'task' else 'right')
        for row in self._rows():
            table.add_row(*row)
        return table

    def _refresh(self) -> None:
        if self._live.is_started:
            self._live.refresh()


def _number(value: Optional[float], form: str) -> str:
    return '-' if value is None else format(value, form)
