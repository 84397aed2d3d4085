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
        Draw the learning curves of one or several runs as PNG. Runs of one method that differ in their seed share a
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
    """Draw one method's curve of each seed and, over the steps that all of them reach, the mean."""
    seeds = [np.array(sorted(curve)).T for curve in curves.values()]  # each (2, evaluations): steps, values
    for steps, values in seeds:
        panel.plot(steps, values, color=colour, alpha=1.0 if len(seeds) == 1 else 0.35, linewidth=1, **style)
    # Seeds are evaluated at almost the same steps: after the collection that passed a multiple of eval_freq.
    grid = np.unique(np.concatenate([steps for steps, _ in seeds]))
    grid = grid[(grid >= max(steps[0] for steps, _ in seeds)) & (grid <= min(steps[-1] for steps, _ in seeds))]
    mean = np.mean([np.interp(grid, steps, values) for steps, values in seeds], axis=0)
    panel.plot(grid, mean, color=colour, linewidth=2, label=label, **style)


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
