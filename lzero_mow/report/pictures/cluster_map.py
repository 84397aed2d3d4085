"""
The picture of a grouping: similarity of the tasks' gradients, ordered by cluster, with the tree it was cut from.

The cosines are of gradients less their mean over tasks: 0 is no more and no less alike than tasks are on average, and K
tasks that have nothing to do with one another have -1 / (K - 1).
"""
from typing import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.cluster.hierarchy import dendrogram

from lzero_mow.multitask.clustering.grouping import linkage_tree
from lzero_mow.utils.files import replacing


def write_cluster_map(path: str, similarity: np.ndarray, clusters: Sequence[int], tasks: Sequence[str]) -> None:
    """
    Overview:
        Draw the matrix as PNG, every cluster framed; above it the dendrogram (average linkage on 1 - cosine).
    Arguments:
        - path (:obj:`str`): The file to write, ending in ``.png``.
        - similarity (:obj:`np.ndarray`): (K, K) centred cosines, K at least 2.
        - clusters (:obj:`Sequence[int]`): i_k of each task.
        - tasks (:obj:`Sequence[str]`): The K task names.
    """
    K = len(tasks)
    size = 1.5 + 0.34 * K
    figure = Figure(figsize=(size + 2.6, size + 1.9), layout='constrained')
    figure.suptitle("Cosine of the tasks' gradients\nless their mean; clusters in brackets", fontsize='medium')
    axes = figure.add_subplot()
    top = axes.inset_axes([0, 1.02, 1, 1.2 / size])  # a leaf above each column
    style = dict(no_labels=True, color_threshold=0, above_threshold_color='dimgrey')
    leaves = dendrogram(linkage_tree(similarity), ax=top, **style)['leaves']
    place = {k: position for position, k in enumerate(leaves)}
    order = sorted(range(K), key=lambda k: (_first_leaf(clusters, place, clusters[k]), place[k]))
    top.set_ylabel('1 - cosine')
    top.set_xlim(0, 10 * K)
    top.spines[['top', 'right', 'bottom']].set_visible(False)
    image = axes.imshow(similarity[np.ix_(order, order)], cmap='RdBu', vmin=-1, vmax=1)
    axes.set_xticks([])
    axes.set_yticks(range(K), [f'{tasks[k]} ({clusters[k]})' for k in order])
    start = 0
    while start < K:
        count = sum(clusters[k] == clusters[order[start]] for k in range(K))
        axes.add_patch(Rectangle((start - 0.5, start - 0.5), count, count, fill=False, edgecolor='black', linewidth=2))
        start += count
    figure.colorbar(image, ax=axes, shrink=0.8)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _first_leaf(clusters: Sequence[int], place: dict, cluster: int) -> int:
    """Where the tree's order has the first task of a cluster."""
    return min(place[k] for k, i in enumerate(clusters) if i == cluster)
