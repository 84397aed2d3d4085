"""``times.csv``: what a run had done and how long it had taken, one row per evaluation."""
from dataclasses import astuple, dataclass, fields
from typing import List

from .csv_table import append_rows, read_rows

TIMES = 'times.csv'


@dataclass(frozen=True)
class Times:
    """The row of ``times.csv``."""
    env_step: int  # environment steps per task
    interactions: int  # of all tasks together; fewer where solved tasks rest
    updates: int  # of the warm-up and after it
    cpu_seconds: float  # of the training process until now
    wall_seconds: float  # by the clock
    decision_seconds: float  # by the clock, mean until now: the choice of one action by the policy; NaN before any
    update_seconds: float  # the same: one update


COLUMNS = tuple(field.name for field in fields(Times))


def append_times(path: str, row: Times) -> None:
    """
    Overview:
        Append a row, under a header line if the file is new.
    Raises:
        - OSError: that names the file if it cannot be written.
    """
    append_rows(path, COLUMNS, [astuple(row)])


def read_times(path: str) -> List[Times]:
    """
    Overview:
        Read the table.
    Raises:
        - ValueError: if the file has other columns.
    """
    kinds = [(field.name, field.type) for field in fields(Times)]
    return [Times(*(kind(row[name]) for name, kind in kinds)) for row in read_rows(path, COLUMNS, 'table of times')]
