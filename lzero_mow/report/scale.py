"""The scale on which unlike tasks are averaged, and the file that keeps it, so that further methods leave it alone."""
import csv
import math
import os
from dataclasses import dataclass, field
from typing import Dict, NamedTuple, Sequence, Tuple

from lzero_mow.files import replacing
from lzero_mow.suites import RANDOM
from .intervals import interval
from .results import Result
from .scores import finals, methods_of, tasks_of

SCALE = 'scale.csv'
COLUMNS = ('game', 'random', 'best', 'method')


class Bounds(NamedTuple):
    """
    Overview:
        What a task's scores lie between.
    """
    random: float  # the return that scores 0
    best: float  # the return that scores 1
    method: str  # whose it is


@dataclass(frozen=True)
class Scale:
    """
    Overview:
        Turns an evaluation into a score: the table's own human-normalised one, or the place of its return between two
        bounds of its task.
    """
    label: str
    meaning: str  # of 0 and 1
    bounds: Dict[str, Bounds] = field(default_factory=dict)  # by task

    def __call__(self, row: Result) -> float:
        if not self.bounds:
            return row.human_normalised
        random, best, _ = self.bounds[row.task]
        return (row.episode_return - random) / (best - random)

    def covers(self, task: str) -> bool:
        """
        Overview:
            Whether a task has a score.
        """
        return not self.bounds or task in self.bounds


HUMAN = Scale('human-normalised score', 'random play 0, a human 1')


def is_human_normalised(rows: Sequence[Result]) -> bool:
    """
    Overview:
        Whether every evaluation has a human-normalised score.
    """
    return all(row.human_normalised is not None for row in rows)


def folder_scale(folder: str, rows: Sequence[Result], last: int, rescale: bool) -> Scale:
    """
    Overview:
        The scale of a folder of tables: the one that it keeps, unless it has none or a new one is asked for.
    Arguments:
        - rows (:obj:`Sequence[Result]`): All evaluations of the folder.
        - last (:obj:`int`): See ``table_scale``.
        - rescale (:obj:`bool`): Whether a new one is asked for.
    Errors:
        ``ValueError`` in one line if the folder's scale cannot be used, and those of ``table_scale``.
    """
    path = os.path.join(folder, SCALE)
    if rescale or is_human_normalised(rows) or not os.path.exists(path):
        return table_scale(rows, last)
    scale = read_scale(path)
    if not any(map(scale.covers, tasks_of(rows))):
        raise ValueError(f"{path} has none of the games {', '.join(tasks_of(rows))}: --rescale makes it anew")
    return scale


def table_scale(rows: Sequence[Result], last: int) -> Scale:
    """
    Overview:
        The scale of a table of methods: human-normalised where every evaluation is. Otherwise, task by task, 0 is
        random play's mean return and 1 the best mean of a method whose interval (with one seed, whose value) lies above
        random play's. A task without such a method has no scale: scores would be divided by what may be noise.
    Arguments:
        - last (:obj:`int`): A run has ended with the mean of so many last evaluations.
    Errors:
        ``ValueError`` if random play is needed and not there.
    """
    if is_human_normalised(rows):
        return HUMAN
    ends = {method: _ends([row for row in rows if row.method == method], last) for method in methods_of(rows)}
    if RANDOM not in ends:
        raise ValueError(
            f'{RANDOM}.csv is missing, and there are no human-normalised scores: '
            f'add random play with `python -m lzero_mow.experiment SUITE --methods {RANDOM}`'
        )
    bounds = {}
    for task, (random, _, noise) in ends[RANDOM].items():
        above = {method: own[task][0] for method, own in ends.items() if task in own and own[task][1] > noise}
        if above:
            best = max(above, key=above.get)
            bounds[task] = Bounds(random, above[best], best)
    if not bounds:
        raise ValueError('no method has ended above random play in any task: there is no scale to average on')
    return _between(bounds)


def _between(bounds: Dict[str, Bounds]) -> Scale:
    return Scale('score', 'random play 0, the best method 1', bounds)


def _ends(rows: Sequence[Result], last: int) -> Dict[str, Tuple[float, float, float]]:
    """Where one method has ended, by task: mean return and the ends of its interval; of one seed, its value."""
    tasks = tasks_of(rows)
    returns = finals(rows, tasks, lambda row: row.episode_return, last)  # (seeds, tasks)
    mean, low, high = interval(lambda returns: returns.mean(axis=0), returns)
    if len(returns) == 1:
        low = high = mean
    return {task: tuple(map(float, ends)) for task, *ends in zip(tasks, mean, low, high)}


def read_scale(path: str) -> Scale:
    """
    Overview:
        Read a scale.
    Errors:
        ``ValueError`` in one line if the file holds none.
    """
    try:
        with open(path, newline='') as file:
            header, *rows = csv.reader(file)
        bounds = {game: Bounds(float(random), float(best), method) for game, random, best, method in rows}
    except ValueError:
        header, bounds = (), {}
    apart = [0 < best - random < math.inf for random, best, _ in bounds.values()]
    if tuple(header) != COLUMNS or not bounds or not all(apart):
        raise ValueError(f'{path} is no scale of games: --rescale makes it anew')
    return _between(bounds)


def write_scale(path: str, scale: Scale) -> None:
    """
    Overview:
        Write a scale that has bounds.
    """
    with replacing(path) as temporary, open(temporary, 'w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(COLUMNS)
        writer.writerows([game, *bounds] for game, bounds in scale.bounds.items())
