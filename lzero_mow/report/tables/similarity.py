"""``similarity.csv``: a (K, K) matrix under the tasks' names."""
from typing import List, Sequence, Tuple

import numpy as np
import pandas as pd

from .csv_table import header, read_csv, write_csv


def write_similarity(path: str, similarity: np.ndarray, tasks: Sequence[str]) -> None:
    """Write the cosine similarity of the tasks' gradients: a header of names, then a row per task."""
    table = pd.DataFrame(similarity.astype(float), columns=list(tasks))
    table.insert(0, 'task', list(tasks))
    write_csv(path, table)


def read_similarity(path: str) -> Tuple[List[str], np.ndarray]:
    """Read the K names and the (K, K) matrix; ValueError in one line that names the file if it is damaged."""
    types = {name: str if name == 'task' else float for name in header(path)}
    table = read_csv(path, 'table of similarities', dtype=types)
    tasks = list(table.columns[1:])
    if list(table.iloc[:, 0]) != tasks:
        raise ValueError(f'{path} is not a table of similarities: its rows and columns are different tasks')
    return tasks, table[tasks].to_numpy()
