"""
The games a run can name. Light on purpose: command lines and config checks import it without torch, DI-engine or ALE.

Only the 26 games of the Atari 100k benchmark are accepted. They are the ones with a random and a human score in
``scores.py``, so that every task of a run has a human-normalised score and none is silently left out of an aggregate.
"""
import difflib
import re
from typing import Iterable, List

from lzero_mow.envs.env_config import check_tasks

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


def nearest(name: str, names: Iterable[str], count: int = 3) -> List[str]:
    """
    Overview:
        The names that look most like a misspelled one, best first; upper and lower case count as equal.
    Arguments:
        - name (:obj:`str`): What was typed.
        - names (:obj:`Iterable[str]`): The names that exist.
        - count (:obj:`int`): How many to return at most.
    Returns:
        - nearest (:obj:`List[str]`): ``count`` of ``names``, or all of them if there are fewer.
    """
    spelled = {known.lower(): known for known in names}
    return [spelled[match] for match in difflib.get_close_matches(str(name).lower(), spelled, n=count, cutoff=0.)]


def check_games(tasks: List[str]) -> None:
    """
    Overview:
        Refuse a list of games that no run can be built from.
    Arguments:
        - tasks (:obj:`List[str]`): Names of games, one a task.
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
