"""Plasticity and use of experts over training, the methods in one panel for each measure."""
from typing import Dict, Sequence, Tuple

import numpy as np

from lzero_mow.report.pictures.colours import method_colours
from lzero_mow.report.pictures.curves import draw_curve, panels, save
from lzero_mow.report.stats.intervals import mean
from .runs import FinishedRun

# Title: pattern of the diagnoses it is the mean of. Methods have other modules; what they are for is the same.
MEASURES = {
    'dormant units, mean over modules': 'dormant/.*',
    'norm of latents': 'latent_norm/(?:h|latent)',
    "cosine of tasks' gradients, trunk": 'gradient_conflict/(?:shared|backbone)/mean_cosine',
    "cosine of tasks' gradients, encoder": 'gradient_conflict/encoder/mean_cosine',
    'use of experts: 1 all alike, 0 only one': 'expert_use/entropy',
    'stage': 'dps/stage',
    'solved games': 'dps/solved',
}


def write_plasticity(path: str, runs: Sequence[FinishedRun], methods: Sequence[str]) -> None:
    """Draw every measure that a run has, as PNG: means over seeds with their intervals; no file if there is none."""
    colours = method_colours(methods)
    measured = {title: _curves(runs, methods, pattern) for title, pattern in MEASURES.items()}
    measured = {title: of_method for title, of_method in measured.items() if of_method}
    if not measured:
        return
    figure, axes = panels(list(measured), 'environment steps per task', '')
    for title, of_method in measured.items():
        axes[title].title.set_fontsize('medium')
        axes[title].locator_params(axis='x', nbins=4)
        for method, (steps, values) in of_method.items():
            draw_curve(axes[title], steps, values[:, None], mean, method, colours[method])  # (seeds, 1, T)
    save(figure, path)


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
