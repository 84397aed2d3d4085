"""
The part ``env`` of a configuration, for Atari. Light: imports no emulator.
"""
from lzero_mow.envs.env_config import SHARED_CONFIG, Rules, check_values, is_count, with_defaults
from lzero_mow.envs.games import check_games

ATARI_CONFIG = dict(
    SHARED_CONFIG,
    # (int) Emulator frames an action is held; one environment step.
    frame_skip=4,
    # (int) An episode begins with 1 to noop_max frames of no-op; 0 for none.
    noop_max=30,
    # (float) Probability that a frame repeats the previous frame's action; 0.25 in ALE's v5 environments.
    repeat_action_probability=0.0,
    # (int) Steps after which an episode is truncated; 27000 are half an hour of play.
    max_episode_steps=27000,
)
_RULES: Rules = {
    'frame_skip': ('a whole number of at least 1', lambda value: is_count(value, 1)),
    'noop_max': ('a whole number of at least 0', lambda value: is_count(value, 0)),
    'repeat_action_probability': (
        'a number from 0 to below 1', lambda value: isinstance(value, (int, float)) and 0 <= value < 1
    ),
}


def check_config(cfg: dict) -> None:
    """
    Overview:
        Refuse a configuration that no environment can be built from.
    Arguments:
        - cfg (:obj:`dict`): The part ``env`` of a run's configuration.
    Raises:
        - ValueError: one line, for unknown or repeated games and values that make no sense.
    """
    cfg = with_defaults(ATARI_CONFIG, cfg)
    check_games(cfg.tasks)
    check_values(cfg, _RULES)
