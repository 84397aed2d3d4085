"""What a run has reached, as a table for the screen."""
from typing import Sequence

from rich.table import Table

from .results import Result

# Columns of the results: their titles and the digits of their numbers.
SHOWN = {
    'episode_return': ('return', 1),
    'human_normalised': ('human-normalised', 3),
    'success_any': ('success at any step', 2),
    'success_last': ('at the last step', 2),
}


def last_evaluation(rows: Sequence[Result]) -> Table:
    """
    Overview:
        A line a task, and one for the means of what all tasks have.
    Arguments:
        - rows (:obj:`Sequence[Result]`): Of one run, in the order of its evaluations.
    """
    last = [row for row in rows if row.env_step == rows[-1].env_step]
    columns = {name: [getattr(row, name) for row in last] for name in SHOWN}
    columns = {name: values for name, values in columns.items() if None not in values}
    table = Table(title=f'last evaluation, step {last[0].env_step}', box=None, title_justify='left')
    table.add_column('task')
    for name in columns:
        table.add_column(SHOWN[name][0], justify='right')
    written = [
        [f'{value:.{SHOWN[name][1]}f}' for value in (*values, sum(values) / len(values))]
        for name, values in columns.items()
    ]
    for task, *cells in zip([*(row.task for row in last), 'mean'], *written):
        table.add_row(task, *cells)
    return table
