"""The scale on which unlike tasks are averaged."""
from dataclasses import dataclass, field
from typing import Dict, NamedTuple, Optional, Sequence

from lzero_mow.config.suites import RANDOM, REFERENCES
from lzero_mow.report.tables.results import Result
from .intervals import interval
from .scores import episode_return, finals, methods_of, tasks_of

WIDER = 2.0


class Bounds(NamedTuple):
    """What a task's scores lie between."""
    random: float  # the return that scores 0
    best: float  # the return that scores 1
    method: str  # whose it is


@dataclass(frozen=True)
class Scale:
    """
    Overview:
        Turns an evaluation into a score: a column of the table, or the place of its return between two bounds of its
        task.
    """
    label: str
    meaning: str  # of 0 and 1
    bounds: Dict[str, Bounds] = field(default_factory=dict)  # by task
    column: Optional[str] = None

    def __call__(self, row: Result) -> float:
        if self.column is not None:
            return getattr(row, self.column)
        random, best, _ = self.bounds[row.task]
        return (row.episode_return - random) / (best - random)

    def covers(self, task: str) -> bool:
        """Whether a task has a score."""
        return self.column is not None or task in self.bounds


SUCCESS = Scale('success', 'in no episode 0, in all of them 1', column='success_any')
HUMAN = Scale('human-normalised score', 'random play 0, a human 1', column='human_normalised')


def own_scale(rows: Sequence[Result]) -> Optional[Scale]:
    """The scale of a column that every evaluation has; None if there is none."""
    for scale in (SUCCESS, HUMAN):
        if all(getattr(row, scale.column) is not None for row in rows):
            return scale
    return None


def table_scale(rows: Sequence[Result], last: int) -> Optional[Scale]:
    """
    Overview:
        The scale of a table of methods: success or human-normalised where every evaluation has it. Otherwise, task by
        task, 0 is random play's mean return and 1 the best mean of a method that is surely better than that: whose
        interval and random play's would not even meet if both were twice as wide, as intervals of few seeds are too
        narrow. Only the methods with the most seeds count, and no experts; where that is one seed, by their values. A
        task without such a method has no scale: scores would be divided by what may be noise.
    Arguments:
        - last (:obj:`int`): A run has ended with the mean of so many last evaluations.
    Returns:
        - scale (:obj:`Optional[Scale]`): None if random play is needed and missing, or nobody is above it.
    """
    if own := own_scale(rows):
        return own
    methods = methods_of(rows)
    if RANDOM not in methods:
        return None
    trained = [method for method in methods if method not in REFERENCES]
    seeds = {method: len({row.seed for row in rows if row.method == method}) for method in trained}
    counted = [method for method in trained if seeds[method] == max(seeds.values())]
    ends = {method: _ends([row for row in rows if row.method == method], last) for method in (RANDOM, *counted)}
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
    returns = finals(rows, tasks, episode_return, last)  # (seeds, tasks)
    mean, low, high = interval(lambda returns: returns.mean(axis=0), returns)
    if len(returns) == 1:
        low = high = mean
    return {task: _End(*map(float, end)) for task, *end in zip(tasks, mean, low, high)}
