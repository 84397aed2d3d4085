"""The pictures of a run: what the policy imagines, how its router chooses, how it learns."""
import os
from typing import Any, Dict, Mapping, Optional, Sequence

import numpy as np

from lzero_mow.report.pictures.conflict_map import write_conflict_map
from lzero_mow.report.pictures.curves import write_curves
from lzero_mow.report.pictures.learning import write_learning
from lzero_mow.report.pictures.router_map import write_router_map
from lzero_mow.report.pictures.video import write_open_loop_sheet, write_open_loop_video
from lzero_mow.report.tables.diagnostics import DIAGNOSTICS, last_matrices
from lzero_mow.report.tables.results import read_results
from lzero_mow.utils.ranks import gathered, rank
from .run.random_play import RANDOM_PLAY
from .run.workers import Workers

FOLDER = 'report'
CANDIDATES = 8  # sequences per task, of which the one with the fewest ends of episodes is shown


def write_report(
        run_dir: str, results: str, workers: Workers, tasks: Sequence[str], ends: Optional[Mapping] = None
) -> None:
    """
    Write the run's pictures: ``report/open_loop_<task>.mp4``, ``open_loop.png``, ``router.png``, ``curves.png``,
    ``learning.png`` and ``gradient_conflict.png``. The first three depend on the policy's ``report``, the last two on a
    diagnosis. `results` is the path of the results table, for `ends` see `draw_curves`. All ranks call it, and rank 0
    draws.
    """
    rng = np.random.default_rng(np.random.randint(2 ** 31))
    batch = workers.numbered(workers.buffer.sample_for_report(len(workers.own) * CANDIDATES, rng))
    report = _together(gathered(workers.policy.report(batch)))
    if rank() > 0:
        return
    folder, diagnostics = os.path.join(run_dir, FOLDER), os.path.join(run_dir, DIAGNOSTICS)
    random = os.path.join(run_dir, RANDOM_PLAY)  # of a run that has reached its end
    tables = [results, *([random] if os.path.exists(random) else [])]
    write_curves(os.path.join(folder, 'curves.png'), tables, ends=ends)
    if os.path.exists(diagnostics) and os.path.getsize(diagnostics):
        run = read_results(results).iloc[0]
        write_learning(os.path.join(folder, 'learning.png'), diagnostics, tasks, f'{run.method}, seed {run.seed}')
        env_step, matrices = last_matrices(diagnostics, tasks)
        if matrices:
            write_conflict_map(os.path.join(folder, 'gradient_conflict.png'), matrices, tasks, env_step)
    if 'open_loop' in report:
        for task, open_loop in report['open_loop'].items():
            write_open_loop_video(os.path.join(folder, f'open_loop_{task}.mp4'), open_loop, report['context'])
        write_open_loop_sheet(os.path.join(folder, 'open_loop.png'), report['open_loop'], report['context'])
    if 'router' in report:
        write_router_map(os.path.join(folder, 'router.png'), report['router'], tasks)


def _together(of_ranks: Sequence[Dict[str, Any]]) -> Dict[str, Any]:
    """What there is to draw of all tasks, from what there is of each rank's: see `MultitaskPolicy.report`."""
    report = dict(of_ranks[0])
    if 'open_loop' in report:
        report['open_loop'] = {task: frames for own in of_ranks for task, frames in own['open_loop'].items()}
    if 'router' in report:
        report['router'] = np.concatenate([own['router'] for own in of_ranks])
    return report
