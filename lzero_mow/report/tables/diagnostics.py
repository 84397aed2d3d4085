"""``diagnostics.csv``: one row per measured number, over environment steps."""
from dataclasses import dataclass
from typing import Dict, Iterator, Sequence, Tuple

import numpy as np

from .csv_table import Table

DIAGNOSTICS = 'diagnostics.csv'


@dataclass(frozen=True)
class Diagnostic:
    """A row of ``diagnostics.csv``."""
    env_step: int
    name: str
    value: float


TABLE = Table('diagnostics table', Diagnostic)
read_diagnostics = TABLE.read


def append_diagnostics(path: str, env_step: int, values: Dict[str, float]) -> None:
    """Append what was measured at one step; see ``Table.append``."""
    TABLE.append(path, [Diagnostic(env_step, name, value) for name, value in values.items()])


def _pairs(part: str, tasks: Sequence[str]) -> Iterator[Tuple[int, int, str]]:
    """Each pair of tasks once, with the name of its row."""
    for i, j in zip(*np.triu_indices(len(tasks), 1)):
        yield i, j, f'gradient_conflict/{part}/cosine/{tasks[i]}/{tasks[j]}'


def matrix_rows(part: str, cosine: np.ndarray, tasks: Sequence[str]) -> Dict[str, float]:
    """A symmetric (K, K) matrix of cosines as named numbers, one per pair of tasks."""
    return {name: float(cosine[i, j]) for i, j, name in _pairs(part, tasks) if not np.isnan(cosine[i, j])}


def last_matrices(path: str, tasks: Sequence[str]) -> Tuple[int, Dict[str, np.ndarray]]:
    """
    When the last diagnosis was, and the (K, K) matrix of each part, the inverse of ``matrix_rows``: 1 on the diagonal,
    NaN where a pair was not measured.
    """
    rows = read_diagnostics(path)
    env_step = int(rows.env_step.iloc[-1])
    last = rows[rows.env_step == env_step].set_index('name').value
    matrices = {}
    for part in last.index.str.extract('^gradient_conflict/([^/]+)/', expand=False).dropna().unique():
        matrix = matrices[part] = np.eye(len(tasks))
        for i, j, name in _pairs(part, tasks):
            matrix[i, j] = matrix[j, i] = last.get(name, np.nan)
    return env_step, matrices
