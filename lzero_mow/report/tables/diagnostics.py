"""``diagnostics.csv``: one row a measured number, over environment steps."""
from typing import Dict, Iterator, List, Sequence, Tuple

import numpy as np

from .csv_table import append_rows, read_rows

DIAGNOSTICS = 'diagnostics.csv'
COLUMNS = ('env_step', 'name', 'value')


def append_diagnostics(path: str, env_step: int, values: Dict[str, float]) -> None:
    """
    Overview:
        Append what was measured at one step, under a header line if the file is new.
    Raises:
        - OSError: that names the file if it cannot be written.
    """
    append_rows(path, COLUMNS, [(env_step, name, value) for name, value in values.items()])


def read_diagnostics(path: str) -> List[Tuple[int, str, float]]:
    """
    Overview:
        All rows: (env_step, name, value).
    Raises:
        - ValueError: if the file has other columns.
    """
    rows = read_rows(path, COLUMNS, 'diagnostics table')
    return [(int(row['env_step']), row['name'], float(row['value'])) for row in rows]


def _pairs(part: str, tasks: Sequence[str]) -> Iterator[Tuple[int, int, str]]:
    """Each pair of tasks once, with the name of its row."""
    for i, j in zip(*np.triu_indices(len(tasks), 1)):
        yield i, j, f'gradient_conflict/{part}/cosine/{tasks[i]}/{tasks[j]}'


def matrix_rows(part: str, cosine: np.ndarray, tasks: Sequence[str]) -> Dict[str, float]:
    """A symmetric (K, K) matrix of cosines as named numbers, one per pair of tasks."""
    return {name: float(cosine[i, j]) for i, j, name in _pairs(part, tasks) if not np.isnan(cosine[i, j])}


def last_matrices(path: str, tasks: Sequence[str]) -> Tuple[int, Dict[str, np.ndarray]]:
    """
    Overview:
        The matrices of the last diagnosis, the inverse of ``matrix_rows``.
    Returns:
        - env_step (:obj:`int`): When that was.
        - matrices (:obj:`dict`): Part -> (K, K), 1 on the diagonal, NaN where a pair was not measured.
    """
    rows = read_diagnostics(path)
    env_step = rows[-1][0]
    last = {name: value for step, name, value in rows if step == env_step}
    parts = dict.fromkeys(name.split('/')[1] for name in last if name.startswith('gradient_conflict/'))
    matrices = {}
    for part in parts:
        matrices[part] = np.full((len(tasks), len(tasks)), np.nan)
        np.fill_diagonal(matrices[part], 1.0)
        for i, j, name in _pairs(part, tasks):
            matrices[part][i, j] = matrices[part][j, i] = last.get(name, np.nan)
    return env_step, matrices
