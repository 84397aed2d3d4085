"""One colour per method, the same in every picture of a table."""
from typing import Dict, Sequence

from matplotlib import colormaps

from lzero_mow.config.suites import EXPERT, RANDOM

REFERENCE_COLOURS = {RANDOM: 'grey', EXPERT: 'black'}


def method_colours(methods: Sequence[str]) -> Dict[str, object]:
    """Ten dark colours, then ten light ones; random play is grey, experts are black."""
    colours = colormaps['tab20'].colors
    order = [*colours[::2], *colours[1::2]]
    return {method: REFERENCE_COLOURS.get(method, order[i % len(order)]) for i, method in enumerate(methods)}
