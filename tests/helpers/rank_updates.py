"""
Updates of a small policy on several ranks, each with its own tasks, or on one: `torchrun rank_updates.py FOLDER
METHOD`.

Nothing is drawn: latents are their probabilities and all actions the first, so that a split of the tasks only changes
how sums are rounded.
"""
import os
import sys
from dataclasses import fields, replace

import torch

from lzero_mow.model.common import categorical, distributions
from lzero_mow.utils.ranks import joined, rank, world_size

OWN = {1: [[0, 1, 2]], 2: [[0], [1, 2]]}  # on two ranks, tasks 0 and 1 of one cluster are apart
UPDATES = 20


def draw_nothing():
    """Before anything imports these by name: rounding must not decide what is drawn."""
    categorical.sample_straight_through = lambda log_probs: log_probs.exp().flatten(-2)
    distributions.CategoricalPolicy.sample = lambda policy: torch.zeros_like(policy.entropy(), dtype=torch.long)


def rows_of(batch, tasks):
    """The rows of a batch that belong to some tasks."""
    rows = [i for i, task in enumerate(batch.task) if task in tasks]
    tensors = {item.name: getattr(batch, item.name) for item in fields(batch)}
    return replace(
        batch, **{name: value[rows] for name, value in tensors.items() if isinstance(value, torch.Tensor)},
        task=tuple(batch.task[i] for i in rows)
    )


def run(folder, method, norm):
    from helpers.policies import tiny_policy, training_data
    from helpers.scalezero_policy import random_search_batch, tiny_scalezero_policy
    own = OWN[world_size()][rank()]
    if method == 'mow':
        model = dict(norm=norm, dropout=0.0, background=True)
        policy = tiny_policy(model=model, learning_rate=1e-3, balance_weight=10.0)
    else:
        policy = tiny_scalezero_policy()
    logs = []
    for seed in range(UPDATES):
        data = training_data(seed) if method == 'mow' else dict(search=random_search_batch(seed=seed))
        data = {name: rows_of(batch, own) for name, batch in data.items()}
        log = policy.learn_mode.forward(data)
        policy.share_task_state(own)
        policy.check_finite()
        logs.append({name: float(value) for name, value in log.items()})
    torch.save(dict(logs=logs, model=policy._model.state_dict()), os.path.join(folder, f'{world_size()}_{rank()}.pt'))


if __name__ == '__main__':
    torch.set_num_threads(1)
    draw_nothing()
    with joined('cpu'):
        run(*sys.argv[1:])
