"""Evaluations of several methods and seeds as arrays, and the scale on which unlike tasks are averaged."""
import csv
import glob
import math
import os
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from lzero_mow.suites import RANDOM, method_names
from .results import COLUMNS, Result, read_results

Value = Callable[[Result], float]


@dataclass(frozen=True)
class Scale:
    """
    Overview:
        Turns an evaluation into a score: the table's own human-normalised one, or the place of its return between two
        bounds of its task.
    """
    label: str
    meaning: str  # of 0 and 1
    bounds: Dict[str, Tuple[float, float]] = field(default_factory=dict)  # task: returns that score 0 and 1

    def __call__(self, row: Result) -> float:
        if not self.bounds:
            return row.human_normalised
        zero, one = self.bounds[row.task]
        return (row.episode_return - zero) / (one - zero)

    def covers(self, task: str) -> bool:
        """
        Overview:
            Whether a task has a score.
        """
        return not self.bounds or task in self.bounds


HUMAN = Scale('human-normalised score', 'random play 0, a human 1')


def is_human_normalised(rows: Sequence[Result]) -> bool:
    """
    Overview:
        Whether every evaluation has a human-normalised score.
    """
    return all(row.human_normalised is not None for row in rows)


def result_files(folder: str) -> List[str]:
    """
    Overview:
        The tables of evaluations in a folder, one a method; other tables are passed over.
    Errors:
        ``ValueError`` if there is none.
    """
    files = []
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), '*.csv'))):
        with open(path, newline='') as file:
            if tuple(next(csv.reader(file), ())) == COLUMNS:
                files.append(path)
    if not files:
        raise ValueError(f"'{folder}' holds no METHOD.csv: `python -m lzero_mow.experiment` writes them")
    return files


def read_evaluations(files: Sequence[str]) -> List[Result]:
    """
    Overview:
        Read tables of evaluations.
    Errors:
        ``ValueError`` that names the row if a return is not finite, or if two runs of one method share a seed.
    """
    rows, seen = [], set()
    for path in files:
        for row in read_results(path):
            where = f'{row.task}, seed {row.seed} at step {row.env_step}'
            if not math.isfinite(row.episode_return):
                raise ValueError(f'{path}: the return of {where} is {row.episode_return}')
            key = (row.method, row.seed, row.task, row.env_step)
            if key in seen:
                raise ValueError(f"{path}: {where} of '{row.method}' stands there twice, or in another table too")
            seen.add(key)
            rows.append(row)
    if not rows:
        raise ValueError(f"no evaluation in {', '.join(files)}")
    return rows


def methods_of(rows: Sequence[Result]) -> List[str]:
    """
    Overview:
        The methods in the order of ``config/methods.yaml``, unknown ones behind them, random play last.
    """
    order = [*method_names(), *sorted({row.method for row in rows} - {*method_names(), RANDOM}), RANDOM]
    present = {row.method for row in rows}
    return [method for method in order if method in present]


def tasks_of(rows: Sequence[Result]) -> List[str]:
    """
    Overview:
        The tasks in the order in which they come first.
    """
    return list(dict.fromkeys(row.task for row in rows))


def curves(rows: Sequence[Result], tasks: Sequence[str], value: Value) -> Tuple[np.ndarray, np.ndarray]:
    """
    Overview:
        The learning curves of one method. Seeds and tasks are evaluated at almost the same steps, after the collection
        that passed a multiple of ``eval_freq``: between two evaluations a curve is a straight line.
    Arguments:
        - rows (:obj:`Sequence[Result]`): Evaluations of one method.
    Returns:
        - steps (:obj:`np.ndarray`): (T, ), those that every seed and task has reached.
        - values (:obj:`np.ndarray`): (seeds, tasks, T).
    """
    points = [point for of_seed in _points(rows, tasks, value) for point in of_seed]  # each (2, evaluations)
    steps = np.unique(np.concatenate([steps for steps, _ in points]))
    first, last = max(steps[0] for steps, _ in points), min(steps[-1] for steps, _ in points)
    steps = steps[(steps >= first) & (steps <= last)]
    values = np.array([np.interp(steps, *point) for point in points])
    return steps, values.reshape(-1, len(tasks), len(steps))


def finals(rows: Sequence[Result], tasks: Sequence[str], value: Value, last: int) -> np.ndarray:
    """
    Overview:
        Where the runs of one method have ended: the mean of their last evaluations.
    Arguments:
        - last (:obj:`int`): How many of them.
    Returns:
        - values (:obj:`np.ndarray`): (seeds, tasks).
    """
    return np.array([[values[-last:].mean() for _, values in of_seed] for of_seed in _points(rows, tasks, value)])


def _points(rows: Sequence[Result], tasks: Sequence[str], value: Value) -> List[List[np.ndarray]]:
    """Steps and values of each seed and task, each (2, evaluations)."""
    points = defaultdict(list)
    for row in rows:
        if row.task in tasks:
            points[row.seed, row.task].append((row.env_step, value(row)))
    seeds = sorted({row.seed for row in rows})
    for seed in seeds:
        for task in tasks:
            if (seed, task) not in points:
                raise ValueError(f"seed {seed} of '{rows[0].method}' has no evaluation of {task}")
    return [[np.array(sorted(points[seed, task])).T for task in tasks] for seed in seeds]


def table_scale(rows: Sequence[Result], last: int) -> Scale:
    """
    Overview:
        The scale of a table of methods: human-normalised where every evaluation is. Otherwise 0 is random play's mean
        return and 1 the best mean with which any method has ended, task by task; a task in which no method has ended
        above random play has no scale.
    Errors:
        ``ValueError`` if random play is needed and not there.
    """
    if is_human_normalised(rows):
        return HUMAN
    methods = methods_of(rows)
    if RANDOM not in methods:
        raise ValueError(
            f'{RANDOM}.csv is missing, and there are no human-normalised scores: '
            f'add random play with `python -m lzero_mow.experiment SUITE --methods {RANDOM}`'
        )
    bounds = {}
    for task in tasks_of(rows):
        means = {method: _final_mean(rows, method, task, last) for method in methods}
        best = max(value for value in means.values() if value is not None)
        if means[RANDOM] is not None and best > means[RANDOM]:
            bounds[task] = (means[RANDOM], best)
    if not bounds:
        raise ValueError('no method has ended above random play in any task: there is no scale to average on')
    return Scale('score', 'random play 0, the best method 1', bounds)


def _final_mean(rows: Sequence[Result], method: str, task: str, last: int) -> Optional[float]:
    own = [row for row in rows if (row.method, row.task) == (method, task)]
    return float(finals(own, [task], lambda row: row.episode_return, last).mean()) if own else None
