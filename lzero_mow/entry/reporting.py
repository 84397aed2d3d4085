"""The pictures of a run: what the policy imagines, how its router chooses, how it learns."""
import os
from typing import Sequence

import numpy as np

from lzero_mow.buffer.replay import Replay
from lzero_mow.policy.multitask_policy import MultitaskPolicy
from lzero_mow.report.pictures.conflict_map import write_conflict_map
from lzero_mow.report.pictures.curves import write_curves
from lzero_mow.report.pictures.router_map import write_router_map
from lzero_mow.report.pictures.video import write_open_loop_sheet, write_open_loop_video
from lzero_mow.report.tables.diagnostics import DIAGNOSTICS, last_matrices
from .run.random_play import RANDOM_PLAY

FOLDER = 'report'
CANDIDATES = 8  # sequences per task, of which the one with the fewest ends of episodes is shown


def write_report(run_dir: str, results: str, policy: MultitaskPolicy, buffer: Replay, tasks: Sequence[str]) -> None:
    """
    Write the run's pictures: ``report/open_loop_<task>.mp4``, ``open_loop.png``, ``router.png``, ``curves.png`` and
    ``gradient_conflict.png``. The first three depend on the policy's ``report``, the last one on a diagnosis of several
    tasks. `results` is the path of the results table.
    """
    folder, diagnostics = os.path.join(run_dir, FOLDER), os.path.join(run_dir, DIAGNOSTICS)
    random = os.path.join(run_dir, RANDOM_PLAY)  # of a run that has reached its end
    write_curves(os.path.join(folder, 'curves.png'), [results, *([random] if os.path.exists(random) else [])])
    if os.path.exists(diagnostics) and os.path.getsize(diagnostics):
        env_step, matrices = last_matrices(diagnostics, tasks)
        if matrices:
            write_conflict_map(os.path.join(folder, 'gradient_conflict.png'), matrices, tasks, env_step)
    rng = np.random.default_rng(np.random.randint(2 ** 31))
    report = policy.report(buffer.sample_for_report(len(tasks) * CANDIDATES, rng))
    if 'open_loop' in report:
        for task, open_loop in report['open_loop'].items():
            write_open_loop_video(os.path.join(folder, f'open_loop_{task}.mp4'), open_loop, report['context'])
        write_open_loop_sheet(os.path.join(folder, 'open_loop.png'), report['open_loop'], report['context'])
    if 'router' in report:
        write_router_map(os.path.join(folder, 'router.png'), report['router'], tasks)
