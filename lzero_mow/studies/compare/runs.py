"""Finished runs, read back from their folders, and whether they may be compared."""
import os
from collections import defaultdict
from dataclasses import dataclass
from typing import Iterable, Sequence

import pandas as pd

from lzero_mow.config.envs import evaluation_episodes
from lzero_mow.config.keys import COMPARED_ENVS_MAY_DIFFER, COMPARED_SCHEDULE, DERIVED_KEYS, NO_INFLUENCE
from lzero_mow.config.saved import load_run_config
from lzero_mow.config.suites import one_model_per_task, references
from lzero_mow.config.tree import get, leaves
from lzero_mow.report.tables.costs import ALL_TASKS, RunCost, run_cost
from lzero_mow.report.tables.diagnostics import DIAGNOSTICS
from lzero_mow.report.tables.diagnostics import TABLE as DIAGNOSTICS_TABLE
from lzero_mow.report.tables.results import read_results
from lzero_mow.report.tables.run_record import RunRecord, read_run_record
from lzero_mow.report.tables.times import TABLE as TIMES_TABLE
from lzero_mow.report.tables.times import TIMES, times_of
from lzero_mow.utils.paths import RESULTS

ONLY_THE_METHOD = 'only the method may differ'


@dataclass(frozen=True)
class FinishedRun:
    """A run folder. A reference player's times and diagnostics are empty."""
    folder: str
    config: dict
    record: RunRecord
    rows: pd.DataFrame  # evaluations
    times: pd.DataFrame
    diagnostics: pd.DataFrame

    @property
    def method(self) -> str:
        """Its method's name."""
        return self.record.method

    def cost(self) -> RunCost:
        """Its row of ``runs.csv``."""
        return run_cost(self.record, self._task)

    def all_times(self) -> pd.DataFrame:
        """Its rows of an experiment's ``times.csv``."""
        return times_of(self.times, self.method, self.record.seed, self._task)

    @property
    def _task(self) -> str:
        return self.record.tasks[0] if one_model_per_task(self.method) else ALL_TASKS


def load_run(folder: str) -> FinishedRun:
    """Read a run folder; ValueError in one line if it is none, or if the run has not ended."""
    config, record = load_run_config(folder), read_run_record(folder)
    if record is None:
        command = f'python -m lzero_mow train --resume {folder}'
        raise ValueError(f"the run in '{folder}' has not ended: go on with `{command}`")
    times = TIMES_TABLE.read_if_there(os.path.join(folder, TIMES))
    diagnostics = DIAGNOSTICS_TABLE.read_if_there(os.path.join(folder, DIAGNOSTICS))
    return FinishedRun(folder, config, record, read_results(os.path.join(folder, RESULTS)), times, diagnostics)


def check_comparable(runs: Sequence[FinishedRun]) -> None:
    """
    Check that the runs differ in nothing but the method: games, environments, environment steps, updates per step,
    episodes per evaluation and seeds are the same; so is everything else between the runs of one method; and every run
    went on to its end. Reference players may have seeds of their own. ValueError in one line for the first difference.
    """
    trained = [run for run in runs if run.method not in references()]
    if not trained:
        raise ValueError('there is nothing to compare: name at least one run that was trained')
    first = next((run for run in trained if not one_model_per_task(run.method)), trained[0])
    for run in runs:
        env_keys = [f'env.{key}' for key in run.config['env']]
        _check_same(run, first, [key for key in env_keys if key not in COMPARED_ENVS_MAY_DIFFER])
    for run in trained:
        episodes = (evaluation_episodes(one.config['env']) for one in (run, first))
        _check_equal(run, first, 'episodes per task in an evaluation', *episodes)
        _check_same(run, first, COMPARED_SCHEDULE)
        if run.record.env_step < run.config['max_env_step']:
            raise ValueError(
                f"'{run.folder}' ended at environment step {run.record.env_step} of {run.config['max_env_step']}: "
                f'go on with `python -m lzero_mow train --resume {run.folder}`'
            )
    firsts = {}
    for run in trained:
        rule = f"runs of one method, '{run.method}', may differ only in their seeds"
        keys = (key for key in leaves(run.config['policy'], 'policy.') if key not in {*DERIVED_KEYS, *NO_INFLUENCE})
        _check_same(run, firsts.setdefault(run.method, run), keys, rule)
    _check_seeds_and_games(runs, first)


def _check_same(run: FinishedRun, first: FinishedRun, keys: Iterable[str], rule: str = ONLY_THE_METHOD) -> None:
    for key in keys:
        _check_equal(run, first, key, get(run.config, key), get(first.config, key), rule)


def _check_equal(
        run: FinishedRun, first: FinishedRun, what: str, value: object, expected: object, rule: str = ONLY_THE_METHOD
) -> None:
    if value != expected:
        raise ValueError(f"'{run.folder}' has {what}={value}, '{first.folder}' has {expected}: {rule}")


def _check_seeds_and_games(runs: Sequence[FinishedRun], first: FinishedRun) -> None:
    games = defaultdict(list)  # by method and seed
    for run in runs:
        games[run.method, run.record.seed] += run.record.tasks
    seeds = {method: sorted(seed for other, seed in games if other == method) for method, _ in games}
    for method, own in seeds.items():
        if method not in references() and own != seeds[first.method]:
            raise ValueError(
                f"'{method}' has the seeds {own} and '{first.method}' {seeds[first.method]}: compare the same ones"
            )
    expected = games[first.method, first.record.seed]
    for (method, seed), tasks in games.items():
        if len(set(tasks)) < len(tasks):
            raise ValueError(f"seed {seed} of '{method}' is there twice: name one run folder per seed")
        if sorted(tasks) != sorted(expected):
            raise ValueError(
                f"seed {seed} of '{method}' has the games {', '.join(tasks)}, '{first.folder}' has "
                f"{', '.join(expected)}"
            )
