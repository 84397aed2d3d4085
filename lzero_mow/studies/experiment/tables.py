"""
What an experiment leaves to be looked at and committed: ``<output>/<suite>/<method>.csv``, the evaluations of all seeds
that have ended; ``runs.csv``, what every run has cost, and ``times.csv``, what it had cost at every evaluation.
"""
import os
from typing import List, Sequence, Set

import pandas as pd

from lzero_mow.config.suites import one_model_per_task, suite_name
from lzero_mow.report.tables.costs import ALL_TASKS, COSTS, RUNS, run_cost
from lzero_mow.report.tables.csv_table import Table, write_csv
from lzero_mow.report.tables.results import read_results
from lzero_mow.report.tables.run_record import read_run_record
from lzero_mow.report.tables.times import ALL_TIMES, TIMES, times_of
from lzero_mow.report.tables.times import TABLE as TIMES_TABLE
from lzero_mow.utils.files import locked
from lzero_mow.utils.paths import RESULTS
from .jobs import Plan, has_ended, run_name, seeds_in


def check_tables(plan: Plan, tasks: Sequence[str], output: str) -> None:
    """
    Refuse to replace a table by one with less in it: with fewer tasks, or without seeds whose runs are elsewhere. See
    ``write_tables``; ValueError in one line.
    """
    for method in plan.methods:
        path = os.path.join(output, suite_name(plan.suite), f'{method}.csv')
        if not os.path.isfile(path):
            continue
        rows, seeds = read_results(path), [*plan.seeds, *seeds_in(plan.folder(method))]
        for lost in rows[~rows.seed.isin(seeds) | ~rows.task.isin(tasks)].itertuples():
            raise ValueError(
                f"'{path}' holds {lost.task} of seed {lost.seed}, which these runs do not have: choose another "
                '--output, or move the table away'
            )


def write_tables(plan: Plan, tasks: Sequence[str], output: str) -> None:
    """
    Write the tables of a plan's methods, in the suite's folder below ``output``, from the runs that have ended, of this
    plan's seeds and of others; a seed of an ensemble has ended when the members of all tasks have. Rows in ``runs.csv``
    and ``times.csv`` of methods without such a run stay; another process that writes them is waited for.
    """
    folder, costs, times = os.path.join(output, suite_name(plan.suite)), [], []
    for method in plan.methods:
        runs = plan.folder(method)
        members = list(tasks) if one_model_per_task(method) else [None]
        of_seed = {seed: [os.path.join(runs, run_name(seed, task)) for task in members] for seed in seeds_in(runs)}
        ended = [run_dirs for run_dirs in of_seed.values() if all(map(has_ended, run_dirs))]
        if ended:
            rows = [read_results(os.path.join(run_dir, RESULTS)) for run_dirs in ended for run_dir in run_dirs]
            write_csv(os.path.join(folder, f'{method}.csv'), pd.concat(rows))
        for run_dirs in ended:
            costs += [run_cost(read_run_record(run), task or ALL_TASKS) for run, task in zip(run_dirs, members)]
            times += [TIMES_TABLE.read_if_there(os.path.join(run, TIMES)) for run in run_dirs]
    methods = {row.method for row in costs}
    times = [times_of(of_run, run.method, run.seed, run.task) for of_run, run in zip(times, costs)]
    with locked(os.path.join(plan.runs, suite_name(plan.suite), 'lock'), wait=True):
        _replace_rows(os.path.join(folder, RUNS), COSTS, methods, [COSTS.frame(costs)])
        _replace_rows(os.path.join(folder, TIMES), ALL_TIMES, methods, times)


def _replace_rows(path: str, table: Table, methods: Set[str], rows: List[pd.DataFrame]) -> None:
    """Put new rows of some methods in the place of those that the file has; the other methods' stay."""
    others = table.read_if_there(path)
    rows = pd.concat([others[~others.method.isin(methods)], *rows])
    if len(rows):
        write_csv(path, rows)
