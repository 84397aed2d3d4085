"""Learning curves from ``results.csv``: one panel per task, and one over all tasks; bands are intervals over seeds."""
import math
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lzero_mow.config.peers import Peer
from lzero_mow.config.suites import references
from lzero_mow.report.stats.intervals import Statistic, interval, iqm, mean
from lzero_mow.report.stats.scale import SUCCESS, table_scale
from lzero_mow.report.stats.scores import RETURN, curves, methods_of, read_evaluations, tasks_of
from lzero_mow.utils.files import replacing
from .colours import PEER_COLOURS, method_colours

MAX_COLUMNS, LEGEND_COLUMNS = 5, 5
ALL_TASKS = 'all tasks'


def write_curves(path: str, results: Sequence[str], **options: Any) -> None:
    """Draw the learning curves of several ``results.csv`` files; see ``draw_curves``."""
    draw_curves(path, read_evaluations(results), **options)


def draw_curves(
        path: str, rows: pd.DataFrame, drawn: Optional[Sequence[str]] = None, peers: Sequence[Peer] = (),
        x: str = 'environment steps per task', ends: Optional[Mapping[str, Mapping[str, Tuple[float, float]]]] = None
) -> None:
    """
    Overview:
        Draw learning curves as PNG: for each method the mean over its seeds in every task (of the success where there
        is some, else of the return), and over all tasks the interquartile mean of the scores, where there are some.
    Arguments:
        - rows (:obj:`pd.DataFrame`): Evaluations.
        - drawn (:obj:`Optional[Sequence[str]]`): The methods to draw, in the colours they have among all; None for all.
        - peers (:obj:`Sequence[Peer]`): Agents whose published returns are levels in the panels of their games.
        - x (:obj:`str`): What ``env_step`` of the rows is.
        - ends (:obj:`Optional[Mapping]`): Of one run: method -> task -> the ends of the interval over the episodes of
          the last evaluation.
    """
    methods, scale = methods_of(rows), table_scale(rows)
    colours = {method: colour for method, colour in method_colours(methods).items() if drawn is None or method in drawn}
    column, y = (scale.column, scale.label) if scale is SUCCESS else (RETURN, 'return')
    figure, axes = panels([*tasks_of(rows), *([] if scale is None else [ALL_TASKS])], x, y)
    for method, colour in colours.items():
        own = rows[rows.method == method]
        drawings = [(axes[task], of_task, column, mean) for task, of_task in own.groupby('task', sort=False)]
        if scale is not None:
            drawings.append((axes[ALL_TASKS], own, scale.column, iqm))
        for panel, shown, name, statistic in drawings:
            draw_curve(panel, *curves(shown, tasks_of(shown), name), statistic, method, colour)
        if ends is not None and column == RETURN:
            for task, (low, high) in ends.get(method, {}).items():
                _draw_ends(axes[task], own[own.task == task], low, high, colour)
    if peers:
        for task in tasks_of(rows):
            _draw_levels(axes[task], task, peers)
    if scale is not None:
        axes[ALL_TASKS].set_ylabel(f'IQM of the\n{scale.label}')
    save(figure, path)


def _draw_ends(panel: Axes, rows: pd.DataFrame, low: float, high: float, colour: object) -> None:
    """The interval of a method's last mean: a bar at its step; of a reference player a band."""
    if rows.method.iloc[0] in references():
        panel.axhspan(low, high, color=colour, alpha=0.15, linewidth=0)
        return
    last = rows.loc[rows.env_step.idxmax()]
    panel.errorbar(last.env_step, last[RETURN], [[last[RETURN] - low], [high - last[RETURN]]], color=colour, capsize=3)


def _draw_levels(panel: Axes, task: str, peers: Sequence[Peer]) -> None:
    """Published returns near the curves as levels; the others, which would flatten the curves, as words at the top."""
    low, high = panel.get_ylim()
    margin, beyond = 0.5 * (high - low), []
    for peer, colour in zip(peers, PEER_COLOURS):
        if task in peer.returns:
            level = peer.returns[task]
            if low - margin < level < high + margin:  # autoscaling makes room for it
                panel.axhline(level, linestyle=':', linewidth=1.5, color=colour, label=peer.title)
            else:
                beyond.append(f'{peer.name} {level:,.0f}')
    if beyond:
        words = '\n'.join(['published, not in view:', *beyond])
        box = dict(facecolor='white', alpha=0.7, linewidth=0)
        style = dict(va='top', fontsize='xx-small', color='dimgrey', bbox=box)
        panel.text(0.03, 0.97, words, transform=panel.transAxes, **style)


def panels(titles: Sequence[str], x: str, y: str) -> Tuple[Figure, Dict[str, Axes]]:
    """A figure with a panel for each title, in rows of about equal length."""
    n_rows = math.ceil(len(titles) / MAX_COLUMNS)
    n_columns = math.ceil(len(titles) / n_rows)
    figure = Figure(figsize=(3.2 * n_columns, 2.5 * n_rows), layout='constrained')
    axes = figure.subplots(n_rows, n_columns, squeeze=False).flatten()
    for panel, title in zip(axes, titles):
        panel.set_title(title)
        panel.set_xlabel(x)
        panel.set_ylabel(y)
        panel.grid(alpha=0.3)
    for panel in axes[len(titles):]:
        panel.remove()
    return figure, dict(zip(titles, axes))


def draw_curve(
        panel: Axes, steps: np.ndarray, values: np.ndarray, statistic: Statistic, method: str, colour: object
) -> None:
    """
    Draw one method's values (seeds, tasks, T) over steps (T, ), with a band where it has several seeds; a reference
    player is a horizontal line.
    """
    point, low, high = interval(statistic, values)
    if method in references():
        panel.axhline(float(point[0]), linestyle='--', linewidth=1, color=colour, label=method)
        return
    panel.plot(steps, point, linewidth=1.5, color=colour, label=method)
    if not np.isnan(low).any():
        panel.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)


def save(figure: Figure, path: str) -> None:
    """Write a figure of panels, with a legend below where there are several methods."""
    methods = {label: line for panel in figure.axes for line, label in zip(*panel.get_legend_handles_labels())}
    if len(methods) > 1:
        figure.set_figheight(figure.get_figheight() + 0.2 * (1 + math.ceil(len(methods) / LEGEND_COLUMNS)))
        bands = any(panel.collections for panel in figure.axes)
        style = dict(loc='outside lower center', ncols=LEGEND_COLUMNS, fontsize='small')
        style.update(title='bands and bars: 95 % intervals' if bands else None, title_fontsize='small')
        figure.legend(methods.values(), methods.keys(), **style)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
