"""The last evaluation of a run, as a table for the screen."""
import pandas as pd
from rich.table import Table

from lzero_mow.report.stats.intervals import wilson
from lzero_mow.report.tables.results import SUCCESSES

# Columns of the results: their titles and the digits of their numbers.
SHOWN = {
    'episode_return': ('return', 1),
    'normalised': ('normalised score', 3),
    'success_any': ('success at any step', 2),
    'success_last': ('at the last step', 2),
}


def last_evaluation(rows: pd.DataFrame) -> Table:
    """
    A line per task, and one for the means of the columns that all tasks have, from the evaluations of one run in order.
    A success rate is followed by its uncertainty (Wilson's 95 % interval; for the mean, over all episodes).
    """
    last = rows[rows.env_step == rows.env_step.iloc[-1]]
    columns = last[list(SHOWN)].dropna(axis='columns')
    step, episodes = (int(last[name].iloc[0]) for name in ('env_step', 'episodes'))
    title = f"last evaluation, step {step}, {episodes} episode{'s' * (episodes > 1)} per task"
    table = Table(title=title, box=None, title_justify='left', min_width=len(title))
    table.add_column('task')
    for name in columns:
        table.add_column(SHOWN[name][0], justify='right')
    for task, values in zip(last.task, columns.to_dict('records')):
        table.add_row(task, *(_shown(name, value, episodes) for name, value in values.items()))
    means = columns.mean()
    table.add_row('mean', *(_shown(name, value, episodes * len(last)) for name, value in means.items()))
    return table


def _shown(name: str, value: float, episodes: int) -> str:
    text = f'{value:.{SHOWN[name][1]}f}'
    if name not in SUCCESSES:
        return text
    _, low, high = wilson(value, episodes)
    return f'{text} \\[{low:.2f}, {high:.2f}]'  # a bare bracket would be rich's markup
