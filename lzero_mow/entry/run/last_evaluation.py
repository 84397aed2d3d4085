"""What a run has reached, as a table for the screen."""
from typing import Sequence

from rich.table import Table

from lzero_mow.report.stats.intervals import wilson
from lzero_mow.report.tables.results import SUCCESSES, Result

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
        A line per task, and one for the means of what all tasks have. Behind a success stands what so few episodes leave
        open (Wilson's 95 % interval; of the mean, that of all episodes).
    Arguments:
        - rows (:obj:`Sequence[Result]`): Of one run, in the order of its evaluations.
    """
    last = [row for row in rows if row.env_step == rows[-1].env_step]
    columns = {name: [getattr(row, name) for row in last] for name in SHOWN}
    columns = {name: values for name, values in columns.items() if None not in values}
    episodes = last[0].episodes
    title = f"last evaluation, step {last[0].env_step}, {episodes} episode{'s' * (episodes > 1)} a task"
    table = Table(title=title, box=None, title_justify='left', min_width=len(title))
    table.add_column('task')
    for name in columns:
        table.add_column(SHOWN[name][0], justify='right')
    counts = [*(episodes for _ in last), episodes * len(last)]
    written = [
        [_shown(name, value, count) for value, count in zip((*values, sum(values) / len(values)), counts)]
        for name, values in columns.items()
    ]
    for task, *cells in zip([*(row.task for row in last), 'mean'], *written):
        table.add_row(task, *cells)
    return table


def _shown(name: str, value: float, episodes: int) -> str:
    text = f'{value:.{SHOWN[name][1]}f}'
    if name not in SUCCESSES:
        return text
    _, low, high = wilson(value, episodes)
    return f'{text} \\[{low:.2f}, {high:.2f}]'  # a bare bracket would be rich's markup
