"""What other agents have reached, as published: ``config/peers.yaml``. Light: imports no torch."""
from typing import Dict, List, Optional, Sequence

from pydantic import BaseModel

from lzero_mow.utils.paths import config_file
from .suites import PEERS, read_yaml


class Peer(BaseModel, strict=True, extra='forbid'):
    """An agent that others have trained, one for each game."""
    name: str
    paper: str
    source: str  # where its returns were read
    environment_steps: int  # of each game
    # Mean of its scores over all games, where it was published with these returns: a test recomputes it from them.
    published_mean: Optional[float]
    returns: Dict[str, float]  # by game

    @property
    def title(self) -> str:
        """What tables and curves call it."""
        return f'{self.name} (published)'


def load_peers() -> Dict[str, List[Peer]]:
    """All of them, by suite."""
    suites = read_yaml(config_file(f'{PEERS}.yaml'))
    return {suite: [Peer(name=name, **keys) for name, keys in peers.items()] for suite, peers in suites.items()}


def peers_of(suite: Optional[str], tasks: Sequence[str]) -> List[Peer]:
    """Those of a suite (None for tables without scores) that have any of these tasks; ValueError if there are none."""
    if suite is None:
        raise ValueError(
            '--peers: these evaluations have no normalised scores, so that published returns cannot stand beside them; '
            "Atari's have them where games may last five minutes, as in the presets overnight and paper"
        )
    peers = load_peers()
    found = [peer for peer in peers.get(suite, []) if set(tasks) & set(peer.returns)]
    if not found:
        known = ', '.join(peers)
        raise ValueError(f"--peers: nobody's returns are known in these games of {suite}, only in those of {known}")
    return found
