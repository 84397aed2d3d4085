"""Evaluations of several methods and seeds, as one frame with the columns of ``results.csv``, and arrays of them."""
import glob
import os
from typing import List, Sequence, Tuple

import numpy as np
import pandas as pd

from lzero_mow.config.suites import method_names, references
from lzero_mow.report.tables.csv_table import header
from lzero_mow.report.tables.results import TABLE

RETURN = 'episode_return'  # the column that every suite has


def result_files(folder: str) -> List[str]:
    """
    The tables of evaluations in a folder, one per method, also those of another version, which cannot be read; other
    tables are skipped. ValueError if there is none.
    """
    paths = sorted(glob.glob(os.path.join(glob.escape(folder), '*.csv')))
    files = [path for path in paths if {'seed', RETURN} <= set(header(path))]
    if not files:
        raise ValueError(f"'{folder}' holds no METHOD.csv: `python -m lzero_mow experiment` writes them")
    return files


def read_evaluations(files: Sequence[str]) -> pd.DataFrame:
    """
    Read tables of evaluations into one frame. ValueError names the row if a return is not finite, or if two runs of one
    method share a seed.
    """
    rows = pd.concat([TABLE.read(path).assign(path=path) for path in files], ignore_index=True)
    if rows.empty:
        raise ValueError(f"no evaluation in {', '.join(files)}")
    twice = rows.duplicated(['method', 'seed', 'task', 'env_step'])
    for row in rows[~np.isfinite(rows[RETURN]) | twice].itertuples():
        where = f'{row.task}, seed {row.seed} at step {row.env_step}'
        if twice[row.Index]:
            same = [getattr(rows, key) == getattr(row, key) for key in ('method', 'seed', 'task', 'env_step')]
            both = ' and in '.join(rows[np.logical_and.reduce(same)].path[:2])
            raise ValueError(f"{where} of '{row.method}' is there twice: in {both}")
        raise ValueError(f'{row.path}: the return of {where} is {row.episode_return}')
    return rows.drop(columns='path')


def methods_of(rows: pd.DataFrame) -> List[str]:
    """The methods in the order of ``config/methods.yaml``, then unknown ones, then reference players."""
    present = set(rows.method)
    order = [*method_names(), *sorted(present - {*method_names(), *references()}), *references()]
    return [method for method in order if method in present]


def tasks_of(rows: pd.DataFrame) -> List[str]:
    """The tasks in the order in which they first appear."""
    return rows.task.unique().tolist()


def curves(rows: pd.DataFrame, tasks: Sequence[str], column: str) -> Tuple[np.ndarray, np.ndarray]:
    """
    The learning curves of a column of one method's evaluations: the steps that every seed and task has reached (T, ),
    and values (seeds, tasks, T). Seeds and tasks are evaluated at almost the same steps, after the collection that
    passed a multiple of ``eval_freq``: between two evaluations a curve is a straight line.
    """
    runs = _runs(rows, tasks)
    points = rows.pivot(index='env_step', columns=['seed', 'task'], values=column)[runs]
    points = points.interpolate('index', limit_area='inside').dropna()
    return points.index.to_numpy(), points.to_numpy().T.reshape(-1, len(tasks), len(points))


def finals(rows: pd.DataFrame, tasks: Sequence[str], column: str, last: int) -> np.ndarray:
    """
    What the runs of one method have reached, (seeds, tasks): the mean of a column of their ``last`` evaluations.
    ValueError if a run has fewer since training began; reference players have one row.
    """
    runs, method = _runs(rows, tasks), rows.method.iloc[0]
    if last > 1 and method not in references():
        for (seed, task), number in rows[rows.env_step > 0].groupby(['seed', 'task'], sort=False).size().items():
            if number < last:
                raise ValueError(f"--last is {last}: seed {seed} of '{method}' has {number} evaluations of {task}")
    points = rows.sort_values('env_step').groupby(['seed', 'task'])[column]
    return points.agg(lambda values: values.to_numpy()[-last:].mean())[runs].to_numpy().reshape(-1, len(tasks))


def _runs(rows: pd.DataFrame, tasks: Sequence[str]) -> pd.MultiIndex:
    """Each seed with each task, all of which must have been evaluated."""
    runs = pd.MultiIndex.from_product([sorted(rows.seed.unique()), tasks])
    for seed, task in runs.difference(pd.MultiIndex.from_frame(rows[['seed', 'task']]), sort=False):
        raise ValueError(f"seed {seed} of '{rows.method.iloc[0]}' has no evaluation of {task}")
    return runs
