"""``similarity.csv``: a (K, K) matrix under the tasks' names."""
import csv
import os
from typing import List, Sequence, Tuple

import numpy as np

from lzero_mow.utils.files import replacing


def similarity_file(folder: str, seed: int, length: int) -> str:
    """Where a stability experiment keeps the similarity of one seed after ``length`` updates."""
    return os.path.join(folder, 'similarity', f'seed{seed}_updates{length}.csv')


def write_similarity(path: str, similarity: np.ndarray, tasks: Sequence[str]) -> None:
    """Write the cosine similarity of the tasks' gradients: a header of names, then a row per task."""
    with replacing(path) as temporary, open(temporary, 'w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(['task', *tasks])
        writer.writerows([task, *map(float, row)] for task, row in zip(tasks, similarity))


def read_similarity(path: str) -> Tuple[List[str], np.ndarray]:
    """Read what ``write_similarity`` wrote: names and matrix."""
    with open(path, newline='') as file:
        header, *rows = csv.reader(file)
    return header[1:], np.array([[float(value) for value in row[1:]] for row in rows])
