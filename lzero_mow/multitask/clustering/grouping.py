"""Grouping tasks whose gradients pull the shared modules in the same direction (paper section 3.6)."""
from typing import List

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import silhouette_score
from sklearn.metrics.pairwise import cosine_similarity

from lzero_mow.config.clusters import canonical


def cosine_similarities(signatures: np.ndarray) -> np.ndarray:
    """Cosine similarities of the tasks' signatures: (K, S) -> (K, K), symmetric, with ones on the diagonal."""
    similarity = cosine_similarity(signatures)
    np.fill_diagonal(similarity, 1.0)
    return np.clip((similarity + similarity.T) / 2, -1, 1)


def agglomerate(similarity: np.ndarray, num_clusters: int) -> List[int]:
    """Agglomerative clustering with average linkage on the distance 1 - cosine; returns i_k, canonical."""
    if num_clusters == len(similarity):
        return list(range(num_clusters))
    model = AgglomerativeClustering(num_clusters, metric='precomputed', linkage='average')
    return canonical(model.fit_predict(1 - similarity).tolist())


def agglomerate_auto(similarity: np.ndarray, max_clusters: int) -> List[int]:
    """
    The clustering with 2 to ``max_clusters`` clusters and the highest mean silhouette. A silhouette compares a task
    with the others of its cluster, so one cluster per task is not a candidate.
    """
    candidates = [agglomerate(similarity, n) for n in range(2, min(max_clusters, len(similarity) - 1) + 1)]
    return max(candidates, key=lambda clusters: silhouette_score(1 - similarity, clusters, metric='precomputed'))


def linkage_tree(similarity: np.ndarray) -> np.ndarray:
    """The tree that ``agglomerate`` cuts, in scipy's form, with similar tasks side by side."""
    return linkage(squareform(1 - similarity, checks=False), 'average', optimal_ordering=True)


def leaf_order(similarity: np.ndarray) -> List[int]:
    """The tasks in the order of the tree's leaves."""
    return leaves_list(linkage_tree(similarity)).tolist()


def group(similarity: np.ndarray, rule: str, num_clusters: int) -> List[int]:
    """Clusters by the rule 'gradient' (``num_clusters`` of them) or 'auto' (2 to ``num_clusters``)."""
    if num_clusters == 1:
        return [0] * len(similarity)
    return (agglomerate if rule == 'gradient' else agglomerate_auto)(similarity, num_clusters)
