"""
What must be the same on all ranks although each sees only its own tasks: `torchrun rank_traps.py FOLDER`, on one rank
or two. Writes of each rank what it has found.
"""
import os
import sys

import numpy as np
import torch

from helpers.models import random_batch
from helpers.policies import TASKS, tiny_policy, training_data
from helpers.rank_updates import OWN, rows_of
from helpers.scalezero_policy import random_search_batch, tiny_scalezero_policy
from lzero_mow.utils.ranks import joined, rank, world_size


def clusters(own):
    """i_k from the gradients of all tasks, of which two are the same and the third is another."""
    policy = tiny_policy(clustering='gradient', warmup_steps=1, model=dict(num_clusters=2, dropout=0.0))
    batches = [random_batch((0, 0, 1, 1, 2, 2), 8, seed=seed) for seed in range(3)]
    for batch in batches:
        batch.obs[2:4] = batch.obs[:2]
        for name in ('action', 'reward', 'terminated'):
            getattr(batch, name)[2:4] = getattr(batch, name)[:2]
    grouping = policy.group_tasks(rows_of(batch, own) for batch in batches)
    return grouping['clusters'], grouping['similarity'].tolist()


def resting(own):
    """Updates while the first task, which on two ranks is all that the first of them has, is solved and rests."""
    policy = tiny_scalezero_policy(
        model=dict(stages=3), stage_min_updates=1, stage_max_updates=50, solved_returns={TASKS[0]: 1.0},
        solved_patience=1
    )
    policy.on_evaluation(dict.fromkeys(TASKS, 2.0))
    at_work = [task for task in policy.active_tasks if task in own]
    batch = random_search_batch((0, 0, 1, 1, 2, 2))
    data = dict(search=rows_of(batch, at_work)) if at_work else None
    for _ in range(3):
        policy.learn_mode.forward(data)
    return policy.active_tasks, policy._model.stage, {name: x.clone() for name, x in policy._model.state_dict().items()}


def not_finite(own):
    """What is said of a reward that is no number, in the last task alone."""
    policy, data = tiny_policy(), {name: rows_of(batch, own) for name, batch in training_data().items()}
    if 2 in own:
        data['world_model'].reward[-1] = float('nan')
    policy.learn_mode.forward(data)
    try:
        policy.check_finite()
    except FloatingPointError as error:
        return str(error)
    return None


def drawn():
    """The first numbers of the searches."""
    np.random.seed(0)
    return tiny_scalezero_policy()._rng.random(4).tolist()


if __name__ == '__main__':
    torch.set_num_threads(1)
    with joined('cpu'):
        own = OWN[world_size()][rank()]
        found = dict(clusters=clusters(own), resting=resting(own), not_finite=not_finite(own), drawn=drawn())
        torch.save(found, os.path.join(sys.argv[1], f'{world_size()}_{rank()}.pt'))
