"""Trees of arrays to trees of tensors and primitives, which `torch.load(weights_only=True)` accepts, and back."""
from typing import Any

import numpy as np
import torch


def pack(tree: Any) -> Any:
    """Copy arrays to tensors, and turn numpy's scalars into Python's, in nested dicts, lists and tuples."""
    if isinstance(tree, dict):
        return {key: pack(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(pack(value) for value in tree)
    if isinstance(tree, np.ndarray):
        return torch.from_numpy(np.array(tree, order='C'))
    return tree.item() if isinstance(tree, np.generic) else tree


def unpack(tree: Any) -> Any:
    """The inverse of ``pack``: copies tensors to arrays."""
    if isinstance(tree, dict):
        return {key: unpack(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(unpack(value) for value in tree)
    return tree.numpy().copy() if isinstance(tree, torch.Tensor) else tree
