"""Trees of arrays as trees of tensors and primitives, which `torch.load(weights_only=True)` accepts."""
from typing import Any

import numpy as np
import torch


def pack(tree: Any) -> Any:
    """
    Overview:
        Arrays become tensors and numpy scalars Python numbers, at any depth, because
        ``torch.load(weights_only=True)`` refuses numpy's.
    Arguments:
        - tree (:obj:`Any`): Dicts, lists and tuples of arrays and primitives.
    Returns:
        - packed (:obj:`Any`): The same tree; arrays are copied.
    """
    if isinstance(tree, dict):
        return {key: pack(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(pack(value) for value in tree)
    if isinstance(tree, np.ndarray):
        return torch.from_numpy(np.array(tree, order='C'))
    return tree.item() if isinstance(tree, np.generic) else tree


def unpack(tree: Any) -> Any:
    """
    Overview:
        The inverse of ``pack``.
    Arguments:
        - tree (:obj:`Any`): From ``pack``, possibly after a round trip through a file.
    Returns:
        - tree (:obj:`Any`): Tensors are arrays again, copied.
    """
    if isinstance(tree, dict):
        return {key: unpack(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(unpack(value) for value in tree)
    return tree.numpy().copy() if isinstance(tree, torch.Tensor) else tree
