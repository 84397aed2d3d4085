"""``times.csv``: what a run had done and how long it had taken, one row per evaluation; of one run or of several."""
from dataclasses import dataclass

import pandas as pd

from .csv_table import Table

TIMES = 'times.csv'


@dataclass(frozen=True)
class Times:
    """A row of a run's ``times.csv``."""
    env_step: int  # environment steps per task
    interactions: int  # of all tasks together; fewer where solved tasks rest
    updates: int  # of the warm-up and after it
    cpu_seconds: float  # of the training process until now
    wall_seconds: float  # by the clock
    decision_seconds: float  # by the clock, mean until now: the choice of one action by the policy; NaN before any
    update_seconds: float  # the same: one update


@dataclass(frozen=True)
class _Run:
    """Whose row it is, as in ``runs.csv``."""
    method: str
    seed: int
    task: str  # of a member of an ensemble, otherwise 'all'


@dataclass(frozen=True)
class RunTimes(Times, _Run):
    """A row of the ``times.csv`` of an experiment; the columns of the run come first."""


TABLE = Table('table of times', Times)
ALL_TIMES = Table("table of an experiment's times", RunTimes)


def append_times(path: str, row: Times) -> None:
    """Append a row; see ``Table.append``."""
    TABLE.append(path, [row])


def times_of(times: pd.DataFrame, method: str, seed: int, task: str) -> pd.DataFrame:
    """A run's times as rows of an experiment's."""
    return times.assign(method=method, seed=seed, task=task)[list(ALL_TIMES.columns)]
