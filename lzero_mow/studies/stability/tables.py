"""What a stability experiment shows: the assignments, adjusted Rand indices as a table, and a picture."""
import os
from itertools import combinations
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import adjusted_rand_score, silhouette_score

from lzero_mow.config.clusters import canonical
from lzero_mow.multitask.clustering.grouping import group, leaf_order
from lzero_mow.report.tables.csv_table import write_csv
from lzero_mow.report.tables.similarity import read_similarity
from lzero_mow.studies.summary.cells import span
from lzero_mow.studies.templates import write_template
from lzero_mow.utils.files import replacing
from .measure import similarity_file

SILHOUETTE = 'silhouette'
SEEDS, LONGEST, PLANTED = 'between seeds', 'with the longest', 'with the planted groups'
POOLED = 'cosines averaged over seeds, with the planted groups'
# (seed, length) -> i_k of each task.
Assignments = Dict[Tuple[int, int], List[int]]


def write_stability(
        folder: str, seeds: Sequence[int], lengths: Sequence[int], tasks: Sequence[str], rule: str, num_clusters: int
) -> None:
    """
    ``group`` the tasks by the folder's similarities, one per seed and (ascending) length, and write ``stability.csv``,
    ``stability.md`` and ``stability.png``.
    """
    similarity = {
        (seed, length): read_similarity(similarity_file(folder, seed, length))[1]
        for seed in seeds for length in lengths
    }
    assignments = {key: group(matrix, rule, num_clusters) for key, matrix in similarity.items()}
    table = pd.DataFrame([
        dict(seed=seed, length=length, task=task, cluster=cluster)
        for (seed, length), clusters in assignments.items() for task, cluster in zip(tasks, clusters)
    ])
    write_csv(os.path.join(folder, 'stability.csv'), table)
    planted = planted_groups(tasks)
    means = {length: np.mean([similarity[seed, length] for seed in seeds], axis=0) for length in lengths}
    indices, columns = rand_indices(assignments, seeds, lengths, planted), [SILHOUETTE, SEEDS, LONGEST]
    if planted is not None:
        pooled = {length: group(mean, rule, num_clusters) for length, mean in means.items()}
        rows = [(POOLED, length, adjusted_rand_score(clusters, planted)) for length, clusters in pooled.items()]
        indices = pd.concat([indices, pd.DataFrame(rows, columns=indices.columns)])
        columns += [PLANTED, POOLED]
    silhouettes = pd.DataFrame([
        (SILHOUETTE, length, silhouette_score(1 - similarity[seed, length], clusters, metric='precomputed'))
        for (seed, length), clusters in assignments.items()
    ], columns=indices.columns)
    values = pd.concat([silhouettes, indices]).groupby(['updates', 'comparison']).value
    cells = values.agg(_spread).unstack(fill_value='-').reindex(columns=columns, fill_value='-')
    cells.insert(0, 'clusters', table.groupby(['length', 'seed']).cluster.nunique().groupby('length').agg(span))
    write_template(
        os.path.join(folder, 'stability.md'), 'stability/stability.md.jinja', tasks=tasks, seeds=seeds,
        columns=columns, rows=cells.itertuples()
    )
    figure = _picture(assignments, indices, means[lengths[-1]], seeds, lengths, tasks)
    with replacing(os.path.join(folder, 'stability.png')) as temporary:
        figure.savefig(temporary, dpi=110)


def planted_groups(tasks: Sequence[str]) -> Optional[List[int]]:
    """The groups that are known where tasks are copies of each other, ``GAME@n`` of ``GAME``; None elsewhere."""
    return canonical([task.partition('@')[0] for task in tasks]) if any('@' in task for task in tasks) else None


def rand_indices(
        assignments: Assignments, seeds: Sequence[int], lengths: Sequence[int], planted: Optional[List[int]]
) -> pd.DataFrame:
    """
    Adjusted Rand indices, 1 for equal groupings and 0 for what chance would do: columns comparison, updates, value, a
    row per pair of seeds, or per seed.
    """
    rows = []
    for length in lengths:
        of_seed = {seed: assignments[seed, length] for seed in seeds}
        compared = {
            SEEDS: combinations(of_seed.values(), 2),
            LONGEST: ((clusters, assignments[seed, lengths[-1]]) for seed, clusters in of_seed.items()),
            PLANTED: ((clusters, planted) for clusters in of_seed.values() if planted is not None),
        }
        rows += [(name, length, adjusted_rand_score(*pair)) for name, pairs in compared.items() for pair in pairs]
    return pd.DataFrame(rows, columns=['comparison', 'updates', 'value'])


def _spread(values: pd.Series) -> str:
    if len(values) == 1:
        return f'{values.iloc[0]:.2f}'
    return f'{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})'


def _picture(
        assignments: Assignments, indices: pd.DataFrame, mean: np.ndarray, seeds: Sequence[int],
        lengths: Sequence[int], tasks: Sequence[str]
) -> Figure:
    K = len(tasks)
    size = max(4.0, 1.5 + 0.26 * K)
    figure = Figure(figsize=(9.5 + size, max(3.8, 0.8 + 0.26 * K)), layout='constrained')
    curves, pairs, matrix = figure.subplots(1, 3, width_ratios=(4, 3.5, size))
    for name, values in indices.groupby('comparison', sort=False):  # mean over pairs or seeds, and the range
        spread = values.groupby('updates').value.agg(['mean', 'min', 'max'])
        line, = curves.plot(spread.index, spread['mean'], marker='o', label=name)
        curves.fill_between(spread.index, spread['min'], spread['max'], color=line.get_color(), alpha=0.15)
    curves.set_xlabel('updates of the warm-up')
    curves.set_ylabel('adjusted Rand index')
    curves.set_ylim(top=1.03)
    curves.grid(alpha=0.3)
    curves.legend(fontsize='small')
    last = [assignments[seed, lengths[-1]] for seed in seeds]
    alike = np.array([[adjusted_rand_score(one, other) for other in last] for one in last])
    pairs.imshow(alike, cmap='viridis', vmin=0, vmax=1)
    for i, j in np.ndindex(alike.shape):
        colour = 'black' if alike[i, j] > 0.6 else 'white'
        pairs.text(j, i, f'{alike[i, j]:.2f}', ha='center', va='center', color=colour)
    pairs.set(xlabel='seed', ylabel='seed', title=f'adjusted Rand index, {lengths[-1]} updates')
    pairs.set_xticks(range(len(seeds)), seeds)
    pairs.set_yticks(range(len(seeds)), seeds)
    order = leaf_order(mean)
    image = matrix.imshow(mean[np.ix_(order, order)], cmap='RdBu', vmin=-1, vmax=1)
    matrix.set_xticks([])
    matrix.set_yticks(range(K), [tasks[k] for k in order])
    matrix.set_title("centred cosine of the tasks' gradients, mean over seeds")
    figure.colorbar(image, ax=matrix, shrink=0.8)
    return figure
