"""
One MinAtar game (Young and Tian 2019), drawn as a small RGB picture: one colour per channel of the game, later channels
on top, as MinAtar itself draws them.
"""
import importlib.util
from typing import Dict, List, Tuple

import numpy as np

from lzero_mow.config.minatar import CELLS, NUM_COLOURS, game_and_palette

# Bright and far apart, so that small objects show up in a squared error.
PALETTE = np.array(
    [
        (255, 255, 255), (255, 60, 60), (110, 110, 110), (60, 140, 255), (70, 220, 70), (255, 220, 50), (220, 80, 255),
        (60, 230, 230), (255, 140, 30), (180, 255, 140)
    ], dtype=np.uint8
)
assert len(PALETTE) == NUM_COLOURS


class MinAtarGame:
    """
    A game as ``lzero_mow.envs.visual_env`` defines it. ``size`` is the picture's height and width; a cell is
    ``size // 10`` pixels wide. For the rest see ``MinAtarKeys``.
    """

    def __init__(self, task: str, size: int, sticky_action_prob: float, difficulty_ramping: bool) -> None:
        require_minatar()
        from minatar.environment import Environment
        game, shift = game_and_palette(task)
        self._env = Environment(game, sticky_action_prob, difficulty_ramping)
        # Row 0 is the background, row i + 1 the colour of channel i.
        self._colours = np.concatenate([np.zeros((1, 3), np.uint8), np.roll(PALETTE, -shift, axis=0)])
        self._order = np.arange(1, self._env.n_channels + 1)
        self._cell = size // CELLS
        self._rim = (size - CELLS * self._cell) // 2
        self.screen = np.zeros((size, size, 3), dtype=np.uint8)

    @property
    def minimal_actions(self) -> List[int]:
        """The actions that have an effect in this game, out of MinAtar's six."""
        return list(self._env.minimal_action_set())

    def fingerprint(self) -> np.ndarray:
        """The board: uint8, one bit per cell and channel."""
        return np.packbits(self._env.state())

    def reset(self, seed: int) -> np.random.Generator:
        """Start the episode of a seed; returns a generator for random play."""
        self._env.seed(seed)
        self._env.last_action = 0
        self._env.reset()
        return np.random.default_rng(seed)

    def step(self, action: int) -> Tuple[float, bool, Dict[str, bool]]:
        """Play one action; returns MinAtar's reward and end of the episode."""
        reward, terminated = self._env.act(action)
        return float(reward), bool(terminated), {}

    def observe(self) -> np.ndarray:
        """The current frame: uint8 (3, size, size)."""
        top = (self._env.state() * self._order).max(-1)  # (10, 10): the uppermost channel, 0 for none
        picture = self._colours[top].repeat(self._cell, axis=0).repeat(self._cell, axis=1)
        board = slice(self._rim, self._rim + CELLS * self._cell)
        self.screen[board, board] = picture
        return np.ascontiguousarray(self.screen.transpose(2, 0, 1))

    def close(self) -> None:
        """Nothing to free."""


def require_minatar() -> None:
    """ValueError that says how to install MinAtar, an optional extra, if it is missing."""
    if importlib.util.find_spec('minatar') is None:
        raise ValueError("MinAtar is not installed: pip install 'MinAtar==1.0.15' (it is GPL-3.0)")
