"""One colour per method, the same in every picture of a table."""
from typing import Dict, Sequence

from matplotlib import colormaps

from lzero_mow.config.suites import RANDOM, references

PEER_COLOURS = colormaps['Dark2'].colors  # of agents whose returns were published


def method_colours(methods: Sequence[str]) -> Dict[str, object]:
    """Ten dark colours, then ten light ones; random play is grey, other reference players are black."""
    colours = colormaps['tab20'].colors
    order = [*colours[::2], *colours[1::2]]
    players = {player: 'grey' if player == RANDOM else 'black' for player in references()}
    return {method: players.get(method, order[i % len(order)]) for i, method in enumerate(methods)}
