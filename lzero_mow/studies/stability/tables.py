"""What a stability experiment says: assignments, adjusted Rand indices as a table, and a picture."""
import csv
import os
from itertools import combinations
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import adjusted_rand_score, silhouette_score

from lzero_mow.config.clusters import canonical
from lzero_mow.multitask.clustering.grouping import group, leaf_order
from lzero_mow.report.tables.similarity import read_similarity, similarity_file
from lzero_mow.utils.files import replacing

SEEDS, LONGEST, PLANTED = 'between seeds', 'with the longest', 'with the planted groups'
POOLED = 'cosines averaged over seeds, with the planted groups'
# (seed, length) -> i_k of each task.
Assignments = Dict[Tuple[int, int], List[int]]


def write_stability(
        folder: str, seeds: Sequence[int], lengths: Sequence[int], tasks: Sequence[str], rule: str, num_clusters: int
) -> None:
    """
    Overview:
        Group the tasks by the folder's similarities and write ``stability.csv``, ``stability.md``, ``stability.png``.
    Arguments:
        - folder (:obj:`str`): With a similarity for each seed and length.
        - seeds (:obj:`Sequence[int]`), lengths (:obj:`Sequence[int]`): Those to compare; lengths ascending.
        - rule (:obj:`str`), num_clusters (:obj:`int`): See ``lzero_mow.multitask.clustering.grouping.group``.
    """
    similarity = {
        (seed, length): read_similarity(similarity_file(folder, seed, length))[1]
        for seed in seeds for length in lengths
    }
    assignments = {key: group(matrix, rule, num_clusters) for key, matrix in similarity.items()}
    planted = planted_groups(tasks)
    with replacing(os.path.join(folder, 'stability.csv')) as temporary, open(temporary, 'w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(['seed', 'length', 'task', 'cluster'])
        for (seed, length), clusters in assignments.items():
            writer.writerows([seed, length, task, cluster] for task, cluster in zip(tasks, clusters))
    indices = rand_indices(assignments, seeds, lengths, planted)
    means = {length: np.mean([similarity[seed, length] for seed in seeds], axis=0) for length in lengths}
    if planted is not None:
        indices[POOLED] = {
            length: [adjusted_rand_score(group(mean, rule, num_clusters), planted)] for length, mean in means.items()
        }
    silhouettes = {
        length: [silhouette_score(1 - similarity[seed, length], assignments[seed, length], metric='precomputed')
                 for seed in seeds]
        for length in lengths
    }
    with replacing(os.path.join(folder, 'stability.md')) as temporary, open(temporary, 'w') as file:
        file.write(_table(assignments, indices, silhouettes, seeds, lengths, tasks))
    figure = _picture(assignments, indices, means[lengths[-1]], seeds, lengths, tasks)
    with replacing(os.path.join(folder, 'stability.png')) as temporary:
        figure.savefig(temporary, dpi=110)


def planted_groups(tasks: Sequence[str]) -> Optional[List[int]]:
    """The groups that are known where tasks are copies of each other, ``GAME@n`` of ``GAME``; None elsewhere."""
    return canonical([task.partition('@')[0] for task in tasks]) if any('@' in task for task in tasks) else None


def rand_indices(
        assignments: Assignments, seeds: Sequence[int], lengths: Sequence[int], planted: Optional[List[int]]
) -> Dict[str, Dict[int, List[float]]]:
    """
    Overview:
        Adjusted Rand indices: 1 for equal groupings, 0 for what chance would do.
    Returns:
        - indices (:obj:`dict`): Comparison -> length -> an index for each pair of seeds, or for each seed.
    """
    by_length = lambda compare: {length: compare(length) for length in lengths}
    indices = {
        SEEDS: by_length(lambda length: [
            adjusted_rand_score(assignments[one, length], assignments[other, length])
            for one, other in combinations(seeds, 2)
        ]),
        LONGEST: by_length(lambda length: [
            adjusted_rand_score(assignments[seed, length], assignments[seed, lengths[-1]]) for seed in seeds
        ]),
    }
    if planted is not None:
        indices[PLANTED] = by_length(
            lambda length: [adjusted_rand_score(assignments[seed, length], planted) for seed in seeds]
        )
    return indices


def _table(
        assignments: Assignments, indices: Dict[str, Dict[int, List[float]]], silhouettes: Dict[int, List[float]],
        seeds: Sequence[int], lengths: Sequence[int], tasks: Sequence[str]
) -> str:
    lines = [
        f'Adjusted Rand index of the clusters of {len(tasks)} tasks ({", ".join(tasks)}) after a warm-up, seeds '
        f'{", ".join(map(str, seeds))}: mean (least to most). 1: the same groups; 0: as alike as chance makes them. '
        'Silhouette: 1 where clusters lie far apart, 0 where they touch.',
        '',
        '| updates | clusters | silhouette | ' + ' | '.join(indices) + ' |', '|---' * (len(indices) + 3) + '|'
    ]
    for length in lengths:
        counts = [max(assignments[seed, length]) + 1 for seed in seeds]
        clusters = f'{min(counts)} to {max(counts)}' if min(counts) < max(counts) else str(counts[0])
        cells = [str(length), clusters, *(_spread(values[length]) for values in (silhouettes, *indices.values()))]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def _spread(values: Sequence[float]) -> str:
    if len(values) < 2:
        return ''.join(f'{value:.2f}' for value in values) or '-'
    return f'{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})'


def _picture(
        assignments: Assignments, indices: Dict[str, Dict[int, List[float]]], mean: np.ndarray, seeds: Sequence[int],
        lengths: Sequence[int], tasks: Sequence[str]
) -> Figure:
    K = len(tasks)
    size = max(4.0, 1.5 + 0.26 * K)
    figure = Figure(figsize=(9.5 + size, max(3.8, 0.8 + 0.26 * K)), layout='constrained')
    curves, pairs, matrix = figure.subplots(1, 3, width_ratios=(4, 3.5, size))
    for name, values in indices.items():
        if all(values.values()):
            _curve(curves, name, values)
    curves.set_xlabel('updates of the warm-up')
    curves.set_ylabel('adjusted Rand index')
    curves.set_ylim(top=1.03)
    curves.grid(alpha=0.3)
    curves.legend()
    last = [assignments[seed, lengths[-1]] for seed in seeds]
    alike = np.array([[adjusted_rand_score(one, other) for other in last] for one in last])
    pairs.imshow(alike, cmap='viridis', vmin=0, vmax=1)
    for i, j in np.ndindex(alike.shape):
        colour = 'black' if alike[i, j] > 0.6 else 'white'
        pairs.text(j, i, f'{alike[i, j]:.2f}', ha='center', va='center', color=colour)
    pairs.set_xticks(range(len(seeds)), seeds)
    pairs.set_yticks(range(len(seeds)), seeds)
    pairs.set_xlabel('seed')
    pairs.set_ylabel('seed')
    pairs.set_title(f'adjusted Rand index, {lengths[-1]} updates')
    order = leaf_order(mean)
    image = matrix.imshow(mean[np.ix_(order, order)], cmap='RdBu', vmin=-1, vmax=1)
    matrix.set_xticks([])
    matrix.set_yticks(range(K), [tasks[k] for k in order])
    matrix.set_title("centred cosine of the tasks' gradients, mean over seeds")
    figure.colorbar(image, ax=matrix, shrink=0.8)
    return figure


def _curve(axes: Axes, name: str, values: Dict[int, List[float]]) -> None:
    """Mean over pairs or seeds, and the range."""
    lengths = list(values)
    line, = axes.plot(lengths, [np.mean(values[length]) for length in lengths], marker='o', label=name)
    least, most = ([pick(values[length]) for length in lengths] for pick in (min, max))
    axes.fill_between(lengths, least, most, color=line.get_color(), alpha=0.15)
