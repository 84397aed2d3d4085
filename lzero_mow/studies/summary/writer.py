"""
What methods have reached, from ``<method>.csv`` and ``runs.csv``: numbers with their intervals, as tables and pictures.
"""
import contextlib
import csv
import os
from typing import List, Optional, Sequence

import numpy as np

from lzero_mow.report.pictures.curves import write_curves
from lzero_mow.report.pictures.interval_plot import write_intervals
from lzero_mow.report.stats.scores import result_files
from lzero_mow.utils.files import replacing
from .numbers import STATISTICS, Summary
from .text import write_markdown

COSTS = ('interactions', 'updates', 'cpu_minutes', 'megabytes')
NOTHING = (None, None, None)






















def write_summary(folder: str, summary: Summary) -> List[str]:
    """
    Overview:
        Write ``summary.md``, ``summary.csv``, ``games.csv``, ``curves.png``, and where there are scores ``iqm.png``,
        into the tables' folder.
    Returns:
        - paths (:obj:`List[str]`): The files.
    """
    names = ('summary.md', 'summary.csv', 'games.csv', 'curves.png', 'iqm.png')
    text, methods, games, curves, bars = paths = [os.path.join(folder, name) for name in names]
    _write_methods(methods, summary)
    _write_games(games, summary)
    write_curves(curves, result_files(folder), summary.scale, summary.drawn)
    write_markdown(text, folder, summary)
    if summary.scale is None:
        with contextlib.suppress(FileNotFoundError):
            os.remove(bars)  # of an earlier summary
        return paths[:-1]
    shown = {method.method: method.scores['iqm'] for method in summary.methods}
    write_intervals(bars, shown, f'IQM of the {summary.scale.label} ({summary.scale.meaning})')
    return paths


def _write_methods(path: str, summary: Summary) -> None:
    ends = [f'{name}{end}' for name in (*STATISTICS, 'improvement') for end in ('', '_low', '_high')]
    rows = []
    for method in summary.methods:
        estimates = [method.scores.get(name, NOTHING) for name in STATISTICS] + [method.improvement or NOTHING]
        numbers = [_rounded(number) for estimate in estimates for number in estimate]
        costs = [_rounded(getattr(method, name)) for name in COSTS]
        rows.append([method.method, method.seeds, method.env_steps[0], *numbers, *costs])
    _write_csv(path, ['method', 'seeds', 'env_step', *ends, *COSTS], rows)


def _write_games(path: str, summary: Summary) -> None:
    rows = [
        [method.method, task, *map(_rounded, method.returns[task]), task in method.above_random]
        for method in summary.methods for task in summary.tasks
    ]
    _write_csv(path, ['method', 'game', 'episode_return', 'low', 'high', 'above_random'], rows)


def _rounded(number: Optional[float]) -> Optional[float]:
    """A number as a table shows it; None, an empty field, for NaN."""
    return None if number is None or np.isnan(number) else round(number, 4)


def _write_csv(path: str, columns: Sequence[str], rows: Sequence[Sequence]) -> None:
    with replacing(path) as temporary, open(temporary, 'w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(columns)
        writer.writerows(rows)
