"""What runs have cost as a table, ``runs.csv``: one row a run that has ended."""
import csv
import os
from dataclasses import astuple, dataclass, fields
from typing import Iterable, List

from lzero_mow.utils.files import replacing
from .csv_table import read_rows
from .run_record import RunRecord

RUNS = 'runs.csv'
ALL_TASKS = 'all'


@dataclass(frozen=True)
class RunCost:
    """The row of ``runs.csv``."""
    method: str
    seed: int
    task: str  # of a member of an ensemble, otherwise 'all'
    env_step: int  # environment steps per task
    interactions: int  # environment steps of all its tasks; fewer where solved tasks rest
    updates: int
    cpu_minutes: float
    wall_minutes: float
    megabytes: float  # parameters and floating-point buffers, 2^20 bytes
    peak_memory_mb: float  # largest resident size of the process


COLUMNS = tuple(field.name for field in fields(RunCost))


def run_cost(record: RunRecord, task: str) -> RunCost:
    """The row of one run."""
    return RunCost(
        record.method, record.seed, task, record.env_step, record.interactions, record.updates,
        round(record.cpu_seconds / 60, 2), round(record.wall_seconds / 60, 2), round(record.model_bytes / 2 ** 20, 3),
        round(record.peak_memory_bytes / 2 ** 20)
    )


def write_costs(path: str, rows: Iterable[RunCost]) -> None:
    """Write the table."""
    with replacing(path) as temporary, open(temporary, 'w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(COLUMNS)
        writer.writerows(astuple(row) for row in rows)


def read_costs(path: str) -> List[RunCost]:
    """
    Overview:
        Read the table; empty where there is none.
    Raises:
        - ValueError: if the file has other columns.
    """
    if not os.path.isfile(path):
        return []
    types, rows = [field.type for field in fields(RunCost)], read_rows(path, COLUMNS, 'table of runs')
    return [RunCost(*(kind(row[name]) for kind, name in zip(types, COLUMNS))) for row in rows]
