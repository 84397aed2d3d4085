"""Plasticity and use of experts over training, the methods in one panel for each measure."""
from typing import Dict, Sequence, Tuple

import numpy as np
from matplotlib.figure import Figure

from lzero_mow.report.pictures.colours import method_colours
from lzero_mow.report.stats.intervals import interval, mean
from lzero_mow.utils.files import replacing
from .runs import FinishedRun

COLUMNS = 4
# Title: pattern of the diagnoses it is the mean of. Methods have other modules; what they are for is the same.
MEASURES = {
    'dormant units, mean of modules': 'dormant/.*',
    'norm of latents': 'latent_norm/(?:h|latent)',
    "cosine of tasks' gradients, trunk": 'gradient_conflict/(?:shared|backbone)/mean_cosine',
    "cosine of tasks' gradients, encoder": 'gradient_conflict/encoder/mean_cosine',
    'use of experts: 1 even, 0 one alone': 'expert_use/entropy',
    'stage': 'dps/stage',
    'solved games': 'dps/solved',
}


def write_plasticity(path: str, runs: Sequence[FinishedRun], methods: Sequence[str]) -> bool:
    """
    Overview:
        Draw every measure that a run has, as PNG: means over seeds with their intervals.
    Returns:
        - written (:obj:`bool`): Whether there was any.
    """
    colours = method_colours(methods)
    panels = {title: _curves(runs, methods, pattern) for title, pattern in MEASURES.items()}
    panels = {title: of_method for title, of_method in panels.items() if of_method}
    if not panels:
        return False
    n_rows = -(-len(panels) // COLUMNS)
    figure = Figure(figsize=(3.4 * min(COLUMNS, len(panels)), 2.6 * n_rows + 0.3), layout='constrained')
    axes = figure.subplots(n_rows, min(COLUMNS, len(panels)), squeeze=False).flatten()
    for panel, (title, of_method) in zip(axes, panels.items()):
        panel.set_title(title, fontsize='medium')
        panel.set_xlabel('environment steps per task')
        panel.grid(alpha=0.3)
        panel.locator_params(axis='x', nbins=4)
        for method, (steps, values) in of_method.items():
            point, low, high = interval(mean, values[:, None])  # (seeds, 1, T)
            panel.plot(steps, point, color=colours[method], label=method)
            if not np.isnan(low).any():
                panel.fill_between(steps, low, high, color=colours[method], alpha=0.15, linewidth=0)
    for panel in axes[len(panels):]:
        panel.remove()
    lines = {label: line for panel in axes[:len(panels)] for line, label in zip(*panel.get_legend_handles_labels())}
    figure.legend(lines.values(), lines.keys(), loc='outside lower center', ncols=len(lines), fontsize='small')
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
    return True


def _curves(
        runs: Sequence[FinishedRun], methods: Sequence[str], pattern: str
) -> Dict[str, Tuple[np.ndarray, np.ndarray]]:
    """By method, the steps (T, ) of its first run and the measure (seeds, T); a run without it is left out."""
    found = {}
    for method in methods:
        rows = [run.diagnostics[run.diagnostics.name.str.fullmatch(pattern)] for run in runs if run.method == method]
        points = [of_run.dropna().groupby('env_step').value.mean() for of_run in rows]
        points = [of_run for of_run in points if len(of_run)]
        if points:
            steps = points[0].index.to_numpy()
            found[method] = steps, np.array([np.interp(steps, of_run.index, of_run) for of_run in points])
    return found
