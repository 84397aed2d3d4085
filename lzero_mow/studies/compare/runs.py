"""Finished runs, read back from their folders, and whether they may be compared."""
import os
from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

from lzero_mow.config.envs import evaluation_episodes
from lzero_mow.config.keys import DERIVED_KEYS, SCHEDULE
from lzero_mow.config.keys import INDIFFERENT as INDIFFERENT_KEYS
from lzero_mow.config.saved import load_run_config
from lzero_mow.config.suites import REFERENCES, one_model_per_task
from lzero_mow.config.tree import get, leaves
from lzero_mow.report.tables.costs import ALL_TASKS, RunCost, run_cost
from lzero_mow.report.tables.diagnostics import DIAGNOSTICS, read_diagnostics
from lzero_mow.report.tables.results import Result, read_results
from lzero_mow.report.tables.run_record import RunRecord, read_run_record
from lzero_mow.report.tables.times import TIMES, Times, read_times
from lzero_mow.utils.paths import RESULTS

# Keys of a run's environments that may differ: which games it has, and how many are stepped at once. Of the last two
# follow the episodes of an evaluation, which may not.
INDIFFERENT = ('tasks', 'collector_env_num', 'manager', 'evaluator_env_num', 'evaluation_episodes')


@dataclass(frozen=True)
class FinishedRun:
    """A run folder. A reference player's has neither times nor diagnostics."""
    folder: str
    config: dict
    record: RunRecord
    rows: List[Result]
    times: List[Times]
    diagnostics: List[Tuple[int, str, float]]  # (env_step, name, value)

    @property
    def method(self) -> str:
        """The method's name."""
        return self.record.method

    def cost(self) -> RunCost:
        """What it has cost."""
        member = one_model_per_task(self.method)
        return run_cost(self.record, self.record.tasks[0] if member else ALL_TASKS)


def load_run(folder: str) -> FinishedRun:
    """
    Overview:
        Read a run folder.
    Raises:
        - ValueError: in one line if it is none, or if the run has not ended.
    """
    config, record = load_run_config(folder), read_run_record(folder)
    if record is None:
        command = f'python -m lzero_mow train --resume {folder}'
        raise ValueError(f"the run in '{folder}' has not ended: go on with `{command}`")
    times, diagnostics = os.path.join(folder, TIMES), os.path.join(folder, DIAGNOSTICS)
    return FinishedRun(
        folder, config, record, read_results(os.path.join(folder, RESULTS)),
        read_times(times) if os.path.isfile(times) else [],
        read_diagnostics(diagnostics) if os.path.isfile(diagnostics) else []
    )


def check_comparable(runs: Sequence[FinishedRun]) -> None:
    """
    Overview:
        Check that all but the methods is the same: games, environments, environment steps, updates per step, episodes an
        evaluation, seeds; that a method is the same in all its runs; and that every run went on to its end. Reference
        players may have seeds of their own.
    Raises:
        - ValueError: in one line for the first difference.
    """
    trained = [run for run in runs if run.method not in REFERENCES]
    if not trained:
        raise ValueError('there is nothing to compare: name at least one run that was trained')
    first = next((run for run in trained if not one_model_per_task(run.method)), trained[0])
    for run in runs:
        for key, value in run.config['env'].items():
            if key not in INDIFFERENT and value != first.config['env'].get(key):
                raise ValueError(_differ(run, first, f'env.{key}', value, first.config['env'].get(key)))
    for run in trained:
        episodes, expected = (evaluation_episodes(one.config['env']) for one in (run, first))
        if episodes != expected:
            raise ValueError(_differ(run, first, 'episodes per task in an evaluation', episodes, expected))
        for key in SCHEDULE:
            value, expected = get(run.config, key), get(first.config, key)
            if value != expected:
                raise ValueError(_differ(run, first, key, value, expected))
        if run.record.env_step < run.config['max_env_step']:
            raise ValueError(
                f"'{run.folder}' ended at environment step {run.record.env_step} of {run.config['max_env_step']}: "
                f'go on with `python -m lzero_mow train --resume {run.folder}`'
            )
    _check_methods(trained)
    seeds: Dict[str, List[int]] = {}
    for run in trained:
        seeds[run.method] = sorted({*seeds.get(run.method, []), run.record.seed})
    for method, own in seeds.items():
        if own != seeds[first.method]:
            raise ValueError(
                f"'{method}' has the seeds {own} and '{first.method}' {seeds[first.method]}: compare the same ones"
            )
    games: Dict[Tuple[str, int], List[str]] = {}
    for run in runs:
        games.setdefault((run.method, run.record.seed), []).extend(run.record.tasks)
    expected = games[first.method, first.record.seed]
    for (method, seed), tasks in games.items():
        if len(set(tasks)) < len(tasks):
            raise ValueError(f"seed {seed} of '{method}' is there twice: a run folder for each seed is enough")
        if sorted(tasks) != sorted(expected):
            raise ValueError(
                f"seed {seed} of '{method}' has the games {', '.join(tasks)}, '{first.folder}' has "
                f"{', '.join(expected)}"
            )


def _check_methods(trained: Sequence[FinishedRun]) -> None:
    firsts: Dict[str, FinishedRun] = {}
    for run in trained:
        first = firsts.setdefault(run.method, run)
        for key in leaves(run.config['policy'], 'policy.'):
            value, expected = get(run.config, key), get(first.config, key)
            if key not in DERIVED_KEYS and key not in INDIFFERENT_KEYS and value != expected:
                raise ValueError(
                    f"'{run.folder}' has {key}={value}, '{first.folder}' has {expected}: runs of one method, "
                    f"'{run.method}', differ in their seeds alone"
                )


def _differ(run: FinishedRun, first: FinishedRun, what: str, value: object, expected: object) -> str:
    return f"'{run.folder}' has {what}={value}, '{first.folder}' has {expected}: nothing but the method may differ"
