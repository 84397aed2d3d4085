"""The table of what the runs have cost."""
from typing import Sequence

import pandas as pd

from lzero_mow.config.suites import REFERENCES
from lzero_mow.studies.summary.cells import Cells, number
from lzero_mow.studies.summary.numbers import Summary
from .runs import FinishedRun


def cost_cells(summary: Summary, runs: Sequence[FinishedRun]) -> Cells:
    """A row per method: parameters, memory, times, and what was done."""
    cells = [[
        'method', 'million parameters', 'MB', 'peak memory, MB', 'interactions', 'updates', 'CPU minutes', 'minutes',
        'seconds per decision', 'seconds per update'
    ]]
    for method in summary.methods:
        if method.method in REFERENCES:
            continue
        own = [run for run in runs if run.method == method.method]
        last = pd.concat([run.times.tail(1) for run in own])
        cells.append([
            method.method,
            number(sum(run.record.model_bytes for run in own) / method.seeds / 4e6, 2),
            number(method.megabytes, 2),
            number(max(run.record.peak_memory_bytes for run in own) / 2 ** 20, 0, ','),
            number(method.interactions, 0, ','),
            number(method.updates, 0, ','),
            number(method.cpu_minutes, 1),
            number(sum(run.record.wall_seconds for run in own) / method.seeds / 60, 1),
            number(last.decision_seconds.mean(), 4),
            number(last.update_seconds.mean(), 3),
        ])
    return cells
