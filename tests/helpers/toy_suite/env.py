"""A lamp in one of four corners, and a button for each of them."""
from typing import Any, Dict, Tuple

import numpy as np
from ding.utils import ENV_REGISTRY

from helpers.toy_suite.record import TASKS, TOY
from lzero_mow.envs.visual_env import VisualEnv


class LampGame:
    """A step is worth 1 if it presses the right button; then another lamp is lit."""
    minimal_actions = range(4)

    def __init__(self, shift: int, size: int, brightness: int) -> None:
        self._shift, self._size, self._brightness = shift, size, brightness

    def reset(self, seed: int) -> np.random.Generator:
        self._rng = np.random.default_rng(seed)
        self._lamp = int(self._rng.integers(4))
        return self._rng

    @property
    def right_button(self) -> int:
        return (self._lamp + self._shift) % 4

    def step(self, action: int) -> Tuple[float, bool, Dict[str, Any]]:
        reward = float(action == self.right_button)
        self._lamp = int(self._rng.integers(4))
        return reward, False, {}

    def observe(self) -> np.ndarray:
        frame, half = np.zeros((3, self._size, self._size), dtype=np.uint8), self._size // 2
        top, left = half * (self._lamp // 2), half * (self._lamp % 2)
        frame[:, top:top + half, left:left + half] = self._brightness
        return frame

    @property
    def screen(self) -> np.ndarray:
        return self.observe().transpose(1, 2, 0)

    def fingerprint(self) -> np.ndarray:
        return np.array([self._lamp], dtype=np.uint8)

    def close(self) -> None:
        pass


@ENV_REGISTRY.register('toy_mow')
class ToyEnv(VisualEnv):
    suite = TOY
    config = TOY.keys.defaults()
    frames_per_second = 10

    def _new_game(self) -> LampGame:
        return LampGame(TASKS[self.task], self._cfg.obs_shape[1], self._cfg.brightness)

    def script_action(self) -> int:
        return self._game.right_button
