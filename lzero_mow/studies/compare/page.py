"""The page: tables and pictures of finished runs, all in one file."""
import base64
import glob
import mimetypes
import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import pandas as pd

from lzero_mow.config.suites import RANDOM, references
from lzero_mow.report.pictures.curves import draw_curves
from lzero_mow.report.stats.intervals import REPETITIONS
from lzero_mow.report.stats.scale import SUCCESS
from lzero_mow.report.tables.costs import COSTS
from lzero_mow.studies.summary.cells import Cells, number, return_cells, score_cells, success_cells
from lzero_mow.studies.summary.equal_time import at_equal_time
from lzero_mow.studies.summary.numbers import Summary, summarise_rows
from lzero_mow.studies.summary.text import (
    episodes_text, equal_time_tables, notes_on_peers, notes_on_successes, success_meanings
)
from lzero_mow.studies.summary.what_is_equal import MEANING, equal_cells
from lzero_mow.studies.summary.writer import draw_scores
from lzero_mow.studies.templates import write_template
from .plasticity import write_plasticity
from .runs import FinishedRun

Picture = Dict[str, object]
# Pictures of a run's report that show a method, with their captions; the videos follow.
PICTURES = {
    'router.png': 'Which game uses which expert',
    'clusters.png': "How alike the games' gradients are, and the groups made of that",
    'gradient_conflict.png': "Cosines between the games' gradients in the parts they share",
    'learning.png': 'Where learning stops: four questions about play that was not trained on (docs/metrics.md)',
    'open_loop.png': 'Imagined from actions alone. Rows: true, imagined, difference; green: seen, red: imagined',
}


def embedded(captions: Dict[str, str]) -> List[Picture]:
    """The pictures and videos that there are, by path, as data URIs: the page needs no other file."""
    pictures = []
    for path, caption in captions.items():
        if os.path.isfile(path):
            mime, _ = mimetypes.guess_type(path)
            data = base64.b64encode(Path(path).read_bytes()).decode()
            pictures.append(dict(data=f'data:{mime};base64,{data}', caption=caption, is_video=mime.startswith('video')))
    return pictures


def write_page(path: str, runs: Sequence[FinishedRun], baseline: Optional[str] = None, peers: bool = False) -> None:
    """
    Write the page of comparable runs as HTML; every method is compared with the baseline, MoW if it is there. With
    ``peers``, what other agents have published stands beside them; ValueError in one line if nothing is known.
    """
    rows = pd.concat([run.rows for run in runs], ignore_index=True)
    summary = summarise_rows(rows, COSTS.frame(run.cost() for run in runs), baseline, peers=peers)
    trained = [run for run in runs if run.method not in references()]
    configs = {run.method: [other.config for other in runs if other.method == run.method] for run in trained}
    equal_time = at_equal_time(rows, pd.concat([run.all_times() for run in runs], ignore_index=True), summary.baseline)
    with tempfile.TemporaryDirectory() as folder:
        bars, plasticity = (os.path.join(folder, name) for name in ('iqm.png', 'plasticity.png'))
        if summary.scale is not None:
            draw_scores(bars, summary)
        write_plasticity(plasticity, runs, [method.method for method in summary.methods])
        write_template(
            path, 'compare/page.html',
            title=' against '.join(method.method for method in summary.methods if method.method not in references()),
            summary=summary,
            env_steps=trained[0].config['max_env_step'],
            episodes=episodes_text(summary.methods),
            seeds=sorted({run.record.seed for run in trained}),
            repetitions=REPETITIONS,
            notes=notes_on_successes(summary.methods),
            published=notes_on_peers(summary.peers),
            devices=sorted({run.config['policy']['device'] for run in trained}),
            equal=equal_cells(summary, configs),
            equal_means=MEANING,
            scores=score_cells(summary),
            equal_time=equal_time_tables(equal_time),
            successes=[
                (name, meaning, success_cells(summary, summary.methods, name))
                for name, meaning in success_meanings(summary.methods).items()
            ],
            games=return_cells(summary, summary.methods),
            bold=any(method.method == RANDOM for method in summary.methods),
            costs=cost_cells(summary, runs),
            score_pictures=embedded({bars: 'Interquartile mean over games and seeds'}),
            curves=_curves(folder, rows, runs, summary),
            plasticity=embedded({plasticity: 'Means over seeds'}),
            methods=_methods(runs, summary),
        )


def _curves(folder: str, rows: pd.DataFrame, runs: Sequence[FinishedRun], summary: Summary) -> List[Picture]:
    """Against environment steps, and against the clock where runs have kept it."""
    steps, minutes = (os.path.join(folder, name) for name in ('steps.png', 'minutes.png'))
    draw_curves(steps, rows, peers=summary.peers)
    models = Counter((run.method, run.record.seed) for run in runs)
    timed = pd.concat([_by_minutes(run, models[run.method, run.record.seed]) for run in runs])
    if not timed.method.isin(references()).all():
        draw_curves(minutes, timed, peers=summary.peers, x='minutes by the clock')
    what = 'Successes' if summary.scale is SUCCESS else 'Returns'
    return embedded({
        steps: f'{what} over environment steps; bands: 95 % intervals over seeds',
        minutes: "The same over time by the clock, evaluations included; an ensemble's models one after the other",
    })


def _by_minutes(run: FinishedRun, models: int) -> pd.DataFrame:
    """A run's evaluations with minutes in place of environment steps; an ensemble has several models to train."""
    if run.method in references():
        return run.rows
    minutes = models * run.times.set_index('env_step').wall_seconds / 60
    return run.rows.assign(env_step=run.rows.env_step.map(minutes)).dropna(subset='env_step')


def _methods(runs: Sequence[FinishedRun], summary: Summary) -> List[Dict[str, object]]:
    """Each method's own pictures, from its first seed."""
    shown = []
    for method in (method.method for method in summary.methods):
        first = min((run for run in runs if run.method == method), key=lambda run: run.record.seed)
        report = os.path.join(first.folder, 'report')
        paths = {os.path.join(report, name): caption for name, caption in PICTURES.items()}
        for video in sorted(glob.glob(os.path.join(glob.escape(report), 'open_loop_*.mp4'))):
            game = os.path.basename(video)[len('open_loop_'):-len('.mp4')]
            paths[video] = f'{game}, imagined'
        if pictures := embedded(paths):
            shown.append(dict(name=f'{method}, seed {first.record.seed}', pictures=pictures))
    return shown


def cost_cells(summary: Summary, runs: Sequence[FinishedRun]) -> Cells:
    """A row per method: parameters, memory, times, and what was done."""
    cells = [[
        'method', 'million parameters', 'MB', 'peak memory, MB', 'interactions', 'updates', 'CPU minutes', 'minutes',
        'seconds per decision', 'seconds per update'
    ]]
    for method in summary.methods:
        if method.method in references():
            continue
        own = [run for run in runs if run.method == method.method]
        last = pd.concat([run.times.tail(1) for run in own])
        cells.append([
            method.method,
            number(sum(run.record.model_bytes for run in own) / method.seeds / 4e6, 2),
            number(method.megabytes, 2),
            number(max(run.record.peak_memory_bytes for run in own) / 2 ** 20, 0, ','),
            number(method.interactions, 0, ','),
            number(method.updates, 0, ','),
            number(method.cpu_minutes, 1),
            number(sum(run.record.wall_seconds for run in own) / method.seeds / 60, 1),
            number(last.decision_seconds.mean(), 4),
            number(last.update_seconds.mean(), 3),
        ])
    return cells
