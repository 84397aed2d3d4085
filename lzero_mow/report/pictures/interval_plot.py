"""One number of several methods, with its intervals."""
import math
from typing import Dict, Tuple

from matplotlib.figure import Figure

from lzero_mow.utils.files import replacing
from .colours import method_colours


def write_intervals(path: str, estimates: Dict[str, Tuple[float, float, float]], label: str) -> None:
    """
    Draw a bar with a mark for each method, from the top down, as PNG: its number, and the ends of the interval; the
    mark alone where those are NaN. The label says what the number is.
    """
    figure = Figure(figsize=(6.4, 1.1 + 0.3 * len(estimates)), layout='constrained')
    axes = figure.subplots()
    colours = method_colours(list(estimates))
    for position, (method, (point, low, high)) in enumerate(estimates.items()):
        if not math.isnan(low):
            axes.barh(position, high - low, left=low, height=0.6, color=colours[method], alpha=0.6)
        axes.plot([point, point], [position - 0.3, position + 0.3], color='black', linewidth=1.5)
    axes.set_yticks(range(len(estimates)), estimates)
    axes.invert_yaxis()
    axes.use_sticky_edges = False  # of bars, which would then end at the frame
    axes.margins(x=0.03)
    axes.set_xlabel(f'{label}\nbar: 95 % interval')
    axes.grid(axis='x', alpha=0.3)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
