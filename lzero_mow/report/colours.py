"""One colour a method, the same in every picture of a table."""
from typing import Dict, Sequence

from matplotlib import colormaps

from lzero_mow.suites import RANDOM


def method_colours(methods: Sequence[str]) -> Dict[str, object]:
    """
    Overview:
        Ten dark colours, then ten light ones; random play is grey.
    """
    colours = colormaps['tab20'].colors
    order = [*colours[::2], *colours[1::2]]
    return {method: 'grey' if method == RANDOM else order[index % len(order)] for index, method in enumerate(methods)}
