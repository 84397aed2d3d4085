"""
One Atari game as agents see it: four emulator frames per step, the pixelwise maximum of the last two, resized.

Frames, rewards and no-ops equal those of gymnasium's ``AtariPreprocessing`` with the same seed, bit for bit. We call
``ALEInterface`` directly because gymnasium's ``AtariEnv`` converts every frame to RGB, of which agents see two in four:
that adds 4 x 16 us to the 4 x 50 us that a step of emulation costs.

An episode is a function of its seed and actions alone, whatever was played before: ``reset(seed)`` power-cycles the
console. ALE's saved states are not used to continue an episode, because in ale_py 0.12 they lack the action that
stickiness may repeat, pixels that a game does not redraw in every frame, and (Qbert) the position within a frame.
Replaying the actions continues an episode exactly.
"""
from pathlib import Path
from typing import Dict, List, Tuple

import ale_py
import cv2
import numpy as np
from ale_py import roms

from lzero_mow.config.atari import ale_id


def rom_path(task: str) -> Path:
    """The path of a game's ROM; ValueError if it is missing or not the one that ALE knows."""
    try:
        path = roms.get_rom_path(ale_id(task))
    except OSError as error:  # no such file or folder, or the wrong hash
        reason = ' '.join(str(error).split())
        raise ValueError(f"cannot use the ROM of {task}, reinstall ale_py or fix ALE_ROMS_DIR: {reason}") from error
    if path is None:
        raise ValueError(f"ale_py {ale_py.__version__} has no ROM of {task}: install the version of requirements.lock")
    return path


class Emulator:
    """
    A console running one game, as ``lzero_mow.envs.visual_env`` defines it. ``size`` is the observations' height and
    width; for the rest see ``AtariKeys``. ValueError if the ROM is missing.
    """

    def __init__(
            self, task: str, size: Tuple[int, int], frame_skip: int, noop_max: int, repeat_action_probability: float
    ) -> None:
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # otherwise it prints a banner
        self.ale = ale_py.ALEInterface()
        self.ale.setFloat('repeat_action_probability', repeat_action_probability)
        self._rom, self._size = rom_path(task), (size[1], size[0])  # OpenCV's order
        self._frame_skip, self._noop_max, self._sticky = frame_skip, noop_max, repeat_action_probability > 0
        self.ale.loadROM(self._rom)
        self._powered_on = self.ale.cloneState(include_rng=True)
        height, width = self.ale.getScreenDims()
        # [0]: the last frame, then the maximum of both; [1]: the frame before it. When an episode ends within a step,
        # older frames remain here and are part of the result, as in AtariPreprocessing.
        self._frames = np.zeros((2, height, width, 3), dtype=np.uint8)
        self._small = np.zeros((*size, 3), dtype=np.uint8)
        self.lives = self.ale.lives()

    @property
    def minimal_actions(self) -> List[int]:
        """The actions that have an effect in this game, in ALE's numbering of all 18."""
        return [action.value for action in self.ale.getMinimalActionSet()]

    @property
    def screen(self) -> np.ndarray:
        """The latest observation at full size: uint8 (210, 160, 3), overwritten by the next step."""
        return self._frames[0]

    def fingerprint(self) -> np.ndarray:
        """The console's memory: uint8 (128, )."""
        return self.ale.getRAM()

    def reset(self, seed: int) -> np.random.Generator:
        """Start the episode of a seed, which decides the no-ops and the stickiness; returns the episode's generator."""
        python_seed, ale_seed = np.random.SeedSequence(seed).generate_state(2)
        rng = np.random.default_rng(int(python_seed))
        self._power_on(ale_seed)
        for _ in range(rng.integers(1, self._noop_max + 1) if self._noop_max else 0):
            self.ale.act(0)
            if self.ale.game_over(with_truncation=False):
                self._power_on(ale_seed)
        self.lives = self.ale.lives()
        self.ale.getScreenRGB(self._frames[0])
        self._frames[1].fill(0)
        return rng

    def step(self, action: int) -> Tuple[float, bool, Dict[str, bool]]:
        """Hold an action for ``frame_skip`` frames or until the game is over; returns the sum of the raw rewards."""
        ale, last = self.ale, self._frame_skip - 1
        reward, terminated, life_loss = 0., False, False
        for frame in range(self._frame_skip):
            reward += ale.act(action)
            lives = ale.lives()
            life_loss |= lives < self.lives
            self.lives = lives
            terminated = ale.game_over(with_truncation=False)
            if terminated:
                break
            if frame >= last - 1:
                ale.getScreenRGB(self._frames[last - frame])
        if self._frame_skip > 1:
            np.maximum(self._frames[0], self._frames[1], out=self._frames[0])
        return reward, terminated, {'life_loss': life_loss}

    def observe(self) -> np.ndarray:
        """The current frame: uint8 (3, height, width)."""
        cv2.resize(self._frames[0], self._size, dst=self._small, interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(self._small.transpose(2, 0, 1))

    def close(self) -> None:
        """Nothing to free."""

    def _power_on(self, ale_seed: np.uint32) -> None:
        # The seed only affects the stickiness. ALE reads it while loading a ROM, which takes 65 ms; without stickiness,
        # restoring the state after the first load takes 4 ms.
        if self._sticky:
            self.ale.setInt('random_seed', int(ale_seed.astype(np.int32)))
            self.ale.loadROM(self._rom)
        else:
            self.ale.restoreState(self._powered_on)
        self.ale.reset_game()
