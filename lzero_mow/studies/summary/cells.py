"""The tables of a summary, as Markdown and HTML show them: rows of cells, the first row the header."""
import math
from typing import Callable, Iterable, List, Optional, Sequence

from .numbers import ALL_TASKS, STATISTICS, Estimate, MethodSummary, Summary

Cells = List[List[str]]
STEPS = 'steps per game'


class Bold(str):
    """A cell in bold type."""
    bold = True


def number(value: Optional[float], digits: int, separator: str = '') -> str:
    """A number, or a dash where there is none."""
    return '-' if value is None or math.isnan(value) else f'{value:{separator}.{digits}f}'


def span(values: Iterable[int]) -> str:
    """The least and the most of some numbers, or the one that all of them are."""
    return ' to '.join(map(str, dict.fromkeys((min(values), max(values)))))


def with_interval(estimate: Optional[Estimate], digits: int) -> str:
    """A number with its interval, or a dash where there is none."""
    if estimate is None:
        return '-'
    point, low, high = (f'{value:.{digits}f}' for value in estimate)
    return f'{point} (one seed)' if math.isnan(estimate[1]) else f'{point} [{low}, {high}]'


def score_cells(summary: Summary) -> Cells:
    """A row per method: interquartile mean, mean and median of the scores, and how often the baseline is better."""
    names = [name.upper() if name == 'iqm' else name for name in STATISTICS]
    cells = [['method', 'seeds', *names, *([f'P({summary.baseline} better)'] if summary.baseline else [])]]
    for method in summary.methods:
        scores = [with_interval(method.scores.get(name), 3) for name in STATISTICS]
        better = [with_interval(method.improvement, 2)] if summary.baseline else []
        cells.append([method.method, str(method.seeds), *scores, *better])
    return cells


def steps_and_score_cells(
        summary: Summary, titles: Sequence[str], costs: Callable[[MethodSummary], List[str]]
) -> Cells:
    """The scores, with the steps at which they were reached and what that has cost, in columns of these titles."""
    header, *rows = score_cells(summary)
    cells = [[*header[:2], STEPS, *header[2:], *titles]]
    for method, row in zip(summary.methods, rows):
        cells.append([*row[:2], span(method.env_steps), *row[2:], *costs(method)])
    return cells


def return_cells(summary: Summary, methods: Sequence[MethodSummary]) -> Cells:
    """
    A row per game: the mean return of each method, in bold where it is above random play's, and what other agents have
    published.
    """

    def cell(method: MethodSummary, task: str) -> str:
        text = with_interval(method.returns[task], 2)
        return Bold(text) if task in method.above_random else text

    header, *rows = _by_game(summary.tasks, methods, cell)
    published = [[number(peer.returns.get(task), 2) for peer in summary.peers] for task in summary.tasks]
    titles = [peer.title for peer in summary.peers]
    return [header + titles, *(row + returns for row, returns in zip(rows, published))]


def success_cells(summary: Summary, methods: Sequence[MethodSummary], name: str) -> Cells:
    """A row per game, and one for all: the successes of each method, by one of ``SUCCESSES``."""
    cell = lambda method, task: with_interval(method.successes[name][task], 2)
    return _by_game([*summary.tasks, ALL_TASKS], methods, cell)


def _by_game(
        tasks: Sequence[str], methods: Sequence[MethodSummary], cell: Callable[[MethodSummary, str], str]
) -> Cells:
    header = ['', *(method.method for method in methods)]
    return [header, *([task, *(cell(method, task) for method in methods)] for task in tasks)]


def narrow(cells: Cells) -> Cells:
    """Games and methods as rows and columns, whichever way is narrower."""
    return cells if len(cells) > len(cells[0]) else [list(column) for column in zip(*cells)]
