"""Two fixed returns for each task of a suite, between which scores lie. Light: imports no game."""
from typing import Callable, NamedTuple, Optional, Sequence, Tuple

Reference = Tuple[float, float]  # raw returns of whole episodes: random play's, and that of a reference player


class References(NamedTuple):
    """The references of a suite. They are the same whatever else stands in a table, so that a run keeps its score."""
    of: Callable[[str], Reference]  # by task; raises ValueError for a name that is none of its tasks
    label: str  # what tables call the score
    meaning: str  # of 0 and 1: who plays so
    # Whether the part `env` of a configuration cuts episodes before the references' were: such returns lie on no scale.
    cut: Callable[[dict], bool] = lambda env: False


def normalised(episode_return: float, reference: Optional[Sequence[float]]) -> Optional[float]:
    """
    A whole episode's raw return, or an array of them, on the scale where random play is 0 and the reference player 1
    (papers print it in per cent); None where there is no reference.
    """
    if reference is None:
        return None
    random, player = reference
    return (episode_return - random) / (player - random)
