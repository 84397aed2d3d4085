"""The last evaluation of a run, as a table for the screen."""
from typing import Optional

import pandas as pd
from rich.table import Table

from lzero_mow.report.stats.intervals import wilson
from lzero_mow.report.tables.results import SUCCESSES
from .random_play import Beside

# Columns of the results: their titles and the digits of their numbers.
SHOWN = {
    'episode_return': ('return', 1),
    'normalised': ('normalised score', 3),
    'success_any': ('success at any step', 2),
    'success_last': ('at the last step', 2),
}


def last_evaluation(rows: pd.DataFrame, beside: Optional[Beside] = None, what: str = 'last evaluation') -> Table:
    """
    A line per task, and one for the means over tasks of what lies on one scale, from the evaluations of one run in
    order. A success rate is followed by its uncertainty (Wilson's 95 % interval; for the mean, over all episodes). With
    random play ``beside`` it, returns of tasks have the intervals over their episodes, and random play's follow. The
    title begins with `what` it is.
    """
    last = rows[rows.env_step == rows.env_step.iloc[-1]]
    columns = last[list(SHOWN)].dropna(axis='columns')
    step, episodes = (int(last[name].iloc[0]) for name in ('env_step', 'episodes'))
    title = f"{what}, step {step}, {episodes} episode{'s' * (episodes > 1)} per task"
    table = Table(title=title, box=None, title_justify='left', min_width=len(title))
    table.add_column('task')
    for heading in (*(SHOWN[name][0] for name in columns), *(['random play'] if beside is not None else [])):
        table.add_column(heading, justify='right', no_wrap=True)
    for task, values in zip(last.task, columns.to_dict('records')):
        cells = {name: _shown(name, value, episodes) for name, value in values.items()}
        if beside is not None:
            cells.update(episode_return=str(beside.played[task]), random=str(beside.random[task]))
        table.add_row(task, *cells.values())
    means = columns.drop(columns='episode_return').mean()
    if len(means):
        table.add_row('mean', '', *(_shown(name, value, episodes * len(last)) for name, value in means.items()))
    return table


def _shown(name: str, value: float, episodes: int) -> str:
    text = f'{value:.{SHOWN[name][1]}f}'
    if name not in SUCCESSES:
        return text
    _, low, high = wilson(value, episodes)
    return f'{text} [{low:.2f}, {high:.2f}]'
