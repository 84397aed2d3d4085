"""What the page says of all runs together, and the table of their costs."""
from typing import List, Sequence

import pandas as pd

from lzero_mow.config.suites import REFERENCES
from lzero_mow.report.stats.intervals import REPETITIONS
from lzero_mow.studies.summary.cells import Cells, number
from lzero_mow.studies.summary.numbers import Summary
from lzero_mow.studies.summary.text import episodes_text, notes_on_successes
from .runs import FinishedRun


def facts(summary: Summary, runs: Sequence[FinishedRun]) -> List[str]:
    """What all methods share and what the numbers mean, one line each."""
    trained = [run for run in runs if run.method not in REFERENCES]
    seeds = sorted({run.record.seed for run in trained})
    devices = ' and '.join(sorted({run.config['policy']['device'] for run in trained}))
    lines = [
        f"Games: {', '.join(summary.tasks)}; {trained[0].config['max_env_step']:,} environment steps each.",
        f'Episodes per game in an evaluation: {episodes_text(summary.methods)}; the result of a run is its last '
        'evaluation.',
        f"Seeds: {', '.join(map(str, seeds))}, the same for every method.",
        f'Brackets: 95 % stratified bootstrap intervals over seeds (rliable, {REPETITIONS} resamplings); with few '
        'seeds they are too narrow.',
        *notes_on_successes(summary.methods),
        f"Times were measured on {devices}; runs side by side share the machine's cores.",
    ]
    if summary.scale is None:
        lines.append('There are no scores over all games: they need a run of random play (method random) beside these.')
    else:
        lines.append(f'Scores: {summary.scale.label}, {summary.scale.meaning}. P counts all games, with scores or not.')
        left_out = [task for task in summary.tasks if not summary.scale.covers(task)]
        if left_out:
            lines.append(f"Not in the scores, because no method is surely above random play: {', '.join(left_out)}.")
    if len(seeds) == 1:
        lines.append('With one seed every number is one run: nothing can be said yet about who is better.')
    return lines


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
