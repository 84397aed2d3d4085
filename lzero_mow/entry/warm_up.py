"""The first phase of a run: one module set learns from random play, then tasks are grouped (paper section 3.6)."""
import csv
import os
from typing import Dict, List, Sequence

import torch
import yaml
from ditk import logging

from lzero_mow.config.clusters import by_name
from lzero_mow.report.pictures.cluster_map import write_cluster_map
from lzero_mow.report.tables.similarity import write_similarity
from lzero_mow.utils.files import replacing
from .reporting import FOLDER
from .run.checkpoint import CLUSTERS, CURVE, SIMILARITY
from .run.random_state import isolated_rng
from .run.run import Run

# Updates between two checkpoints, and batches over which the gradients that group the tasks are summed.
SAVE_EVERY, GRADIENT_BATCHES = 500, 32


def warm_up(run: Run) -> None:
    """
    Do what is left of the warm-up, without collecting. Checkpoints are written at its start, every ``SAVE_EVERY``
    updates, before the tasks are grouped and at its end.
    """
    schedule, steps = run.schedule, run.workers.policy.warmup_steps
    if schedule.warmed_up:
        return
    if steps > 0:
        _train(run, steps)
    _group(run)
    schedule.warmed_up = True
    if schedule.warm_up_iter > 0:
        run.save()


def _train(run: Run, steps: int) -> None:
    schedule, policy = run.schedule, run.workers.policy
    curve = Curve(os.path.join(run.run_dir, CURVE), run.cfg.env.tasks)
    logging.info('warming up on random play: %d updates', steps - schedule.warm_up_iter)
    while schedule.warm_up_iter < steps:
        if schedule.warm_up_iter % SAVE_EVERY == 0:
            run.progress.phase('saving')
            run.save()
        until = min(steps, schedule.warm_up_iter - schedule.warm_up_iter % SAVE_EVERY + SAVE_EVERY)
        for data in run.workers.samples(until - schedule.warm_up_iter):
            curve.add(policy.learn_mode.forward(data))
            schedule.warm_up_iter += 1
            run.progress.warm_up(schedule.warm_up_iter, steps)
            if schedule.warm_up_iter % run.cfg.policy.log_freq == 0:
                curve.write(schedule.warm_up_iter)
        curve.write(until)
        policy.check_finite()
    run.save()


def _group(run: Run) -> None:
    """Group the tasks with fresh batches, which don't affect the randomness of training, and record the clusters."""
    run.progress.phase('grouping tasks')
    tasks = list(run.cfg.env.tasks)
    with isolated_rng(run.cfg.seed):
        grouping = run.workers.policy.group_tasks(run.workers.gradient_batches(GRADIENT_BATCHES))
    if grouping is None:
        return
    with replacing(os.path.join(run.run_dir, CLUSTERS)) as temporary, open(temporary, 'w') as file:
        yaml.safe_dump(by_name(tasks, grouping['clusters']), file, sort_keys=False)
    if grouping['similarity'] is not None:
        write_similarity(os.path.join(run.run_dir, SIMILARITY), grouping['similarity'], tasks)
        picture = os.path.join(run.run_dir, FOLDER, 'clusters.png')
        write_cluster_map(picture, grouping['similarity'], grouping['clusters'], tasks)
    names = [[task for task, i in zip(tasks, grouping['clusters']) if i == cluster]
             for cluster in sorted(set(grouping['clusters']))]
    logging.info('clusters: %s', '; '.join(', '.join(group) for group in names))


class Curve:
    """``warm_up.csv``: update, task, and every term of the task's losses, as its mean since the previous row."""

    def __init__(self, path: str, tasks: Sequence[str]) -> None:
        self._path, self._tasks = path, tasks
        self._logs: List[Dict[str, torch.Tensor]] = []

    def add(self, log: Dict[str, torch.Tensor]) -> None:
        """Keep the terms of one update; tensors stay on their device."""
        self._logs.append({name: value for name, value in log.items() if name.startswith('task/')})

    def write(self, update: int) -> None:
        """Append the means over the updates since the last call, if any."""
        if not self._logs:
            return
        first = f'task/{self._tasks[0]}/'
        terms = [name[len(first):] for name in self._logs[0] if name.startswith(first)]
        is_new = not os.path.exists(self._path)
        with open(self._path, 'a', newline='') as file:
            writer = csv.writer(file, lineterminator='\n')
            if is_new:
                writer.writerow(['update', 'task', *terms])
            for task in self._tasks:
                means = [torch.stack([log[f'task/{task}/{term}'] for log in self._logs]).mean() for term in terms]
                writer.writerow([update, task, *(float(mean) for mean in means)])
        self._logs = []
