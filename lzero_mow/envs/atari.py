"""Atari as a DI-engine environment for multi-task runs: raw rewards, whole games, one action space for every game."""
from ding.utils import ENV_REGISTRY

from lzero_mow.config.atari import ATARI
from lzero_mow.config.envs import with_defaults
from .emulator import Emulator, rom_path
from .visual_env import VisualEnv


@ENV_REGISTRY.register('atari_mow')
class AtariMoWEnv(VisualEnv):
    """
    Overview:
        One Atari game: RGB frames, ALE's 18 actions, raw rewards; an episode is a whole game.
    Arguments:
        - cfg (:obj:`EasyDict`): Keys of ``config``, and ``task``, the game's name; missing keys have their defaults.
    Raises:
        - ValueError: for an unknown game, an invalid value or a missing ROM, see ``check``.
    """
    suite = ATARI
    config = ATARI.keys.defaults()
    frames_per_second = 60

    @classmethod
    def check(cls, cfg: dict) -> None:
        super().check(cfg)
        for task in with_defaults(cls.config, cfg).tasks:
            rom_path(task)

    def _new_game(self) -> Emulator:
        keys = ('frame_skip', 'noop_max', 'repeat_action_probability')
        return Emulator(self.task, tuple(self._cfg.obs_shape[1:]), **{key: self._cfg[key] for key in keys})
