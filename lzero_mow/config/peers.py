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
    published_mean: Optional[float]  # of its scores over all games, where it was published with these returns
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
    """Those of a suite (None for one that is not known) that have any of these tasks; ValueError if there are none."""
    peers = load_peers()
    found = [peer for peer in peers.get(suite, []) if set(tasks) & set(peer.returns)]
    if not found:
        games = 'these games' if suite is None else f'these games of {suite}'
        raise ValueError(f"--peers: nobody's returns are known in {games}, only in those of {', '.join(peers)}")
    return found
