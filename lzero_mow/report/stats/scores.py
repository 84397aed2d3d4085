"""Evaluations of several methods and seeds as arrays."""
import csv
import glob
import math
import os
from collections import Counter, defaultdict
from typing import Callable, List, Sequence, Tuple

import numpy as np

from lzero_mow.config.suites import REFERENCES, method_names
from lzero_mow.report.tables.results import COLUMNS, Result, read_results

Value = Callable[[Result], float]


def episode_return(row: Result) -> float:
    """The value of a row that every suite has."""
    return row.episode_return


def result_files(folder: str) -> List[str]:
    """
    Overview:
        The tables of evaluations in a folder, one per method; other tables are passed over.
    Raises:
        - ValueError: if there is none.
    """
    files = []
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), '*.csv'))):
        with open(path, newline='') as file:
            if tuple(next(csv.reader(file), ())) == COLUMNS:
                files.append(path)
    if not files:
        raise ValueError(f"'{folder}' holds no METHOD.csv: `python -m lzero_mow experiment` writes them")
    return files


def read_evaluations(files: Sequence[str]) -> List[Result]:
    """
    Overview:
        Read tables of evaluations.
    Raises:
        - ValueError: that names the row if a return is not finite, or if two runs of one method share a seed.
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
    """The methods in the order of ``config/methods.yaml``, unknown ones behind them, reference players last."""
    present = {row.method for row in rows}
    order = [*method_names(), *sorted(present - {*method_names(), *REFERENCES}), *REFERENCES]
    return [method for method in order if method in present]


def tasks_of(rows: Sequence[Result]) -> List[str]:
    """The tasks in the order in which they come first."""
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
    Raises:
        - ValueError: if a run has not been evaluated so often since training began; reference players have one row.
    """
    if last > 1 and rows[0].method not in REFERENCES:
        trained = Counter((row.seed, row.task) for row in rows if row.env_step > 0)
        for (seed, task), number in trained.items():
            if number < last:
                run = f"seed {seed} of '{rows[0].method}'"
                raise ValueError(f'--last is {last}: {run} has {number} evaluations of {task}')
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
