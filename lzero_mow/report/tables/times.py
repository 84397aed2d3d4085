"""``times.csv``: what a run had done and how long it had taken, one row per evaluation."""
from dataclasses import dataclass

from .csv_table import Table

TIMES = 'times.csv'


@dataclass(frozen=True)
class Times:
    """A row of ``times.csv``."""
    env_step: int  # environment steps per task
    interactions: int  # of all tasks together; fewer where solved tasks rest
    updates: int  # of the warm-up and after it
    cpu_seconds: float  # of the training process until now
    wall_seconds: float  # by the clock
    decision_seconds: float  # by the clock, mean until now: the choice of one action by the policy; NaN before any
    update_seconds: float  # the same: one update


TABLE = Table('table of times', Times)


def append_times(path: str, row: Times) -> None:
    """Append a row; see ``Table.append``."""
    TABLE.append(path, [row])
