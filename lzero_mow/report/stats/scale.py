"""The scale on which unlike tasks are averaged."""
from dataclasses import dataclass, field
from typing import Dict, NamedTuple, Optional

import pandas as pd

from lzero_mow.config.suites import RANDOM, references
from .intervals import interval
from .scores import RETURN, finals, methods_of, tasks_of

WIDER = 2.0


class Bounds(NamedTuple):
    """What a task's scores lie between."""
    random: float  # the return that scores 0
    best: float  # the return that scores 1
    method: str  # whose it is


@dataclass(frozen=True)
class Scale:
    """Turns evaluations into scores: a column of the table, or the place of a return between its task's two bounds."""
    label: str
    meaning: str  # of 0 and 1
    bounds: Dict[str, Bounds] = field(default_factory=dict)  # by task
    column: Optional[str] = None

    def __call__(self, rows: pd.DataFrame) -> pd.Series:
        """The score of each row; NaN for a task without one."""
        if self.column is not None:
            return rows[self.column]
        random, best = (rows.task.map({task: ends[i] for task, ends in self.bounds.items()}) for i in range(2))
        return (rows[RETURN] - random) / (best - random)

    def covers(self, task: str) -> bool:
        """Whether a task has a score."""
        return self.column is not None or task in self.bounds


SUCCESS = Scale('success', 'in no episode 0, in all of them 1', column='success_any')
HUMAN = Scale('human-normalised score', 'random play 0, a human 1', column='human_normalised')


def own_scale(rows: pd.DataFrame) -> Optional[Scale]:
    """The scale of a column that every evaluation has; None if there is none."""
    return next((scale for scale in (SUCCESS, HUMAN) if rows[scale.column].notna().all()), None)


def table_scale(rows: pd.DataFrame, last: int) -> Optional[Scale]:
    """
    The scale of a table of methods: success or human-normalised where every evaluation has it. Otherwise, task by task,
    0 is random play's mean return and 1 the best mean of a method that is surely better than that: whose interval and
    random play's would not even meet if both were twice as wide, as intervals of few seeds are too narrow. Only the
    methods with the most seeds count, and no experts; with one seed, its value is the interval. A task without such a
    method has no scale: scores would be divided by what may be noise. None if random play is needed and missing, or
    nobody is above it. For ``last`` see ``finals``.
    """
    if own := own_scale(rows):
        return own
    by_method = dict(list(rows.groupby('method', sort=False)))
    if RANDOM not in by_method:
        return None
    random = _ends(by_method[RANDOM], last)
    seeds = {method: by_method[method].seed.nunique() for method in methods_of(rows) if method not in references()}
    ends = {method: _ends(by_method[method], last) for method, n in seeds.items() if n == max(seeds.values())}
    bounds = {}
    for task, level in random.iterrows():
        means = {method: own['mean'][task] for method, own in ends.items() if task in own.index
                 and _widened(own.loc[task], 'low') > _widened(level, 'high')}
        if means:
            best = max(means, key=means.get)
            bounds[task] = Bounds(float(level['mean']), float(means[best]), best)
    return Scale('score', 'random play 0, the best method 1', bounds) if bounds else None


def _ends(rows: pd.DataFrame, last: int) -> pd.DataFrame:
    """What one method has reached: by task, mean and ends of the interval; one seed's value is its own interval."""
    tasks = tasks_of(rows)
    returns = finals(rows, tasks, RETURN, last)  # (seeds, tasks)
    mean, low, high = interval(lambda returns: returns.mean(axis=0), returns)
    ends = pd.DataFrame(dict(mean=mean, low=low, high=high), index=tasks)
    return ends if len(returns) > 1 else ends.assign(low=mean, high=mean)


def _widened(ends: pd.Series, end: str) -> float:
    """An end of the interval, ``WIDER`` times as far away from the mean."""
    return ends['mean'] + WIDER * (ends[end] - ends['mean'])
