"""
MinAtar for many tasks at once, as a DI-engine environment: five unlike games that a laptop can learn.
"""
from typing import Optional, Tuple

from ding.utils import ENV_REGISTRY

from lzero_mow.config.minatar import MINATAR_CONFIG, NUM_ACTIONS, check_config
from .minatar_game import MinAtarGame, require_minatar
from .visual_env import VisualEnv


@ENV_REGISTRY.register('minatar_mow')
class MinAtarMoWEnv(VisualEnv):
    """
    Overview:
        One MinAtar game: small RGB frames, six actions, raw rewards, one life.
    Arguments:
        - cfg (:obj:`EasyDict`): Keys of ``config`` below, and ``task``, the game's name; what is missing has its
            default.
    Raises:
        - ValueError: for an unknown game or a value that makes no sense, as ``check`` does.
    """
    config = MINATAR_CONFIG
    num_actions = NUM_ACTIONS
    frames_per_second = 10

    @classmethod
    def check(cls, cfg: dict) -> None:
        """
        Overview:
            Refuse a configuration that no environment can be built from, before anything is built.
        Arguments:
            - cfg (:obj:`dict`): The part ``env`` of a run's configuration.
        Raises:
            - ValueError: one line, for unknown or repeated games, values that make no sense, or without MinAtar.
        """
        check_config(cfg)
        require_minatar()

    @staticmethod
    def reference_scores(task: str) -> Optional[Tuple[float, float]]:
        """None: there is no score of a human in MinAtar."""
        return None

    def _new_game(self) -> MinAtarGame:
        cfg = self._cfg
        return MinAtarGame(self.task, cfg.obs_shape[1], cfg.sticky_action_prob, cfg.difficulty_ramping)
