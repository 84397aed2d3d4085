"""The page's tables: rows of cells, the first row the header. A cell that is a mapping is set in bold."""
from typing import Callable, List, Optional, Sequence, Union

import numpy as np
import pandas as pd

from lzero_mow.config.suites import REFERENCES
from lzero_mow.report.stats.intervals import REPETITIONS
from lzero_mow.studies.summary.numbers import ALL_TASKS, STATISTICS, MethodSummary, Summary
from lzero_mow.studies.summary.text import episodes_text, notes_on_successes, with_interval
from .runs import FinishedRun

Cells = List[List[Union[str, dict]]]


def facts(summary: Summary, runs: Sequence[FinishedRun]) -> List[str]:
    """What all methods share, and what the numbers are, a line each."""
    trained = [run for run in runs if run.method not in REFERENCES]
    seeds = sorted({run.record.seed for run in trained})
    devices = ' and '.join(sorted({run.config['policy']['device'] for run in trained}))
    lines = [
        f"Games: {', '.join(summary.tasks)}; {trained[0].config['max_env_step']:,} environment steps each.",
        f'Episodes of a game in an evaluation: {episodes_text(summary.methods)}; a run has reached what its last one '
        'shows.',
        f"Seeds: {', '.join(map(str, seeds))}, the same for every method.",
        f'Brackets: 95 % stratified bootstrap intervals over seeds (rliable, {REPETITIONS} resamplings); of few seeds '
        'they are too narrow.',
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


def score_cells(summary: Summary) -> Cells:
    """A row per method: interquartile mean, mean and median of the scores, and how often the baseline is better."""
    compared = [f'P({summary.baseline} better)'] if summary.baseline else []
    cells: Cells = [['method', 'seeds', *(name.upper() if name == 'iqm' else name for name in STATISTICS), *compared]]
    for method in summary.methods:
        scores = [with_interval(method.scores.get(name), 3) for name in STATISTICS]
        better = [with_interval(method.improvement, 2)] if compared else []
        cells.append([method.method, str(method.seeds), *scores, *better])
    return cells


def game_cells(summary: Summary) -> Cells:
    """A row per game: the mean return of each method."""
    return _by_game(summary.tasks, summary, _return)


def success_cells(summary: Summary, name: str) -> Cells:
    """A row per game, and one for all: how often each method has done it, by one of ``SUCCESSES``."""
    tasks = [*summary.tasks, ALL_TASKS]
    return _by_game(tasks, summary, lambda method, task: with_interval(method.successes[name][task], 2))


def _by_game(
        tasks: Sequence[str], summary: Summary, cell_of: Callable[[MethodSummary, str], Union[str, dict]]
) -> Cells:
    cells: Cells = [['game', *(method.method for method in summary.methods)]]
    return cells + [[task, *(cell_of(method, task) for method in summary.methods)] for task in tasks]


def _return(method: MethodSummary, task: str) -> Union[str, dict]:
    text = with_interval(method.returns[task], 2)
    return dict(text=text) if task in method.above_random else text


def cost_cells(summary: Summary, runs: Sequence[FinishedRun]) -> Cells:
    """A row per method: parameters, memory, times, and what was done."""
    cells: Cells = [[
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
            _number(sum(run.record.model_bytes for run in own) / method.seeds / 4e6, 2),
            _number(method.megabytes, 2),
            _number(max(run.record.peak_memory_bytes for run in own) / 2 ** 20, 0),
            _number(method.interactions, 0),
            _number(method.updates, 0),
            _number(method.cpu_minutes, 1),
            _number(sum(run.record.wall_seconds for run in own) / method.seeds / 60, 1),
            _number(last.decision_seconds.mean(), 4),
            _number(last.update_seconds.mean(), 3),
        ])
    return cells


def _number(number: Optional[float], digits: int) -> str:
    return '-' if number is None or np.isnan(number) else f'{number:,.{digits}f}'
