"""What a search stores per node for the model: key-value caches, and the path from the root.

Slots along the first axis of latents and actions:
    0 .. n - 1         the real steps of the windows; the root of row r is slot length[r] - 1
    n - 1 + s, s >= 1  node s, added by simulation s
"""
from typing import Tuple

import numpy as np
import torch
from torch import Tensor


class NodeStore:
    """
    Node 0 of each of R rows is its root, node s was added by simulation s. The windows are latents (R, n, D) and
    actions (R, n - 1[, A]), right-padded, with `length` (R,) real steps each. A path that outgrows its cache is
    reopened from its last `context_length` steps; ValueError if that would leave no room for another one.

    All memory is allocated once: caches of num_nodes * 2 * layers * R * heads * T * head_width numbers, with the dtype
    and device of the roots' cache (layers, 2, R, heads, T, head_width).
    """

    def __init__(
            self, num_nodes: int, context_length: int, latent: Tensor, action: Tensor, length: np.ndarray,
            cache: Tensor, tokens: Tensor
    ) -> None:
        rows, window, width = latent.shape
        self._max_steps = cache.shape[4] // 2  # two tokens per step
        if context_length >= self._max_steps:
            raise ValueError(f'context_length {context_length} leaves no room in caches of {self._max_steps} steps')
        self._caches = cache.new_empty(num_nodes, *cache.shape)
        self._caches[0] = cache
        self._tokens = tokens.new_empty(num_nodes, rows)
        self._tokens[0] = tokens
        self._latent = latent.new_empty(window - 1 + num_nodes, rows, width)
        self._latent[:window] = latent.transpose(0, 1)
        # The action that led to each slot.
        self._action_to = action.new_empty(window - 1 + num_nodes, rows, *action.shape[2:])
        self._action_to[1:window] = action.transpose(0, 1)
        self._window, self._rows = window, torch.arange(rows, device=latent.device)
        # The keys (or values) of a row in one layer form a block; these are the blocks of node 0, (layers * 2, R).
        self._root_blocks = torch.arange(cache[..., 0, 0, 0].numel(), device=cache.device).view(-1, rows)
        # On the host: the slots of the last `context_length` steps up to each node, and the steps in its cache. If a
        # window is shorter, its path begins with negative numbers, which later nodes push out.
        self._path = np.empty((num_nodes, rows, context_length), dtype=np.int64)
        self._path[0] = length[:, None] - np.arange(context_length, 0, -1)
        self._steps = np.empty((num_nodes, rows), dtype=np.int64)
        self._steps[0] = length

    def to_device(self, x: np.ndarray) -> Tensor:
        """Copy an array to the device of the caches without blocking."""
        return torch.from_numpy(x).to(self._caches.device, non_blocking=True)

    def full(self, parent: np.ndarray) -> np.ndarray:
        """The rows whose parent's cache has no room for another step; parent (R,) on the host."""
        return np.flatnonzero(self._steps[parent, np.arange(len(parent))] == self._max_steps)

    def branch(self, node: int, parent: Tensor) -> Tuple[Tensor, Tensor]:
        """
        The caches of a new node, copied from its parents' (R,) on the device and to be extended in place: cache
        (layers, 2, R, heads, T, head_width) and tokens (R,).
        """
        blocks = self._root_blocks + parent * self._root_blocks.numel()  # (layers * 2, R)
        known = self._caches[:node].flatten(0, 3).flatten(1)
        cache = self._caches[node]
        torch.index_select(known, 0, blocks.flatten(), out=cache.view(blocks.numel(), -1))
        return cache, self._tokens[parent, self._rows]

    def context(self, parent: np.ndarray, rows: np.ndarray) -> Tuple[Tensor, Tensor]:
        """The last steps up to the parents of R' rows: latents (R', context_length, D) and the actions between them."""
        slot, row = self.to_device(self._path[parent[rows], rows]), self.to_device(rows)[:, None]
        return self._latent[slot, row], self._action_to[slot[:, 1:], row]

    def reopen(self, node: int, rows: np.ndarray, cache: Tensor) -> None:
        """Replace the caches of R' rows of `node` with another cache (layers, 2, R', heads, T, head_width)."""
        self._caches[node][:, :, self.to_device(rows)] = cache

    def add(self, node: int, parent: np.ndarray, action: Tensor, latent: Tensor, tokens: Tensor) -> None:
        """Record `node`, to which `action` (R[, A]) leads from `parent` (R,): latent (R, D), cached tokens (R,)."""
        slot, rows = self._window - 1 + node, np.arange(len(parent))
        self._tokens[node], self._latent[slot], self._action_to[slot] = tokens, latent, action
        context_length = self._path.shape[-1]
        self._path[node, :, :-1] = self._path[parent, rows, 1:]
        self._path[node, :, -1] = slot
        steps = self._steps[parent, rows]
        self._steps[node] = np.where(steps == self._max_steps, context_length, steps) + 1
