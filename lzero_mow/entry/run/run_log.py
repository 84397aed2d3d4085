"""What a run records over environment steps: ``results.csv``, ``diagnostics.csv``, ``times.csv``, TensorBoard."""
import contextlib
import os
import shutil
from typing import Any, Dict, List, Optional, Sequence, Union

import numpy as np
import torch

from lzero_mow.config.references import Reference
from lzero_mow.report.tables.csv_table import cut_results
from lzero_mow.report.tables.diagnostics import DIAGNOSTICS, append_diagnostics, matrix_rows
from lzero_mow.report.tables.results import SUCCESSES, aggregate, append_results, evaluation_rows
from lzero_mow.report.tables.times import TIMES, Times, append_times
from lzero_mow.utils.paths import RESULTS
from .cost import peak_memory
from .scalar_writer import ScalarWriter

# A task's score is the first of these that all tasks have. Returns of unlike games only count by their symlog, so that
# no game outweighs the others.
SCORES = ('success_any', 'normalised', 'symlog_return')


class RunLog:
    """
    Overview:
        The log of one run. Scalars: ``evaluation/<task>/return`` and, if defined, ``normalised``, ``success_any`` and
        ``success_last``, and the mean, median and iqm of the score over tasks; ``collect/<task>/episode_return``
        and ``episode_length`` of training episodes; ``run/*`` for speed and memory; ``plasticity/*`` for diagnoses; and
        under their own names what the policy's updates return.
    Arguments:
        - references (:obj:`Sequence`): For each task its fixed references, or None.
        - log_freq (:obj:`int`): Updates over which training scalars are averaged.
        - resumed_at (:obj:`Optional[int]`): Step at which a resumed run continues; TensorBoard hides what came after.
    """

    def __init__(
            self, run_dir: str, method: str, seed: int, tasks: Sequence[str],
            references: Sequence[Optional[Reference]], log_freq: int, resumed_at: Optional[int] = None
    ) -> None:
        self.results, self.diagnostics, self.times = (
            os.path.join(run_dir, name) for name in (RESULTS, DIAGNOSTICS, TIMES)
        )
        purge_step = None if resumed_at is None else resumed_at + 1
        self.writer = ScalarWriter(os.path.join(run_dir, 'log', 'serial'), purge_step=purge_step)
        self.last_scores: List[Optional[float]] = [None] * len(tasks)
        # (K, episodes) of the last evaluation; None if it was not made since the run was opened.
        self.last_returns: Optional[np.ndarray] = None
        self._method, self._seed, self._tasks, self._references = method, seed, tasks, references
        self._log_freq = log_freq
        self._sums: Dict[str, torch.Tensor] = {}
        self._counts: Dict[str, int] = {}
        self._updates = 0

    def evaluation(self, env_step: int, episodes: Dict[str, np.ndarray]) -> float:
        """
        Record an evaluation: ``return``, and ``success_any`` and ``success_last`` if defined, (K, episodes) each, in
        task order. Returns the run's score: the mean over tasks of the first of ``SCORES`` that all tasks have.
        """
        rows = evaluation_rows(self._method, self._seed, self._tasks, self._references, env_step, episodes)
        append_results(self.results, rows)
        self.last_returns = episodes['return']
        columns = {name: [getattr(row, name) for row in rows] for name in (*SUCCESSES, 'normalised')}
        self.last_scores = columns['normalised' if None in columns['success_any'] else 'success_any']
        returns = np.array([row.episode_return for row in rows])
        for name, values in {**columns, 'return': returns.tolist()}.items():
            for task, value in zip(self._tasks, values):
                if value is not None:
                    self.writer.add_scalar(f'evaluation/{task}/{name}', value, env_step)
        columns['symlog_return'] = np.sign(returns) * np.log1p(np.abs(returns))
        name = next(name for name in SCORES if None not in columns[name])
        summary = aggregate(columns[name])
        for statistic, value in summary.items():
            self.writer.add_scalar(f'evaluation/{name}_{statistic}', value, env_step)
        self.writer.flush()
        return summary['mean']

    def time(self, times: Times) -> None:
        """Record what was done until an evaluation, and how long it took."""
        append_times(self.times, times)

    def diagnosis(self, env_step: int, diagnosis: Dict[str, Any]) -> None:
        """Record a diagnosis, see `MultitaskPolicy.diagnose`; the table has the cosines as well."""
        rows = dict(diagnosis['scalars'])
        for part, cosine in diagnosis['conflict'].items():
            rows.update(matrix_rows(part, cosine, self._tasks))
        append_diagnostics(self.diagnostics, env_step, rows)
        for name, value in diagnosis['scalars'].items():
            self.writer.add_scalar(name if name.startswith('learning/') else f'plasticity/{name}', value, env_step)

    def episode(self, task: str, env_step: int, episode_return: float, length: int) -> None:
        """Record a finished training episode: its raw return and its length in environment steps."""
        self.writer.add_scalar(f'collect/{task}/episode_return', episode_return, env_step)
        self.writer.add_scalar(f'collect/{task}/episode_length', length, env_step)

    def update(self, env_step: int, metrics: Dict[str, Union[torch.Tensor, float]]) -> None:
        """
        Add the metrics of one update to the running means, which are written every ``log_freq`` updates. Until then
        tensors stay on their device.
        """
        metrics = {name: torch.as_tensor(value).detach().float() for name, value in metrics.items()}
        for name in metrics:
            self._counts[name] = self._counts.get(name, 0) + 1
        known = [name for name in metrics if name in self._sums]
        if known:
            # A resumed run's sums are in main memory at first.
            self._sums.update({name: self._sums[name].to(metrics[name].device) for name in known})
            torch._foreach_add_([self._sums[name] for name in known], [metrics[name] for name in known])
        self._sums.update({name: x.clone() for name, x in metrics.items() if name not in self._sums})
        self._updates += 1
        if self._updates < self._log_freq:
            return
        device = next(iter(self._sums.values())).device
        totals = torch.stack([total.to(device) for total in self._sums.values()])  # numbers of the host among them
        for name, total in zip(self._sums, totals.tolist()):
            self.writer.add_scalar(name, total / self._counts[name], env_step)
        self._sums, self._counts, self._updates = {}, {}, 0

    def speed(
            self, env_step: int, train_iter: int, steps_per_second: float, transitions: int, interactions: int
    ) -> None:
        """Record how far and how fast the run is, and how much memory it takes."""
        scalars = dict(
            updates=train_iter, env_steps_per_second=steps_per_second, replay_transitions=transitions,
            interactions=interactions, peak_memory_gib=peak_memory() / 2 ** 30
        )
        for name, value in scalars.items():
            self.writer.add_scalar(f'run/{name}', value, env_step)

    def copy_tables(self, folder: str) -> None:
        """Begin with the tables in another run folder, which may be longer than a checkpoint says."""
        for path in (self.results, self.diagnostics, self.times):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(os.path.join(folder, os.path.basename(path)), path)

    def state_dict(self) -> dict:
        """
        What a resumed run needs: the lengths of the tables now, the latest scores, and the running means of the updates
        that are not written yet.
        """
        sums = {name: total.cpu() for name, total in self._sums.items()}
        return dict(
            results_size=_size(self.results), diagnostics_size=_size(self.diagnostics), times_size=_size(self.times),
            last_scores=list(self.last_scores), sums=sums, counts=dict(self._counts), updates=self._updates
        )

    def load_state_dict(self, state: dict) -> None:
        """Go back to a saved state: rows written after it are cut from the tables."""
        cut_results(self.results, state['results_size'])
        cut_results(self.diagnostics, state['diagnostics_size'])
        cut_results(self.times, state['times_size'])
        self.last_scores = list(state['last_scores'])
        self._sums, self._counts, self._updates = dict(state['sums']), dict(state['counts']), state['updates']

    def close(self) -> None:
        self.writer.close()


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0
