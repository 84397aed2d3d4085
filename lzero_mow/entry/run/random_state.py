"""The random states of Python, numpy and torch: saved, restored, and isolated from evaluations."""
import random
from contextlib import contextmanager
from typing import Iterator

import numpy as np
import torch
from ding.utils import set_pkg_seed


class RandomState:
    """The global random states as a part of a checkpoint."""

    @staticmethod
    def state_dict() -> dict:
        """Every state, as primitives and tensors that ``torch.load(weights_only=True)`` accepts."""
        name, key, position, has_gauss, cached = np.random.get_state()
        version, internal, gauss = random.getstate()
        return dict(
            python=[version, list(internal), gauss], torch=torch.get_rng_state(),
            numpy=[name, torch.from_numpy(key.astype(np.int64)), position, has_gauss, cached],
            cuda=torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        )

    @staticmethod
    def load_state_dict(state: dict) -> None:
        """Restore every state; those of GPUs only if the machine still has the same number."""
        version, internal, gauss = state['python']
        random.setstate((version, tuple(internal), gauss))
        name, key, position, has_gauss, cached = state['numpy']
        np.random.set_state((name, key.numpy().astype(np.uint32), position, has_gauss, cached))
        torch.set_rng_state(state['torch'].cpu())
        if len(state['cuda']) == (torch.cuda.device_count() if torch.cuda.is_available() else 0):
            torch.cuda.set_rng_state_all([gpu.cpu() for gpu in state['cuda']])


@contextmanager
def isolated_rng(seed: int) -> Iterator[None]:
    """
    Run a block with random numbers of its own, which depend on ``seed`` alone, and restore the states afterwards, so
    that training does not depend on what is evaluated or drawn, and how often.
    """
    before = RandomState.state_dict()
    set_pkg_seed(seed, use_cuda=torch.cuda.is_available())
    try:
        yield
    finally:
        RandomState.load_state_dict(before)
