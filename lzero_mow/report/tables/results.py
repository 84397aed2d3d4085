"""
The results of a run as a table, ``results.csv``: one row per task and evaluation.

The same columns serve every method, so that tables of several runs can be concatenated.
"""
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence

import numpy as np
from scipy.stats import trim_mean

from lzero_mow.config.references import Reference, normalised
from .csv_table import Table


@dataclass(frozen=True)
class Result:
    """One evaluation of one task: a row of ``results.csv``."""
    method: str  # of config/methods.yaml, such as mow; the type of a policy that is not MoW's
    seed: int
    task: str
    env_step: int  # environment steps (not frames) this task has been trained on
    episodes: int  # of the evaluation, over which what follows is the mean
    episode_return: float  # raw
    # Where the return lies between the suite's two fixed references: 0 is random play. Empty where it has none.
    normalised: Optional[float]
    # Share of the evaluation's episodes in which the task was done at any step, and at the last one; empty where there
    # is no success to speak of.
    success_any: Optional[float] = None
    success_last: Optional[float] = None


SUCCESSES = ('success_any', 'success_last')
TABLE = Table('results table', Result)
append_results, read_results = TABLE.append, TABLE.read


def aggregate(scores: Sequence[float]) -> Dict[str, float]:
    """
    Mean, median and interquartile mean over tasks. The interquartile mean drops a quarter of the tasks, rounded down,
    at either end: of fewer than four tasks it is the mean.
    """
    return dict(mean=float(np.mean(scores)), median=float(np.median(scores)), iqm=float(trim_mean(scores, 0.25)))


def evaluation_rows(
        method: str, seed: int, tasks: Sequence[str], references: Sequence[Optional[Reference]], env_step: int,
        episodes: Dict[str, np.ndarray]
) -> List[Result]:
    """
    The rows of one evaluation, in task order. References are those of the tasks or None; episodes are ``return``, and
    where there are some ``success_any`` and ``success_last``, (K, episodes) each.
    """
    means = {name: values.mean(axis=1).tolist() for name, values in episodes.items()}
    return [
        Result(
            method, seed, task, env_step, len(episodes['return'][k]), means['return'][k],
            normalised(means['return'][k], references[k]),
            **{name: means[name][k] for name in SUCCESSES if name in means}
        ) for k, task in enumerate(tasks)
    ]
