"""TODO"""
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Tuple

import numpy as np

from lzero_mow.config.suites import DEFAULT_METHOD, RANDOM, REFERENCES
from lzero_mow.config.tree import did_you_mean
from lzero_mow.report.stats.intervals import interval, iqm, mean, median, probability_of_improvement, wilson
from lzero_mow.report.stats.scale import Scale, table_scale
from lzero_mow.report.stats.scores import episode_return, finals, methods_of, read_evaluations, result_files, tasks_of
from lzero_mow.report.tables.costs import RUNS, RunCost, read_costs
from lzero_mow.report.tables.results import SUCCESSES, Result

if TYPE_CHECKING:
    from .numbers import MethodSummary, Summary

ALL_TASKS = 'all tasks'  # of successes, their mean
CURVES = 5  # methods, the first of the table, beside reference players: more hide one another
STATISTICS = {'iqm': iqm, 'mean': mean, 'median': median}
# What is estimated, and the ends of its interval: NaN where there is one seed.
Estimate = Tuple[float, float, float]


@dataclass
class MethodSummary:
    """The numbers of one method."""
    method: str
    seeds: int
    env_steps: Tuple[int, int]  # fewest and most at the last evaluation of a run and task
    episodes: Tuple[int, int]  # the same, of these evaluations
    scores: Dict[str, Estimate] = field(default_factory=dict)  # by STATISTICS
    improvement: Optional[Estimate] = None  # probability that the baseline is better
    returns: Dict[str, Estimate] = field(default_factory=dict)  # by task
    # By SUCCESSES, if there are any, and task or ALL_TASKS; of one seed the ends are Wilson's.
    successes: Dict[str, Dict[str, Estimate]] = field(default_factory=dict)
    above_random: List[str] = field(default_factory=list)  # tasks whose interval lies above random play's
    interactions: Optional[float] = None  # environment steps of a seed, all games together
    updates: Optional[float] = None  # of each model
    cpu_minutes: Optional[float] = None  # of a seed, all models of an ensemble together
    megabytes: Optional[float] = None  # the same


@dataclass
class Summary:
    """The numbers of all methods, and what they mean."""
    tasks: List[str]
    scale: Optional[Scale]  # None where nobody is above random play: there are no scores then
    baseline: Optional[str]
    last: int
    methods: List[MethodSummary]
    drawn: List[str]  # methods whose learning curves are drawn


def summarise(folder: str, baseline: Optional[str] = None, last: int = 1, drawn: Sequence[str] = ()) -> Summary:
    """
    Overview:
        Compute the numbers.
    Arguments:
        - folder (:obj:`str`): Holds ``<method>.csv`` and ``runs.csv``.
        - baseline (:obj:`Optional[str]`): The method that the others are compared with; None for MoW if it is there.
        - last (:obj:`int`): A run's final score is the mean of so many last evaluations.
        - drawn (:obj:`Sequence[str]`): Methods whose learning curves are drawn; none for the first of the table.
    Raises:
        - ValueError: in one line for missing files and methods, and for tables that do not fit together.
    """
    if last < 1:
        raise ValueError(f'--last is {last}: expected at least 1 evaluation')
    rows = read_evaluations(result_files(folder))
    methods = methods_of(rows)
    for named in [*drawn, *([] if baseline is None else [baseline])]:
        if named not in methods:
            raise ValueError(f"'{folder}' holds no method '{named}'{did_you_mean(named, methods)}")
    scale = table_scale(rows, last)
    if scale is None and RANDOM not in methods:
        raise ValueError(
            f"'{folder}': {RANDOM}.csv is missing, and there are no human-normalised scores: add random play with "
            f'`python -m lzero_mow experiment SUITE --methods {RANDOM}`'
        )
    return summarise_rows(rows, read_costs(os.path.join(folder, RUNS)), scale, baseline, last, drawn)


def summarise_rows(
        rows: Sequence[Result], costs: Sequence[RunCost], scale: Optional[Scale], baseline: Optional[str] = None,
        last: int = 1, drawn: Sequence[str] = ()
) -> Summary:
    """
    Overview:
        Compute the numbers of evaluations, wherever they come from.
    Arguments:
        - rows (:obj:`Sequence[Result]`), costs (:obj:`Sequence[RunCost]`): Evaluations, and what the runs have cost.
        - scale (:obj:`Optional[Scale]`): What turns returns into scores; without it there are none.
        - baseline, last, drawn: See ``summarise``.
    """
    methods, tasks = methods_of(rows), tasks_of(rows)
    if baseline is None and DEFAULT_METHOD in methods:
        baseline = DEFAULT_METHOD
    drawn = drawn or [method for method in methods if method not in REFERENCES][:CURVES]
    by_method = {method: [row for row in rows if row.method == method] for method in methods}
    summaries = [_method(method, by_method, tasks, scale, baseline, last, costs) for method in methods]
    if RANDOM in methods:
        _mark_above_random(summaries)
    drawn = [method for method in methods if method in (*drawn, *REFERENCES)]
    return Summary(tasks, scale, baseline, last, summaries, drawn)


def _method(
        method: str, rows: Dict[str, List[Result]], tasks: Sequence[str], scale: Optional[Scale],
        baseline: Optional[str], last: int, costs: Sequence[RunCost]
) -> MethodSummary:
    own = rows[method]
    returns = finals(own, tasks, episode_return, last)
    ends = _ends(own)
    numbers = ([getattr(row, name) for row in ends] for name in ('env_step', 'episodes'))
    summary = MethodSummary(method, len(returns), *((min(values), max(values)) for values in numbers))
    if scale is not None:
        scores = finals(own, [task for task in tasks if scale.covers(task)], scale, last)
        for name, statistic in STATISTICS.items():
            summary.scores[name] = _estimate(interval(statistic, scores))
    if baseline not in (None, method):
        # What counts where every evaluation has it; which of two returns is higher needs no scale.
        counts = scale if scale is not None and scale.column is not None else episode_return
        compared = (finals(rows[one], tasks, counts, last) for one in (baseline, method))
        summary.improvement = _estimate(interval(probability_of_improvement, *compared))
    summary.returns = _by_task(tasks, returns)
    for name in SUCCESSES:
        if all(getattr(row, name) is not None for row in own):
            successes = finals(own, tasks, lambda row: getattr(row, name), last)
            summary.successes[name] = _successes(tasks, successes, summary.episodes[0])
    runs = [cost for cost in costs if cost.method == method]
    if runs:
        seeds = len({cost.seed for cost in runs})
        summary.interactions = sum(cost.interactions for cost in runs) / seeds
        summary.updates = sum(cost.updates for cost in runs) / len(runs)
        summary.cpu_minutes = sum(cost.cpu_minutes for cost in runs) / seeds
        summary.megabytes = sum(cost.megabytes for cost in runs) / seeds
    return summary


def _by_task(tasks: Sequence[str], values: np.ndarray) -> Dict[str, Estimate]:
    """Means over seeds of values (seeds, tasks)."""
    estimates = interval(lambda values: values.mean(axis=0), values)
    return {task: tuple(map(float, estimate)) for task, *estimate in zip(tasks, *estimates)}


def _successes(tasks: Sequence[str], values: np.ndarray, episodes: int) -> Dict[str, Estimate]:
    """Means over seeds of values (seeds, tasks), and over all tasks."""
    if len(values) > 1:
        return {**_by_task(tasks, values), ALL_TASKS: _estimate(interval(mean, values))}
    of_tasks = {task: wilson(value, episodes) for task, value in zip(tasks, values[0].tolist())}
    return {**of_tasks, ALL_TASKS: wilson(float(values.mean()), episodes * len(tasks))}


def _ends(rows: Sequence[Result]) -> List[Result]:
    """The last evaluation of each run and task."""
    return list({(row.seed, row.task): row for row in sorted(rows, key=lambda row: row.env_step)}.values())


def _estimate(values: Tuple[np.ndarray, np.ndarray, np.ndarray]) -> Estimate:
    point, low, high = values
    return float(point), float(low), float(high)


def _mark_above_random(summaries: Sequence[MethodSummary]) -> None:
    """A task lies above random play if its interval's lower end lies above the upper end of random play's."""
    random = next(summary for summary in summaries if summary.method == RANDOM)
    for summary in summaries:
        summary.above_random = [
            task for task, (_, low, _) in summary.returns.items() if low > random.returns[task][2]  # False for NaN
        ]
