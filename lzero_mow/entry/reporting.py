"""The pictures of a run folder: what the policy imagines, how its router chooses, how it learns."""
import os
from typing import Any, Sequence

import numpy as np

from lzero_mow.report.curves import write_curves
from lzero_mow.report.router_map import write_router_map
from lzero_mow.report.video import write_open_loop_sheet, write_open_loop_video

FOLDER = 'report'


def write_report(run_dir: str, results: str, policy: Any, buffer: Any, tasks: Sequence[str], length: int) -> None:
    """
    Overview:
        Write the run's pictures: ``report/open_loop_<task>.mp4``, ``open_loop.png``, ``router.png`` and ``curves.png``.
        A policy without ``report`` gets the curves alone.
    Arguments:
        - results (:obj:`str`): The results table.
        - buffer (:obj:`Any`): The replay from which a sequence a task is drawn, if it holds that much already.
        - length (:obj:`int`): Steps in such a sequence.
    """
    folder = os.path.join(run_dir, FOLDER)
    write_curves(os.path.join(folder, 'curves.png'), [results])
    if not hasattr(policy, 'report'):
        return
    batch = buffer.sample_sequences(len(tasks), length, rng=np.random.default_rng(np.random.randint(2 ** 31)))
    report = policy.report(batch)
    for task, open_loop in report['open_loop'].items():
        write_open_loop_video(os.path.join(folder, f'open_loop_{task}.mp4'), open_loop, report['context'])
    write_open_loop_sheet(os.path.join(folder, 'open_loop.png'), report['open_loop'], report['context'])
    if report['router'] is not None:
        write_router_map(os.path.join(folder, 'router.png'), report['router'], tasks)
