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
    Draw the (K, K) centred cosines as PNG, K at least 2, the clusters i_k of the tasks framed; above them the
    dendrogram (average linkage on 1 - cosine).
    """
    K = len(tasks)
    size = 1.5 + 0.34 * K
    figure = Figure(figsize=(size + 2.6, size + 1.9), layout='constrained')
    figure.suptitle("Cosine of the tasks' gradients\nless their mean; clusters in brackets", fontsize='medium')
    axes = figure.add_subplot()
    top = axes.inset_axes([0, 1.02, 1, 1.2 / size])  # a leaf above each column
    style = dict(no_labels=True, color_threshold=0, above_threshold_color='dimgrey')
    leaves = dendrogram(linkage_tree(similarity), ax=top, **style)['leaves']
    by_leaf = [clusters[k] for k in leaves]
    order = sorted(leaves, key=lambda k: by_leaf.index(clusters[k]))  # by cluster, within it as in the tree
    top.set_ylabel('1 - cosine')
    top.set_xlim(0, 10 * K)
    top.spines[['top', 'right', 'bottom']].set_visible(False)
    image = axes.imshow(similarity[np.ix_(order, order)], cmap='RdBu', vmin=-1, vmax=1)
    axes.set_xticks([])
    axes.set_yticks(range(K), [f'{tasks[k]} ({clusters[k]})' for k in order])
    start = 0
    for cluster in dict.fromkeys(by_leaf):
        count = by_leaf.count(cluster)
        axes.add_patch(Rectangle((start - 0.5, start - 0.5), count, count, fill=False, edgecolor='black', linewidth=2))
        start += count
    figure.colorbar(image, ax=axes, shrink=0.8)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
