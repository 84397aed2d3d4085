"""A summary's files: text, tables and pictures, beside the tables they were made from."""
import contextlib
import os
from typing import List, Optional

import numpy as np
import pandas as pd

from lzero_mow.report.pictures.curves import write_curves
from lzero_mow.report.pictures.interval_plot import write_intervals
from lzero_mow.report.stats.scores import read_evaluations, result_files
from lzero_mow.report.tables.csv_table import write_csv
from lzero_mow.report.tables.times import ALL_TIMES, TIMES
from .equal_time import at_equal_time
from .numbers import STATISTICS, Estimate, MethodSummary, Summary
from .text import write_markdown

COSTS = ('interactions', 'updates', 'cpu_minutes', 'megabytes')


def write_summary(folder: str, summary: Summary) -> List[str]:
    """
    Write ``summary.md``, ``summary.csv``, ``games.csv``, ``curves.png``, and where there are scores ``iqm.png``, into
    the tables' folder; returns the files' paths.
    """
    names = ('summary.md', 'summary.csv', 'games.csv', 'curves.png', 'iqm.png')
    text, methods, games, curves, bars = paths = [os.path.join(folder, name) for name in names]
    files = result_files(folder)
    times = ALL_TIMES.read_if_there(os.path.join(folder, TIMES))
    equal_time = at_equal_time(read_evaluations(files), times, summary.baseline)
    write_csv(methods, pd.DataFrame([_numbers(method) for method in summary.methods]).round(4))
    write_csv(games, pd.DataFrame([
        dict(method=method.method, game=task, **_ends('episode_return', '', method.returns[task]),
             above_random=task in method.above_random)
        for method in summary.methods for task in summary.tasks
    ]).round(4))
    write_curves(curves, files, drawn=summary.drawn, peers=summary.peers)
    write_markdown(text, folder, summary, equal_time)
    if summary.scale is None:
        with contextlib.suppress(FileNotFoundError):
            os.remove(bars)  # of an earlier summary
        return paths[:-1]
    draw_scores(bars, summary)
    return paths


def draw_scores(path: str, summary: Summary) -> None:
    """Draw every method's interquartile mean."""
    shown = {method.method: method.scores['iqm'] for method in summary.methods}
    write_intervals(path, shown, f'IQM of the {summary.scale.label} ({summary.scale.meaning})')


def _numbers(method: MethodSummary) -> dict:
    """A row of ``summary.csv``."""
    row = dict(method=method.method, seeds=method.seeds, env_step=method.env_steps[0])
    for name in STATISTICS:
        row.update(_ends(name, f'{name}_', method.scores.get(name)))
    row.update(_ends('improvement', 'improvement_', method.improvement))
    return {**row, **{name: getattr(method, name) for name in COSTS}}


def _ends(name: str, prefix: str, estimate: Optional[Estimate]) -> dict:
    """A number and the ends of its interval as columns."""
    return dict(zip((name, f'{prefix}low', f'{prefix}high'), estimate or [np.nan] * 3))
