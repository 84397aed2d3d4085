"""The suite of MinAtar games. Light: imports no game."""
from typing import Tuple

from .envs import EnvKeys, Suite, refuse_unknown
from .fields import Count, Share, numbers
from .minatar_scores import REFERENCE_SCORES
from .references import Reference, References

# Name: MinAtar's own name.
GAMES = dict(
    Asterix='asterix', Breakout='breakout', Freeway='freeway', Seaquest='seaquest', SpaceInvaders='space_invaders'
)
NUM_COLOURS = 10  # of the palette in minatar_game.py
CELLS = 10  # the board is 10 x 10


class MinAtarKeys(EnvKeys):
    """Keys of MinAtar's environments."""
    # (tuple) Channels, height and width of an observation. A cell of the board takes whole pixels; the rim is black.
    obs_shape: numbers(
        3, f'(3, size, size) with a size of at least {CELLS}', lambda *shape: all(type(n) is int for n in shape) and
        shape[0] == 3 and shape[1] == shape[2] >= CELLS
    ) = (3, 32, 32)
    # (float) Probability that a step repeats the previous step's action.
    sticky_action_prob: Share = 0.1
    # (bool) Whether a game becomes faster the longer it goes well.
    difficulty_ramping: bool = True
    # (int) Steps after which an episode is truncated; Freeway itself ends after 2500.
    max_episode_steps: Count = 2500


def game_and_palette(task: str) -> Tuple[str, int]:
    """
    MinAtar's name of the game and n, of a task's name: ``GAME`` or ``GAME@n``, the same game with its colours moved on
    by n places. Copies in other colours are tasks that are known to belong together. ValueError for another name.
    """
    game, at, palette = str(task).partition('@')
    refuse_unknown(game, GAMES, 'game')
    if at and not (palette.isdigit() and 1 <= int(palette) < NUM_COLOURS):
        raise ValueError(f"env.tasks names {task!r}: what follows @ must be 1 to {NUM_COLOURS - 1}")
    return GAMES[game], int(palette or 0)


def reference_scores(task: str) -> Reference:
    """What random play and DQN reach in a task: the same in all colours. ValueError for another name."""
    game_and_palette(task)
    return REFERENCE_SCORES[task.partition('@')[0]]


MINATAR = Suite(
    'minatar_mow', MinAtarKeys, game_and_palette, num_actions=6,
    references=References(
        reference_scores, 'DQN-normalised score', 'random play 0, DQN after 5 million frames (Young and Tian 2019) 1'
    )
)
