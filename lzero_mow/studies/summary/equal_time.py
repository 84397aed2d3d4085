"""What methods have reached in the same CPU time: that of the cheapest one's runs, from ``times.csv``."""
from dataclasses import dataclass
from typing import Dict, List, Optional

import pandas as pd

from lzero_mow.config.suites import references
from lzero_mow.report.tables.costs import ALL_TASKS, COSTS
from .cells import Cells, number, steps_and_score_cells
from .numbers import MethodSummary, Summary, summarise_rows

MODEL = ['method', 'seed', 'model']


@dataclass
class EqualTime:
    """The numbers of all methods at their last evaluations within a budget; reference players' are as ever."""
    minutes: float
    cheapest: str  # the method that sets the budget
    summary: Summary
    spent: Dict[str, pd.Series]  # by method, CPU minutes of each seed until that evaluation
    late: List[str]  # methods whose first evaluation is beyond the budget
    untimed: List[str]  # methods with an evaluation whose time is not known


def at_equal_time(rows: pd.DataFrame, times: pd.DataFrame, baseline: Optional[str] = None) -> Optional[EqualTime]:
    """
    Overview:
        What methods have reached in the CPU time that the cheapest of them took until its last evaluation. Seeds take
        unlike times for the same updates when other programs run beside them, so a method's time of an evaluation is
        the median over its seeds, and all its seeds are read at the same evaluation. The time of a seed is that of all
        models of an ensemble together, each at its evaluation of the same number.
    Arguments:
        - rows (:obj:`pd.DataFrame`): Evaluations, as in ``results.csv``.
        - times (:obj:`pd.DataFrame`): Times of all runs, as in an experiment's ``times.csv``.
        - baseline (:obj:`Optional[str]`): See ``summarise``; where it is not in the table, MoW if that is.
    Returns:
        - equal_time (:obj:`Optional[EqualTime]`): None if the times of fewer than two methods are known.
    """
    players = rows.method.isin(references())
    trained = _timed(rows[~players], times)
    untimed = trained[trained.cpu_seconds.isna()].method.unique()
    trained = trained[~trained.method.isin(untimed)]
    if trained.method.nunique() < 2:
        return None
    of_seed = _minutes(trained)
    of_method = of_seed.groupby('method').median()  # (methods, evaluations)
    totals = of_method.iloc[:, -1]
    within = (of_method <= totals.min()).sum(axis=1)  # evaluations of a method
    late = within[within == 0].index
    kept = trained[trained.evaluation <= trained.method.map(within)]
    shown = rows.index.isin(kept.index) | players
    summary = summarise_rows(rows[shown], COSTS.frame([]), baseline if baseline in set(kept.method) else None)
    spent = {method: of_seed.loc[method].iloc[:, count - 1] for method, count in within.drop(late).items()}
    return EqualTime(float(totals.min()), totals.idxmin(), summary, spent, list(late), list(untimed))


def equal_time_cells(equal: EqualTime) -> Cells:
    """The scores at equal CPU time, with the steps and the minutes at which they were reached."""

    def minutes(method: MethodSummary) -> List[str]:
        if method.method not in equal.spent:
            return [number(None, 1)]
        spent = equal.spent[method.method]
        ends = f' ({spent.min():.1f} to {spent.max():.1f})' if len(spent) > 1 else ''
        return [number(spent.median(), 1) + ends]

    return steps_and_score_cells(equal.summary, ['CPU minutes'], minutes)


def notes_on_equal_time(equal: Optional[EqualTime]) -> List[str]:
    """How the table at equal CPU time was made, and who is not in it; or why there is none."""
    if equal is None:
        return [
            'There is no table at equal CPU minutes: the times of fewer than two methods are known '
            '(`python -m lzero_mow experiment` writes them, times.csv).'
        ]
    notes = [
        f'Each method at its last evaluation within {equal.minutes:.1f} CPU minutes per seed: what {equal.cheapest}, '
        'the cheapest, took until its last one, evaluations included. Between two evaluations nothing is known, so a '
        'method may have used less.',
        'The minutes of an evaluation are the median over seeds (in brackets the least and the most), of all models of '
        'an ensemble together. All seeds of a method are read at the same evaluation, also one that took longer than '
        'the median beside other programs.',
    ]
    if equal.late:
        notes.append(f"Not in the table, since the first evaluation came later: {', '.join(equal.late)}.")
    if equal.untimed:
        notes.append(f"Not in the table, since times are not known: {', '.join(equal.untimed)}.")
    return notes


def _timed(rows: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """Evaluations with the model they are of, their number in its run from 1, and its CPU seconds until then or NaN."""
    ensembles = times.method[times.task != ALL_TASKS].unique()
    rows = rows.assign(
        model=rows.task.where(rows.method.isin(ensembles), ALL_TASKS),
        evaluation=rows.groupby(['method', 'seed', 'task']).env_step.rank('dense').astype(int)
    )
    clock = times.rename(columns={'task': 'model'})[[*MODEL, 'env_step', 'cpu_seconds']]
    return rows.merge(clock, 'left', [*MODEL, 'env_step'], validate='many_to_one').set_axis(rows.index)


def _minutes(timed: pd.DataFrame) -> pd.DataFrame:
    """CPU minutes (methods and seeds, evaluations), models together; one whose run has ended keeps its last."""
    clock = timed.drop_duplicates([*MODEL, 'evaluation']).pivot(
        index=MODEL, columns='evaluation', values='cpu_seconds'
    )
    return clock.ffill(axis=1).groupby(['method', 'seed']).sum() / 60
