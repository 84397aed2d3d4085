"""Open-loop prediction: the world model sees a few frames, then only the actions that were actually taken."""
from typing import Dict

import numpy as np
import torch

from lzero_mow.buffer.batch import SequenceBatch
from lzero_mow.model.common.categorical import sample_straight_through
from lzero_mow.model.mow.world_model import WorldModel


@torch.no_grad()
def open_loop(model: WorldModel, batch: SequenceBatch, context: int) -> Dict[int, np.ndarray]:
    """
    Overview:
        Predict one real sequence of each task from its first `context` frames and its actions: the one of the batch
        with the fewest ends of episodes, since what follows an end cannot be predicted. The model is in eval mode.
    Returns:
        - frames (:obj:`dict`): Task id -> (3, L, C, H, W) in [0, 1]: true, imagined (reconstructed within the
          context), and their absolute difference.
    """
    tasks, ends = sorted(set(batch.task)), batch.first[:, 1:].sum(1).cpu().numpy()
    rows = [batch.task.index(task) + int(np.argmin(ends[np.equal(batch.task, task)])) for task in tasks]
    obs, action = batch.obs[rows], batch.action[rows]
    routing = model.route(tasks)
    length = obs.shape[1]
    latents = [sample_straight_through(model.encode(obs[:, :context], routing))]
    cache = model.new_cache(length)
    hidden = model.dynamics(latents[0], action[:, :context], routing, cache)[:, -1:]
    for t in range(context, length):
        latents.append(sample_straight_through(model.prior(hidden, routing)))
        hidden = model.dynamics(latents[-1], action[:, t:t + 1], routing, cache)
    imagined = model.decode(torch.cat(latents, 1), routing).clamp(0, 1)
    true = obs.float() / 255
    frames = torch.stack([true, imagined, (true - imagined).abs()], 1).cpu().numpy()  # (K, 3, L, C, H, W)
    return dict(zip(tasks, frames))
