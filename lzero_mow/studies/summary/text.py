"""The summary of an experiment as Markdown: what the numbers are, then the tables."""
import os
from typing import Callable, Dict, List, Sequence, Tuple

from lzero_mow.config.suites import DEFAULT_METHOD, RANDOM, REFERENCES, one_model_per_task
from lzero_mow.report.stats.intervals import REPETITIONS
from lzero_mow.report.stats.scale import SUCCESS
from lzero_mow.utils.files import replacing
from .cells import Bold, Cells, number, return_cells, score_cells, success_cells
from .numbers import MethodSummary, Summary

ONE_SEED = "Brackets of one seed's successes: Wilson's 95 % interval over the episodes of that one run."
SUCCESS_WHEN = {'success_any': 'at any step', 'success_last': 'at the last step'}


def write_markdown(path: str, folder: str, summary: Summary) -> None:
    """Write the text, which refers to the pictures beside it."""
    bars = [] if summary.scale is None else ['![Interquartile mean of each method](iqm.png)', '']
    lines = [
        f'# {os.path.basename(os.path.abspath(folder))}', '', *_head(folder, summary), '', *_methods(summary), '',
        *bars, '## Games', '', *_games(summary), '', f"Learning curves of {', '.join(summary.drawn)}.", '',
        '![Learning curves](curves.png)'
    ]
    with replacing(path) as temporary, open(temporary, 'w') as file:
        file.write('\n'.join(lines) + '\n')


def _head(folder: str, summary: Summary) -> List[str]:
    final = 'its last evaluation' if summary.last == 1 else f'the mean of its last {summary.last} evaluations'
    options = f' --last {summary.last}' if summary.last > 1 else ''
    if summary.baseline not in (None, DEFAULT_METHOD):
        options += f' --baseline {summary.baseline}'
    if len(summary.drawn) < len(summary.methods):
        options += f" --curves {' '.join(method for method in summary.drawn if method not in REFERENCES)}"
    lines = [
        f'Made by `python -m lzero_mow summary {folder}{options}`.',
        '',
        f'- The result of a run is {final}.',
        f'- Seeds: {_counts(summary.methods, lambda method: (method.seeds, ))}.',
        f'- Episodes per game in an evaluation: {episodes_text(summary.methods)}.',
        f'- Brackets: 95 % stratified bootstrap intervals over seeds (rliable, {REPETITIONS} resamplings). A '
        'resampling only repeats the seeds there are: with three of them the interval of a game can only span their '
        'three values, and is too narrow. So is the interval of a model that several games share: its games are '
        'resampled independently, though they may rise and fall together.',
        *(f'- {note}' for note in notes_on_successes(summary.methods)),
    ]
    if summary.scale is None:
        lines.append('- There are no scores: no method is surely above random play in any game, which would define 1.')
    elif summary.scale.bounds:
        ends = [f'{task} {best:.2f} ({method})' for task, (_, best, method) in summary.scale.bounds.items()]
        lines.append(
            "- Scores: 0 is random play's mean return, 1 the best mean return of a method whose interval in that game "
            "would lie above random play's even if both were twice as wide, among those with the most seeds. "
            f"Adding methods may therefore move the scale. 1 is {', '.join(ends)}."
        )
        unscaled = [task for task in summary.tasks if not summary.scale.covers(task)]
        if unscaled:
            lines.append(
                f"- Not in the scores: {', '.join(unscaled)}. No method is so far above random play there."
            )
    elif summary.scale is SUCCESS:
        lines.append('- Scores: the share of episodes in which the task was done at any step.')
    else:
        lines.append("- Scores: human-normalised, 0 is random play's return and 1 a human's, as published.")
    if summary.baseline is not None:
        lines.append(
            f'- P({summary.baseline} better): probability that a run of {summary.baseline} beats one of this method, '
            f"mean over all games, {'by success' if summary.scale is SUCCESS else 'by return'}; a tie counts half."
        )
    lines.append(
        '- MB and CPU minutes: per seed, all models of an ensemble together. Updates: per model. Environments that '
        'run in processes of their own are not counted in the CPU minutes.'
    )
    ensembles = [method.method for method in summary.methods if one_model_per_task(method.method)]
    if ensembles:
        lines.append(f"- {', '.join(ensembles)}: an ensemble, one model per game.")
    return lines


def _counts(methods: Sequence[MethodSummary], count: Callable[[MethodSummary], Tuple[int, ...]]) -> str:
    """Fewest and most of something over the methods, and each reference player's."""
    trained = [number for method in methods if method.method not in REFERENCES for number in count(method)]
    texts = [f'{_range((min(trained), max(trained)))} per method'] if trained else []
    players = [method for method in methods if method.method in REFERENCES]
    return ', '.join([*texts, *(f'{_range(count(player))} of {REFERENCES[player.method]}' for player in players)])


def episodes_text(methods: Sequence[MethodSummary]) -> str:
    """How many episodes per game an evaluation has, for methods and for reference players."""
    return _counts(methods, lambda method: method.episodes)


def notes_on_successes(methods: Sequence[MethodSummary]) -> List[str]:
    """What the intervals of successes are, where they differ from all others."""
    return [ONE_SEED] if any(method.successes and method.seeds == 1 for method in methods) else []


def _methods(summary: Summary) -> List[str]:
    header, *rows = score_cells(summary)
    cells = [[*header[:2], 'steps per game', *header[2:], 'MB', 'CPU minutes', 'updates']]
    for method, row in zip(summary.methods, rows):
        costs = [number(method.megabytes, 2), number(method.cpu_minutes, 1), number(method.updates, 0)]
        cells.append([*row[:2], _range(method.env_steps), *row[2:], *costs])
    return _table(cells)


def _games(summary: Summary) -> List[str]:
    """Mean successes, where there are some, and mean returns."""
    random = [method for method in summary.methods if method.method == RANDOM]
    methods = random + [method for method in summary.methods if method.method != RANDOM]
    lines = []
    for name, meaning in success_meanings(methods).items():
        lines += [meaning, '', *_table(_narrow(success_cells(summary, methods, name))), '']
    comparable = random and random[0].seeds > 1
    lines.append('Mean return over seeds.')
    if comparable:
        lines[-1] += " Bold: the interval's lower end lies above the upper end of random play's."
    elif random:
        lines[-1] += ' With one seed of random play, nothing can be said yet about which methods are better.'
    lines += ['', *_table(_narrow(return_cells(summary, methods)))]
    if comparable:
        lines += ['', 'Above random play:', '']
        lines += [
            f'- {method.method}: {_above_random(method, len(summary.tasks))}' for method in methods
            if method.method != RANDOM
        ]
    return lines


def _above_random(method: MethodSummary, tasks: int) -> str:
    if method.seeds == 1:
        return 'one seed has no interval'
    return f"{', '.join(method.above_random) or 'none'} ({len(method.above_random)} of {tasks})"


def success_meanings(methods: Sequence[MethodSummary]) -> Dict[str, str]:
    """The successes that all methods have, in a sentence each."""
    return {
        name: f'Share of episodes in which the task was done {when}, mean over seeds.'
        for name, when in SUCCESS_WHEN.items() if all(name in method.successes for method in methods)
    }


def _narrow(cells: Cells) -> Cells:
    """Games and methods as rows and columns, whichever way is narrower."""
    return cells if len(cells) > len(cells[0]) else [list(column) for column in zip(*cells)]


def _range(fewest_and_most: Tuple[int, ...]) -> str:
    return ' to '.join(map(str, dict.fromkeys(fewest_and_most)))


def _table(cells: Cells) -> List[str]:
    header, *rows = ([f'**{cell}**' if isinstance(cell, Bold) else cell for cell in row] for row in cells)
    rule = ['---'] + ['---:'] * (len(header) - 1)
    return [f"| {' | '.join(row)} |" for row in (header, rule, *rows)]
