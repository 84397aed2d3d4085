"""
The part ``env`` of a configuration, for Atari. Light: imports no emulator.
"""
import re
from typing import List

from .envs import SHARED_CONFIG, Rules, check_tasks, check_values, is_count, with_defaults
from .tree import nearest

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

# Names as LightZero and gymnasium's ALE ids spell them ('ALE/UpNDown-v5', 'UpNDownNoFrameskip-v4').
ATARI_100K = (
    'Alien', 'Amidar', 'Assault', 'Asterix', 'BankHeist', 'BattleZone', 'Boxing', 'Breakout', 'ChopperCommand',
    'CrazyClimber', 'DemonAttack', 'Freeway', 'Frostbite', 'Gopher', 'Hero', 'Jamesbond', 'Kangaroo', 'Krull',
    'KungFuMaster', 'MsPacman', 'Pong', 'PrivateEye', 'Qbert', 'RoadRunner', 'Seaquest', 'UpNDown'
)


def ale_id(name: str) -> str:
    """
    Overview:
        ALE's own id of a game, the name of its ROM file: ``ale_id('UpNDown') == 'up_n_down'``.
    Arguments:
        - name (:obj:`str`): The game as ``ATARI_100K`` spells it.
    Returns:
        - ale_id (:obj:`str`): The name in snake case.
    """
    return re.sub(r'(?<!^)(?=[A-Z])', '_', name).lower()




def check_games(tasks: List[str]) -> None:
    """
    Overview:
        Refuse a list of games that no run can be built from.
    Arguments:
        - tasks (:obj:`List[str]`): Names of games, one per task.
    Raises:
        - ValueError: one line, if there is no task, if a game is unknown (naming the nearest ones) or named twice.
    """
    check_tasks(tasks, _check_game)


def _check_game(task: str) -> None:
    if task not in ATARI_100K:
        raise ValueError(
            f"env.tasks names the unknown game {task!r}: did you mean {', '.join(nearest(task, ATARI_100K))}? "
            f"(the {len(ATARI_100K)} Atari 100k games can be played)"
        )
