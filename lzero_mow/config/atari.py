"""The suite of Atari games. Light: imports no emulator."""
import re
from typing import Annotated

from pydantic import Field

from .atari_scores import REFERENCE_SCORES, reference_scores
from .envs import EnvKeys, Suite, refuse_unknown
from .fields import Count, Whole
from .references import References

# Names as LightZero and gymnasium's ALE ids spell them ('ALE/UpNDown-v5', 'UpNDownNoFrameskip-v4').
ATARI_100K = tuple(REFERENCE_SCORES)
FIVE_MINUTES = 18000  # frames: how long a game of the evaluations of Mnih et al. (2015) may last


class AtariKeys(EnvKeys):
    """Keys of Atari's environments."""
    # (int) Emulator frames an action is held for; one environment step.
    frame_skip: Count = 4
    # (int) An episode begins with 1 to noop_max frames of no-op; 0 for none.
    noop_max: Whole = 30
    # (float) Probability that a frame repeats the previous frame's action; 0.25 in ALE's v5 environments.
    repeat_action_probability: Annotated[float, Field(ge=0, lt=1)] = 0.0
    # (int) Steps after which an episode is truncated; 27000 are half an hour of play. Games that are cut before five
    # minutes, 4500 steps of 4 frames, have no scores.
    max_episode_steps: Count = 27000


def ale_id(name: str) -> str:
    """ALE's own id of a game, the name of its ROM file: ``ale_id('UpNDown') == 'up_n_down'``."""
    return re.sub(r'(?<!^)(?=[A-Z])', '_', name).lower()


def check_game(task: str) -> None:
    """Refuse a name that is no game's."""
    refuse_unknown(task, ATARI_100K, 'game', f' (the {len(ATARI_100K)} Atari 100k games can be played)')


# ALE's whole action set has 18 actions, 0 (no-op) to 17.
ATARI = Suite(
    'atari_mow', AtariKeys, check_game, num_actions=18,
    references=References(
        reference_scores, 'human-normalised score', 'random play 0, a human 1',
        cut=lambda env: env['max_episode_steps'] * env['frame_skip'] < FIVE_MINUTES
    )
)
