"""The scale on which unlike tasks are averaged."""
from dataclasses import dataclass, field
from typing import Dict, NamedTuple, Optional, Sequence

from lzero_mow.suites import RANDOM
from .intervals import interval
from .results import Result
from .scores import finals, methods_of, tasks_of


WIDER = 2.0


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


def table_scale(rows: Sequence[Result], last: int) -> Optional[Scale]:
    """
    Overview:
        The scale of a table of methods: human-normalised where every evaluation is. Otherwise, task by task, 0 is
        random play's mean return and 1 the best mean of a method that is surely better than that: whose interval and
        random play's would not even meet if both were twice as wide, because intervals of few seeds are too
        narrow. Only the methods with the most seeds count; where that is one, by their values. A task without such a
        method has no scale: scores would be divided by what may be noise.
    Arguments:
        - last (:obj:`int`): A run has ended with the mean of so many last evaluations.
    Returns:
        - scale (:obj:`Optional[Scale]`): None if random play is needed and missing, or nobody is above it.
    """
    if is_human_normalised(rows):
        return HUMAN
    methods = methods_of(rows)
    if RANDOM not in methods:
        return None
    seeds = {method: len({row.seed for row in rows if row.method == method}) for method in methods}
    most = max((number for method, number in seeds.items() if method != RANDOM), default=0)
    counted = [method for method in methods if method == RANDOM or seeds[method] == most]
    ends = {method: _ends([row for row in rows if row.method == method], last) for method in counted}
    bounds = {}
    for task, random in ends.pop(RANDOM).items():
        above = {method: own[task] for method, own in ends.items() if task in own and own[task].surely_above(random)}
        if above:
            best = max(above, key=lambda method: above[method].mean)
            bounds[task] = Bounds(random.mean, above[best].mean, best)
    return Scale('score', 'random play 0, the best method 1', bounds) if bounds else None


class _End(NamedTuple):
    """Where one method has ended in one task."""
    mean: float
    low: float
    high: float

    def surely_above(self, other: '_End') -> bool:
        return self.mean - WIDER * (self.mean - self.low) > other.mean + WIDER * (other.high - other.mean)


def _ends(rows: Sequence[Result], last: int) -> Dict[str, _End]:
    """Where one method has ended, by task; the interval of one seed is its value."""
    tasks = tasks_of(rows)
    returns = finals(rows, tasks, lambda row: row.episode_return, last)  # (seeds, tasks)
    mean, low, high = interval(lambda returns: returns.mean(axis=0), returns)
    if len(returns) == 1:
        low = high = mean
    return {task: _End(*map(float, end)) for task, *end in zip(tasks, mean, low, high)}
