"""What the nodes of a search remember for the model: key-value caches, and the way from the root to each node.

Slots along the first axis of latents and actions:
0 .. n - 1         the real steps of the windows; row r's root lies at length[r] - 1
n - 1 + s, s >= 1  node s, which simulation s added
"""
from typing import Tuple

import numpy as np
import torch
from torch import Tensor


class NodeStore:
    """
    Overview:
        Node 0 of each of R rows is its root, node s is what simulation s added. All memory is taken once: caches of
        num_nodes * 2 * layers * R * heads * T * head_width numbers, of the dtype and on the device of the roots' cache.
    Interfaces:
        ``branch``, ``full``, ``context``, ``reopen``, ``add``.
    Arguments:
        - num_nodes (:obj:`int`): Simulations + 1.
        - context_length (:obj:`int`): Steps that a path is reopened on when it outgrows its cache.
        - latent (:obj:`Tensor`): (R, n, D) and action (:obj:`Tensor`): (R, n - 1) or (R, n - 1, A), the roots' windows,
          right-padded.
        - length (:obj:`np.ndarray`): (R,) real steps of each window.
        - cache (:obj:`Tensor`): (layers, 2, R, heads, T, head_width) and tokens (:obj:`Tensor`): (R,), of the roots.
    Raises:
        - ValueError: When a cache could not be extended after it was reopened.
    """

    def __init__(
            self, num_nodes: int, context_length: int, latent: Tensor, action: Tensor, length: np.ndarray,
            cache: Tensor, tokens: Tensor
    ) -> None:
        rows, window, width = latent.shape
        self._max_steps = cache.shape[4] // 2  # a step is two tokens
        if context_length >= self._max_steps:
            raise ValueError(f'context_length {context_length} leaves no room in caches of {self._max_steps} steps')
        self._caches = cache.new_empty(num_nodes, *cache.shape)
        self._caches[0] = cache
        self._tokens = tokens.new_empty(num_nodes, rows)
        self._tokens[0] = tokens
        self._latent = latent.new_empty(window - 1 + num_nodes, rows, width)
        self._latent[:window] = latent.transpose(0, 1)
        # The action that led to a slot.
        self._action_to = action.new_empty(window - 1 + num_nodes, rows, *action.shape[2:])
        self._action_to[1:window] = action.transpose(0, 1)
        self._window, self._rows = window, torch.arange(rows, device=latent.device)
        # A row's keys (or values) in one layer are one block; these are the blocks of node 0, (layers * 2, R).
        self._root_blocks = torch.arange(cache[..., 0, 0, 0].numel(), device=cache.device).view(-1, rows)
        # On the host: the slots of the last `context_length` steps up to each node, and how many steps its cache holds.
        # Where a window is shorter, the path begins with negative numbers, which its next nodes push out.
        self._path = np.empty((num_nodes, rows, context_length), dtype=np.int64)
        self._path[0] = length[:, None] - np.arange(context_length, 0, -1)
        self._steps = np.empty((num_nodes, rows), dtype=np.int64)
        self._steps[0] = length

    def to_device(self, x: np.ndarray) -> Tensor:
        """An array of the host beside the caches; the copy does not block."""
        return torch.from_numpy(x).to(self._caches.device, non_blocking=True)

    def full(self, parent: np.ndarray) -> np.ndarray:
        """Rows whose parent's cache has no room for another step; parent (R,) on the host."""
        return np.flatnonzero(self._steps[parent, np.arange(len(parent))] == self._max_steps)

    def branch(self, node: int, parent: Tensor) -> Tuple[Tensor, Tensor]:
        """
        Overview:
            The caches of `node`, filled with those of the parents, to be extended in place.
        Arguments:
            - node (:obj:`int`): The node to be; parent (:obj:`Tensor`): (R,) on the device.
        Returns:
            - cache (:obj:`Tensor`): (layers, 2, R, heads, T, head_width); tokens (:obj:`Tensor`): (R,).
        """
        blocks = self._root_blocks + parent * self._root_blocks.numel()  # (layers * 2, R)
        known = self._caches[:node].flatten(0, 3).flatten(1)
        cache = self._caches[node]
        torch.index_select(known, 0, blocks.flatten(), out=cache.view(blocks.numel(), -1))
        return cache, self._tokens[parent, self._rows]

    def context(self, parent: np.ndarray, rows: np.ndarray) -> Tuple[Tensor, Tensor]:
        """The last steps to R' rows' parents: latents (R', context_length, D), one action fewer (R', ..., [A])."""
        slot, row = self.to_device(self._path[parent[rows], rows]), self.to_device(rows)[:, None]
        return self._latent[slot, row], self._action_to[slot[:, 1:], row]

    def reopen(self, node: int, rows: np.ndarray, cache: Tensor) -> None:
        """Let R' rows of `node` start from another cache (layers, 2, R', heads, T, head_width)."""
        self._caches[node][:, :, self.to_device(rows)] = cache

    def add(self, node: int, parent: np.ndarray, action: Tensor, latent: Tensor, tokens: Tensor) -> None:
        """
        Overview:
            Record the node that `action` (R,) or (R, A) led to from `parent` (R,).
        Arguments:
            - node (:obj:`int`): Its number; parent (:obj:`np.ndarray`), action (:obj:`Tensor`): The way to it.
            - latent (:obj:`Tensor`): (R, D); tokens (:obj:`Tensor`): (R,), in its cache.
        """
        slot, rows = self._window - 1 + node, np.arange(len(parent))
        self._tokens[node], self._latent[slot], self._action_to[slot] = tokens, latent, action
        context_length = self._path.shape[-1]
        self._path[node, :, :-1] = self._path[parent, rows, 1:]
        self._path[node, :, -1] = slot
        steps = self._steps[parent, rows]
        self._steps[node] = np.where(steps == self._max_steps, context_length, steps) + 1
