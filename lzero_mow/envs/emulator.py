"""
One Atari game as agents see it: four emulator frames per step, the brighter of the last two pixel by pixel, resized.

The frames, rewards and no-ops are those of gymnasium's ``AtariPreprocessing`` with the same seed, to the bit. It talks
to ``ALEInterface`` directly, because gymnasium's ``AtariEnv`` turns every frame into RGB and agents see two of four:
where a step costs 4 x 50 us of emulation, that is 4 x 16 us more.

Episodes are functions of their seed and actions alone, whatever was played before: ``reset(seed)`` powers the console
on again. ALE's saved states are not used to continue an episode, since in ale_py 0.12 they lack the action that
stickiness may repeat, pixels that a game does not redraw in every frame, and (Qbert) the place within a frame. An
episode is continued exactly by playing its actions again.
"""
from pathlib import Path
from typing import Dict, List, Tuple

import ale_py
import cv2
import numpy as np
from ale_py import roms

from lzero_mow.config.atari import ale_id

NUM_ACTIONS = 18  # ALE's whole action set, its numbers are 0 (no-op) to 17


def rom_path(task: str) -> Path:
    """
    Overview:
        Where a game's ROM lies.
    Arguments:
        - task (:obj:`str`): The game.
    Raises:
        - ValueError: if the ROM is missing or not the one ALE knows.
    """
    try:
        path = roms.get_rom_path(ale_id(task))
    except OSError as error:  # no such file or folder, or another hash
        reason = ' '.join(str(error).split())
        raise ValueError(
            f"the ROM of {task} cannot be used, reinstall ale_py or mend ALE_ROMS_DIR: {reason}"
        ) from error
    if path is None:
        raise ValueError(f"ale_py {ale_py.__version__} has no ROM of {task}: install the version of requirements.lock")
    return path


class Emulator:
    """
    Overview:
        A console with one game in it.
    Arguments:
        - task (:obj:`str`): The game.
        - size (:obj:`Tuple[int, int]`): Height and width of the observations.
        - frame_skip (:obj:`int`): Emulator frames per step.
        - noop_max (:obj:`int`): An episode starts with 1 to ``noop_max`` frames of no-op; 0 for none.
        - repeat_action_probability (:obj:`float`): Probability that a frame repeats the previous frame's action.
    Raises:
        - ValueError: if the ROM is missing.
    """

    def __init__(
            self, task: str, size: Tuple[int, int], frame_skip: int, noop_max: int, repeat_action_probability: float
    ) -> None:
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # or it prints a banner
        self.ale = ale_py.ALEInterface()
        self.ale.setFloat('repeat_action_probability', repeat_action_probability)
        self._rom = rom_path(task)
        self._size = (size[1], size[0])  # OpenCV's order
        self._frame_skip = frame_skip
        self._noop_max = noop_max
        self._sticky = repeat_action_probability > 0
        self.ale.loadROM(self._rom)
        self._powered_on = self.ale.cloneState(include_rng=True)
        height, width = self.ale.getScreenDims()
        # [0]: the last frame, then the maximum of both; [1]: the frame before. What an episode's end within a step
        # leaves of older frames is part of AtariPreprocessing's result.
        self._frames = np.zeros((2, height, width, 3), dtype=np.uint8)
        self._small = np.zeros((*size, 3), dtype=np.uint8)
        self.lives = self.ale.lives()

    @property
    def minimal_actions(self) -> List[int]:
        """The actions that do something in this game, in ALE's numbering of all 18."""
        return [action.value for action in self.ale.getMinimalActionSet()]

    @property
    def screen(self) -> np.ndarray:
        """The picture behind the latest observation at full size: uint8 (210, 160, 3), overwritten by the next step."""
        return self._frames[0]

    def fingerprint(self) -> np.ndarray:
        """The console's memory: uint8 (128, )."""
        return self.ale.getRAM()

    def reset(self, seed: int) -> np.random.Generator:
        """
        Overview:
            Start the episode that belongs to a seed.
        Arguments:
            - seed (:obj:`int`): Decides the number of no-ops and every draw of the stickiness.
        Returns:
            - rng (:obj:`np.random.Generator`): The episode's generator, after its draw of the no-ops.
        """
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
        """
        Overview:
            Hold one action for ``frame_skip`` frames, or until the game is over.
        Arguments:
            - action (:obj:`int`): In ALE's numbering, 0 to 17.
        Returns:
            - reward (:obj:`float`): Raw points of all frames together.
            - terminated (:obj:`bool`): The game is over.
            - info (:obj:`dict`): ``life_loss``: a frame had fewer lives than the one before.
        """
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
        """The frame of this moment: uint8 (3, height, width)."""
        cv2.resize(self._frames[0], self._size, dst=self._small, interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(self._small.transpose(2, 0, 1))

    def close(self) -> None:
        """Nothing to do."""

    def _power_on(self, ale_seed: np.uint32) -> None:
        # The seed decides nothing but the stickiness. It is read while a ROM is loaded, which takes 65 ms; without
        # stickiness, 4 ms put the console back to where the first loading left it.
        if self._sticky:
            self.ale.setInt('random_seed', int(ale_seed.astype(np.int32)))
            self.ale.loadROM(self._rom)
        else:
            self.ale.restoreState(self._powered_on)
        self.ale.reset_game()
