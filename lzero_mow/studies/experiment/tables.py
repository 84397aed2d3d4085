"""
What an experiment leaves to be looked at and committed: ``<output>/<suite>/<method>.csv``, the evaluations of all seeds
that have ended, and ``runs.csv``, what every run has cost.
"""
import os
from typing import List, Optional, Sequence

from lzero_mow.config.suites import one_model_per_task
from lzero_mow.report.tables.costs import ALL_TASKS, RUNS, read_costs, run_cost, write_costs
from lzero_mow.report.tables.results import append_results, read_results
from lzero_mow.report.tables.run_record import read_run_record
from lzero_mow.utils.files import locked, replacing
from lzero_mow.utils.paths import RESULTS
from .jobs import Plan, has_ended, run_name, seeds_in


def check_tables(plan: Plan, tasks: Sequence[str], output: str) -> None:
    """
    Overview:
        Refuse to replace a table by one with less in it: with fewer tasks, or without seeds whose runs are elsewhere.
    Arguments:
        - plan, tasks, output: See ``write_tables``.
    Raises:
        - ValueError: in one line.
    """
    for method in plan.methods:
        path = os.path.join(output, plan.suite, f'{method}.csv')
        if not os.path.isfile(path):
            continue
        seeds = {*plan.seeds, *seeds_in(plan.folder(method))}
        lost = [row for row in read_results(path) if row.seed not in seeds or row.task not in tasks]
        if lost:
            raise ValueError(
                f"'{path}' holds {lost[0].task} of seed {lost[0].seed}, which these runs do not have: choose another "
                '--output, or move the table away'
            )


def write_tables(plan: Plan, tasks: Sequence[str], output: str) -> None:
    """
    Overview:
        Write the tables of a plan's methods from the runs that have ended, of this plan's seeds and of others. Rows in
        ``runs.csv`` of methods without such a run stay; another process that writes it is waited for.
    Arguments:
        - tasks (:obj:`Sequence[str]`): All tasks. A seed of an ensemble has ended when all its members have.
        - output (:obj:`str`): The folder above the suite's.
    """
    folder = os.path.join(output, plan.suite)
    costs = []
    for method in plan.methods:
        members = list(tasks) if one_model_per_task(method) else [None]
        ended = _ended(plan.folder(method), members)
        if not ended:
            continue
        run_dirs = {
            (seed, task): os.path.join(plan.folder(method), run_name(seed, task))
            for seed in ended for task in members
        }
        _write_results(os.path.join(folder, f'{method}.csv'), list(run_dirs.values()))
        costs += [run_cost(read_run_record(run_dir), task or ALL_TASKS) for (_, task), run_dir in run_dirs.items()]
    path = os.path.join(folder, RUNS)
    with locked(os.path.join(plan.runs, plan.suite, 'lock'), wait=True):
        written = {row.method for row in costs}
        others = [row for row in read_costs(path) if row.method not in written]
        if others or costs:
            write_costs(path, others + costs)


def _ended(folder: str, members: Sequence[Optional[str]]) -> List[int]:
    """The seeds of which every member has ended."""
    return [
        seed for seed in seeds_in(folder)
        if all(has_ended(os.path.join(folder, run_name(seed, task))) for task in members)
    ]


def _write_results(path: str, run_dirs: List[str]) -> None:
    with replacing(path) as temporary:
        if os.path.exists(temporary):
            os.remove(temporary)  # of a process that was killed
        append_results(temporary, [row for run_dir in run_dirs for row in read_results(os.path.join(run_dir, RESULTS))])
