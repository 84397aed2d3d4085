"""What runs have cost as a table, ``runs.csv``: one row per run that has ended."""
from dataclasses import dataclass

from .csv_table import Table
from .run_record import RunRecord

RUNS = 'runs.csv'
ALL_TASKS = 'all'


@dataclass(frozen=True)
class RunCost:
    """A row of ``runs.csv``."""
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


COSTS = Table('table of runs', RunCost)
read_costs = COSTS.read_if_there


def run_cost(record: RunRecord, task: str) -> RunCost:
    """The row of one run."""
    return RunCost(
        record.method, record.seed, task, record.env_step, record.interactions, record.updates,
        round(record.cpu_seconds / 60, 2), round(record.wall_seconds / 60, 2), round(record.model_bytes / 2 ** 20, 3),
        round(record.peak_memory_bytes / 2 ** 20)
    )
