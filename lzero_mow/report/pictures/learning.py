"""Where learning stops, over training: a panel for each question about play that was not trained on."""
from typing import Dict, NamedTuple, Optional, Sequence

import pandas as pd
from matplotlib import colormaps

from lzero_mow.report.tables.diagnostics import read_diagnostics
from .curves import panels, save


class Question(NamedTuple):
    """What a panel shows of a task's measures."""
    measure: str
    dashed: str  # what the dashed level means
    less: Optional[str] = None  # a measure that is subtracted; on a symlog axis, since games' rewards differ
    level: float = 0.0


# By the titles of the panels.
QUESTIONS = {
    '1. rewards, 1 step ahead: AUC': Question('reward/1_steps/auc', 'model knows nothing', level=0.5),
    '1. rewards, 8 steps ahead: AUC': Question('reward/8_steps/auc', 'model knows nothing', level=0.5),
    '2. critic: correlation with play': Question('value/correlation', 'critic knows nothing'),
    '3. imagined return: actor - random': Question('imagination/actor', 'as random actions', less='imagination/random'),
    '3. searches: agreement with the policy': Question('search/agreement', 'they always prefer its action', level=1.0),
    '4. return: played - imagined': Question('imagination/played', 'play is as imagined', less='imagination/actor'),
}


def write_learning(path: str, diagnostics: str, tasks: Sequence[str], run: str) -> None:
    """
    Draw what a ``diagnostics.csv`` says of each question (docs/metrics.md, 'Where learning stops') as PNG, a line for
    each task; panels of what a method has not are left out, and so is a picture without panels. `run` is its heading.
    """
    rows = read_diagnostics(diagnostics)
    values = rows.set_index(['name', 'env_step']).value
    lines = {title: _lines(values, question, tasks) for title, question in QUESTIONS.items()}
    lines = {title: of_task for title, of_task in lines.items() if of_task}
    if not lines:
        return
    figure, axes = panels(list(lines), 'environment steps per task', '')
    figure.suptitle(run, fontsize='medium')
    for title, panel in axes.items():
        panel.title.set_fontsize('small')
        question = QUESTIONS[title]
        panel.axhline(question.level, linestyle='--', linewidth=1, color='grey')
        panel.set_ylabel(f'dashed: {question.dashed}', fontsize='small')
        if question.less is not None:
            panel.set_yscale('symlog', linthresh=0.1)
        for task, line in lines[title].items():
            colour = colormaps['tab20'](tasks.index(task) % 20)
            panel.plot(line.index, line, marker='.', linewidth=1.5, color=colour, label=task)
    save(figure, path)


def _lines(values: pd.Series, question: Question, tasks: Sequence[str]) -> Dict[str, pd.Series]:
    """By task, the measure over environment steps; tasks without it are left out."""
    known, lines = set(values.index.get_level_values('name')), {}
    for task in tasks:
        names = [f'learning/{task}/{name}' for name in (question.measure, question.less) if name is not None]
        if known.issuperset(names):
            line = values[names[0]] - values[names[1]] if question.less is not None else values[names[0]]
            lines[task] = line.dropna()
    return lines
