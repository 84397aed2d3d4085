"""Reanalysis: searches from steps that were taken long ago, with the networks of today (MuZero appendix H)."""
from dataclasses import replace
from typing import Iterator

import numpy as np
import torch
from easydict import EasyDict

from lzero_mow.buffer.search_batch import SearchBatch
from lzero_mow.model.scalezero.moe import searching
from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel
from .tree_search import Window, search

CACHE_BYTES = 2 ** 31  # of the key-value caches of all nodes of the roots that are searched from at once


def share_of_rows(batch: SearchBatch, ratio: float) -> np.ndarray:
    """The numbers of `ratio` B rows, spread evenly over the batch, hence over its tasks."""
    before = np.floor(np.arange(len(batch.task) + 1) * ratio + 1e-6)
    return np.flatnonzero(np.diff(before))


@torch.no_grad()
def reanalyzed(
        model: ScaleZeroModel, batch: SearchBatch, rows: np.ndarray, legal: np.ndarray, cfg: EasyDict,
        rng: np.random.Generator
) -> SearchBatch:
    """
    Overview:
        The batch with the results of fresh searches from every valid step of some rows, by all simulations at once.
    Arguments:
        - model (:obj:`ScaleZeroModel`): In eval mode.
        - rows (:obj:`np.ndarray`): Numbers of the rows, ascending. Their searches see the steps from the beginning of
            the sequence on, at most `context_length`.
        - legal (:obj:`np.ndarray`): (K, A) bool, the legal actions of each task.
        - cfg (:obj:`EasyDict`): See `search`.
        - rng (:obj:`np.random.Generator`): Source of the noise at the roots, which LightZero's reanalysis has too.
    """
    if not len(rows):
        return batch
    L, device = batch.visits.shape[1], batch.visits.device
    on_device = lambda x: torch.from_numpy(x).to(device, non_blocking=True)
    latent = model.encode(batch.obs[on_device(rows), :L].flatten(0, 1)).unflatten(0, (-1, L))  # (B', L, D)
    task = np.asarray(batch.task)
    visits, samples = batch.visits.clone(), batch.sampled_actions
    samples = None if samples is None else samples.clone()
    place, step = np.nonzero(batch.valid.cpu().numpy()[rows])  # of each root: its row is rows[place]
    start = np.maximum(step + 1 - cfg.context_length, 0)  # of its window
    with searching(model):
        for part in _parts(model, len(step), cfg.num_simulations):
            at = on_device(np.minimum(start[part, None] + np.arange(cfg.context_length), L - 1))  # (R, n)
            of_place, row = on_device(place[part]), rows[place[part]]
            past = batch.action[on_device(row)[:, None], at[:, :-1]]  # (R, n - 1[, A])
            length = step[part] - start[part] + 1
            window = Window(latent[of_place[:, None], at], past, length, task[row].tolist(), legal[task[row]])
            found = search(model, window, cfg, rng)
            root = on_device(row), on_device(step[part])
            visits[root] = on_device(found.visits)
            if samples is not None:
                samples[root] = on_device(found.actions)
    return replace(batch, visits=visits, sampled_actions=samples)


def _parts(model: ScaleZeroModel, roots: int, num_simulations: int) -> Iterator[slice]:
    """The roots, as many at once as there is memory for."""
    at_once = max(1, CACHE_BYTES // (model.backbone.new_cache(1).nbytes * (num_simulations + 1)))
    return (slice(begin, begin + at_once) for begin in range(0, roots, at_once))
