"""Learning curves from ``results.csv``: one panel a task, and the aggregate over tasks."""
import math
from collections import defaultdict
from typing import Dict, List, Sequence, Tuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lzero_mow.files import replacing
from .results import aggregate, read_results

MAX_COLUMNS = 5


def write_curves(path: str, results: Sequence[str]) -> None:
    """
    Overview:
        Draw the learning curves of one or several runs as PNG. Runs of one method that differ in their seed share a \
        colour: a thin line a seed, and their mean as a thick line where there are several.
    Arguments:
        - path (:obj:`str`): The file to write, ending in ``.png``.
        - results (:obj:`Sequence[str]`): ``results.csv`` files (see ``lzero_mow.report.results``).
    """
    rows = [row for file in results for row in read_results(file)]
    if not rows:
        raise ValueError(f"no evaluation to draw in {', '.join(results)}")
    tasks = list(dict.fromkeys(row.task for row in rows))
    panels = len(tasks) + 1
    n_columns = min(MAX_COLUMNS, panels)
    n_rows = math.ceil(panels / n_columns)
    figure = Figure(figsize=(3.2 * n_columns, 2.5 * n_rows), layout='constrained')
    axes = figure.subplots(n_rows, n_columns, squeeze=False).flatten()
    methods = list(dict.fromkeys(row.method for row in rows))
    for panel, task in zip(axes, tasks):
        for index, method in enumerate(methods):
            curves = defaultdict(list)
            for row in rows:
                if (row.method, row.task) == (method, task):
                    curves[row.seed].append((row.env_step, row.episode_return))
            _draw_seeds(panel, curves, f'C{index}', method)
        panel.set_title(task)
        panel.set_ylabel('return')
    _draw_aggregate(axes[len(tasks)], rows, methods)
    for panel in axes[:panels]:
        panel.set_xlabel('environment steps a task')
        panel.grid(alpha=0.3)
    for panel in axes[panels:]:
        panel.remove()
    if len(methods) > 1:
        axes[0].legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _draw_seeds(panel: Axes, curves: Dict[int, List[Tuple[int, float]]], colour: str, label: str, **style) -> None:
    """Draw one method's curve of each seed and, where several seeds share their evaluation steps, the mean."""
    values = defaultdict(list)
    for curve in curves.values():
        for env_step, value in curve:
            values[env_step].append(value)
    for curve in curves.values():
        panel.plot(
            *zip(*curve), color=colour, alpha=1.0 if len(curves) == 1 else 0.35, linewidth=1, marker='.', **style
        )
    steps = sorted(step for step, seeds in values.items() if len(seeds) == len(curves))
    panel.plot(steps, [np.mean(values[step]) for step in steps], color=colour, linewidth=2, label=label, **style)


def _draw_aggregate(panel: Axes, rows: list, methods: List[str]) -> None:
    """Mean, median and interquartile mean over the tasks, of the human-normalised score where every task has one."""
    normalised = all(row.human_normalised is not None for row in rows)
    for index, method in enumerate(methods):
        scores = defaultdict(list)
        for row in rows:
            if row.method == method:
                scores[row.seed, row.env_step].append(row.human_normalised if normalised else row.episode_return)
        for name, line in (('mean', '-'), ('median', '--'), ('iqm', ':')):
            curves = defaultdict(list)
            for (seed, env_step), values in scores.items():
                curves[seed].append((env_step, aggregate(values)[name]))
            _draw_seeds(panel, curves, f'C{index}', f'{method} {name}' if len(methods) > 1 else name, linestyle=line)
    panel.set_title('all tasks')
    panel.set_ylabel('human-normalised score' if normalised else 'return')
    panel.legend(fontsize='small')
