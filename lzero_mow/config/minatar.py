"""
The part ``env`` of a configuration, for MinAtar. Light: imports no game.
"""
from typing import Tuple

from .envs import SHARED_CONFIG, Rules, check_tasks, check_values, is_count, with_defaults
from .tree import nearest

# Name: MinAtar's own name.
GAMES = {
    'Asterix': 'asterix',
    'Breakout': 'breakout',
    'Freeway': 'freeway',
    'Seaquest': 'seaquest',
    'SpaceInvaders': 'space_invaders',
}
NUM_ACTIONS = 6
NUM_COLOURS = 10  # of the palette in minatar_game.py
CELLS = 10  # the board is 10 x 10

MINATAR_CONFIG = dict(
    SHARED_CONFIG,
    # (tuple) Channels, height and width of an observation; the board fills it with whole pixels a cell, in a black rim.
    obs_shape=(3, 32, 32),
    # (float) Probability that a step repeats the step before's action.
    sticky_action_prob=0.1,
    # (bool) Whether a game becomes faster the longer it goes well.
    difficulty_ramping=True,
    # (int) Steps after which an episode is truncated; Freeway itself ends after 2500.
    max_episode_steps=2500,
)
_RULES: Rules = {
    'obs_shape': (
        f'(3, size, size) with a size of at least {CELLS}', lambda value: isinstance(value, (list, tuple)) and
        len(value) == 3 and value[0] == 3 and value[1] == value[2] and is_count(value[1], CELLS)
    ),
    'sticky_action_prob': ('a number from 0 to 1', lambda value: isinstance(value, (int, float)) and 0 <= value <= 1),
    'difficulty_ramping': ('true or false', lambda value: isinstance(value, bool)),
}


def game_and_palette(task: str) -> Tuple[str, int]:
    """
    Overview:
        Take a task's name apart: ``GAME`` or ``GAME@n``, the same game with its colours moved on by n places. Copies
        under other colours are tasks of which it is known that they belong together.
    Returns:
        - game (:obj:`str`), palette (:obj:`int`): MinAtar's name of the game, and n.
    Raises:
        - ValueError: one line, for another name.
    """
    game, at, palette = str(task).partition('@')
    if game not in GAMES:
        raise ValueError(f"env.tasks names the unknown game {task!r}: did you mean {', '.join(nearest(game, GAMES))}?")
    if at and not (palette.isdigit() and 1 <= int(palette) < NUM_COLOURS):
        raise ValueError(f"env.tasks names {task!r}: what follows @ must be 1 to {NUM_COLOURS - 1}")
    return GAMES[game], int(palette or 0)


def check_config(cfg: dict) -> None:
    """
    Overview:
        Refuse a configuration that no environment can be built from.
    Arguments:
        - cfg (:obj:`dict`): The part ``env`` of a run's configuration.
    Raises:
        - ValueError: one line, for unknown or repeated games and values that make no sense.
    """
    cfg = with_defaults(MINATAR_CONFIG, cfg)
    check_tasks(cfg.tasks, game_and_palette)
    check_values(cfg, _RULES)
