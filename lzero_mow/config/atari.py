"""The suite of Atari games. Light: imports no emulator."""
import re
from typing import Annotated

from pydantic import Field

from .envs import EnvKeys, Suite
from .fields import Count, Whole
from .tree import nearest

# Names as LightZero and gymnasium's ALE ids spell them ('ALE/UpNDown-v5', 'UpNDownNoFrameskip-v4').
ATARI_100K = (
    'Alien', 'Amidar', 'Assault', 'Asterix', 'BankHeist', 'BattleZone', 'Boxing', 'Breakout', 'ChopperCommand',
    'CrazyClimber', 'DemonAttack', 'Freeway', 'Frostbite', 'Gopher', 'Hero', 'Jamesbond', 'Kangaroo', 'Krull',
    'KungFuMaster', 'MsPacman', 'Pong', 'PrivateEye', 'Qbert', 'RoadRunner', 'Seaquest', 'UpNDown'
)


class AtariKeys(EnvKeys):
    """Keys of Atari's environments."""
    # (int) Emulator frames an action is held for; one environment step.
    frame_skip: Count = 4
    # (int) An episode begins with 1 to noop_max frames of no-op; 0 for none.
    noop_max: Whole = 30
    # (float) Probability that a frame repeats the previous frame's action; 0.25 in ALE's v5 environments.
    repeat_action_probability: Annotated[float, Field(ge=0, lt=1)] = 0.0
    # (int) Steps after which an episode is truncated; 27000 are half an hour of play.
    max_episode_steps: Count = 27000


def ale_id(name: str) -> str:
    """ALE's own id of a game, the name of its ROM file: ``ale_id('UpNDown') == 'up_n_down'``."""
    return re.sub(r'(?<!^)(?=[A-Z])', '_', name).lower()


def check_game(task: str) -> None:
    """Refuse a name that is no game's, in one line that names the nearest ones."""
    if task not in ATARI_100K:
        raise ValueError(
            f"env.tasks names the unknown game {task!r}: did you mean {', '.join(nearest(task, ATARI_100K))}? "
            f"(the {len(ATARI_100K)} Atari 100k games can be played)"
        )


# ALE's whole action set has 18 actions, 0 (no-op) to 17.
ATARI = Suite('atari_mow', AtariKeys, check_game, num_actions=18)
