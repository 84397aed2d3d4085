"""What methods have reached, as numbers with their intervals, from ``<method>.csv`` and ``runs.csv``."""
import os
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import pandas as pd

from lzero_mow.config.peers import Peer, peers_of
from lzero_mow.config.suites import DEFAULT_METHOD, RANDOM, references
from lzero_mow.config.tree import did_you_mean
from lzero_mow.report.stats.intervals import Statistic, interval, iqm, mean, median, probability_of_improvement, wilson
from lzero_mow.report.stats.scale import Scale, table_scale
from lzero_mow.report.stats.scores import RETURN, finals, methods_of, read_evaluations, result_files, tasks_of
from lzero_mow.report.tables.costs import RUNS, read_costs
from lzero_mow.report.tables.results import SUCCESSES

ALL_TASKS = 'all tasks'  # the mean of the successes over all tasks
CURVES = 5  # methods, the first of the table, beside reference players: more would hide one another
STATISTICS = {'iqm': iqm, 'mean': mean, 'median': median}
# A number, and the ends of its interval: NaN where there is one seed.
Estimate = Tuple[float, float, float]


@dataclass
class MethodSummary:
    """The numbers of one method."""
    method: str
    seeds: int
    env_steps: Tuple[int, int]  # fewest and most, over runs and tasks, at their last evaluation
    episodes: Tuple[int, int]  # the same, of that evaluation
    scores: Dict[str, Estimate] = field(default_factory=dict)  # by STATISTICS
    improvement: Optional[Estimate] = None  # probability that the baseline is better
    returns: Dict[str, Estimate] = field(default_factory=dict)  # by task
    # By SUCCESSES, if there are any, and task or ALL_TASKS; of one seed the ends are Wilson's.
    successes: Dict[str, Dict[str, Estimate]] = field(default_factory=dict)
    above_random: List[str] = field(default_factory=list)  # tasks whose interval lies above random play's
    interactions: Optional[float] = None  # environment steps per seed, all games together
    updates: Optional[float] = None  # of each model
    cpu_minutes: Optional[float] = None  # per seed, all models of an ensemble together
    megabytes: Optional[float] = None  # the same


@dataclass
class Summary:
    """The numbers of all methods, and the scale they are on."""
    tasks: List[str]
    scale: Optional[Scale]  # None for a suite without references: then there are no scores
    baseline: Optional[str]
    last: int
    methods: List[MethodSummary]
    drawn: List[str]  # methods whose learning curves are drawn
    peers: List[Peer]  # agents whose published returns stand beside them


def summarise(
        folder: str, baseline: Optional[str] = None, last: int = 1, drawn: Sequence[str] = (), peers: bool = False
) -> Summary:
    """
    The numbers of a folder's tables, ``<method>.csv`` and ``runs.csv``: against a baseline (None for MoW if it is
    there), where a run has reached the mean of its ``last`` evaluations, with the methods whose learning curves are
    drawn (none for the first of the table), and with what other agents have published or not. ValueError in one line
    for missing files and methods, and for tables that do not fit together.
    """
    if last < 1:
        raise ValueError(f'--last must be at least 1, got {last}')
    rows = read_evaluations(result_files(folder))
    methods = methods_of(rows)
    for named in [*drawn, *([] if baseline is None else [baseline])]:
        if named not in methods:
            raise ValueError(f"'{folder}' holds no method '{named}'{did_you_mean(named, methods)}")
    return summarise_rows(rows, read_costs(os.path.join(folder, RUNS)), baseline, last, drawn, peers)


def summarise_rows(
        rows: pd.DataFrame, costs: pd.DataFrame, baseline: Optional[str] = None, last: int = 1,
        drawn: Sequence[str] = (), peers: bool = False
) -> Summary:
    """The numbers of evaluations and of what the runs have cost, with scores if there is a scale; see ``summarise``."""
    methods, tasks, scale = methods_of(rows), tasks_of(rows), table_scale(rows)
    baseline = baseline or (DEFAULT_METHOD if DEFAULT_METHOD in methods else None)
    by_method = {method: rows[rows.method == method] for method in methods}
    summaries = [_method(by_method[method], tasks, scale, last) for method in methods]
    # What counts where every evaluation has it; which of two returns is higher needs no scale.
    column = RETURN if scale is None else scale.column
    ends = {method: finals(own, tasks, column, last) for method, own in by_method.items()}
    random = next((summary.returns for summary in summaries if summary.method == RANDOM), None)
    for summary in summaries:
        if baseline not in (None, summary.method):
            summary.improvement = _estimate(probability_of_improvement, ends[baseline], ends[summary.method])
        if random is not None:  # the lower end above the upper end of random play's; never for NaN
            summary.above_random = [task for task in tasks if summary.returns[task][1] > random[task][2]]
        _add_costs(summary, costs[costs.method == summary.method])
    drawn = drawn or [method for method in methods if method not in references()][:CURVES]
    drawn = [method for method in methods if method in (*drawn, *references())]
    published = peers_of(scale and scale.suite, tasks) if peers else []
    return Summary(tasks, scale, baseline, last, summaries, drawn, published)


def _method(rows: pd.DataFrame, tasks: Sequence[str], scale: Optional[Scale], last: int) -> MethodSummary:
    """What one method has reached."""
    returns = finals(rows, tasks, RETURN, last)
    ends = rows.sort_values('env_step').groupby(['seed', 'task'])[['env_step', 'episodes']].last()
    numbers = ((int(ends[name].min()), int(ends[name].max())) for name in ends)
    summary = MethodSummary(rows.method.iloc[0], len(returns), *numbers, returns=_by_task(tasks, returns))
    if scale is not None:
        scores = finals(rows, tasks, scale.column, last)
        summary.scores = {name: _estimate(statistic, scores) for name, statistic in STATISTICS.items()}
    for name in SUCCESSES:
        if rows[name].notna().all():
            summary.successes[name] = _successes(tasks, finals(rows, tasks, name, last), summary.episodes[0])
    return summary


def _add_costs(summary: MethodSummary, costs: pd.DataFrame) -> None:
    """What one method's runs have cost: an ensemble has several per seed."""
    if costs.empty:
        return
    per_seed = costs[['interactions', 'cpu_minutes', 'megabytes']].sum() / costs.seed.nunique()
    summary.interactions, summary.cpu_minutes, summary.megabytes = per_seed.tolist()
    summary.updates = float(costs.updates.mean())


def _by_task(tasks: Sequence[str], values: np.ndarray) -> Dict[str, Estimate]:
    """Means over seeds of values (seeds, tasks)."""
    estimates = interval(lambda values: values.mean(axis=0), values)
    return {task: tuple(map(float, estimate)) for task, *estimate in zip(tasks, *estimates)}


def _successes(tasks: Sequence[str], values: np.ndarray, episodes: int) -> Dict[str, Estimate]:
    """Means over seeds of values (seeds, tasks), and over all tasks."""
    if len(values) > 1:
        return {**_by_task(tasks, values), ALL_TASKS: _estimate(mean, values)}
    of_tasks = {task: wilson(value, episodes) for task, value in zip(tasks, values[0].tolist())}
    return {**of_tasks, ALL_TASKS: wilson(float(values.mean()), episodes * len(tasks))}


def _estimate(statistic: Statistic, *values: np.ndarray) -> Estimate:
    return tuple(map(float, interval(statistic, *values)))
