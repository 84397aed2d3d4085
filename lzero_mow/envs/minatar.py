"""MinAtar as a DI-engine environment for multi-task runs: five different games that a laptop can learn."""
from ding.utils import ENV_REGISTRY

from lzero_mow.config.minatar import MINATAR
from .minatar_game import MinAtarGame, require_minatar
from .visual_env import VisualEnv


@ENV_REGISTRY.register('minatar_mow')
class MinAtarMoWEnv(VisualEnv):
    """
    Overview:
        One MinAtar game: small RGB frames, six actions, raw rewards, one life.
    Arguments:
        - cfg (:obj:`EasyDict`): Keys of ``config``, and ``task``, the game's name; missing keys have their defaults.
    Raises:
        - ValueError: for an unknown game, an invalid value or without MinAtar, see ``check``.
    """
    suite = MINATAR
    config = MINATAR.keys.defaults()
    frames_per_second = 10

    @classmethod
    def check(cls, cfg: dict) -> None:
        super().check(cfg)
        require_minatar()

    def _new_game(self) -> MinAtarGame:
        cfg = self._cfg
        return MinAtarGame(self.task, cfg.obs_shape[1], cfg.sticky_action_prob, cfg.difficulty_ramping)
