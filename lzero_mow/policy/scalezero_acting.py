"""Acting by search: the choice of an action from a present frame and the steps before it."""
from typing import Dict, List, Optional, Sequence

import numpy as np
import torch
from easydict import EasyDict
from torch import Tensor

from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel
from lzero_mow.policy.acting_memory import ActingMemory
from lzero_mow.policy.worker_output import worker_output
from lzero_mow.search.mcts import SearchResult, Window, search


@torch.no_grad()
def act_by_search(
        model: ScaleZeroModel, memory: ActingMemory, obs: Tensor, legal: np.ndarray, env_ids: List[int],
        tasks: Sequence[int], timestep: Sequence[int], cfg: EasyDict, epsilon: float,
        rng: Optional[np.random.Generator]
) -> Dict[int, Dict]:
    """
    Overview:
        One action for each of R environments of any tasks, by one search.
    Arguments:
        - model (:obj:`ScaleZeroModel`): In eval mode.
        - memory (:obj:`ActingMemory`): Of `context_length` - 1 steps; read, and extended by this step.
        - obs (:obj:`Tensor`): (R, C, H, W) uint8; legal (:obj:`np.ndarray`): (R, A) bool.
        - env_ids (:obj:`list`), tasks (:obj:`Sequence`), timestep (:obj:`Sequence`): R each.
        - cfg (:obj:`EasyDict`): See `lzero_mow.search.mcts.search`; and temperature, by which visits are
          sharpened.
        - epsilon (:obj:`float`): Share of uniformly random legal actions; with 1 nothing is searched, and visits are 0.
        - rng (:obj:`np.random.Generator` or None): For collecting. None: no noise, and the most visited action.
    Returns:
        - output (:obj:`dict`): By env id, what LightZero's workers read.
    """
    latent = model.encode(obs)  # (R, D)
    uniform = legal / legal.sum(1, keepdims=True)
    if epsilon >= 1:
        nothing = np.zeros(len(env_ids), dtype=np.float32)
        found = SearchResult(np.zeros_like(uniform), nothing, nothing, np.log(np.maximum(uniform, 1e-8)))
        probs = uniform
    else:
        found = search(model, window_of(memory, latent, env_ids, tasks, legal), cfg, rng)
        probs = (1 - epsilon) * sharpened(found.visits, cfg.temperature) + epsilon * uniform
    if rng is None:
        action = found.visits.argmax(1)
    else:
        action = np.array([rng.choice(len(row), p=row / row.sum()) for row in probs])
    to_tensor = lambda x: torch.as_tensor(x, dtype=torch.float32)
    memory.append(env_ids, latent, torch.from_numpy(action).to(latent.device, non_blocking=True))
    return worker_output(
        env_ids, timestep, torch.from_numpy(action), to_tensor(found.value), to_tensor(found.predicted_value),
        to_tensor(found.visits), to_tensor(found.policy_logits)
    )


def sharpened(visits: np.ndarray, temperature: float) -> np.ndarray:
    """Shares of visits (R, A) to the power of 1 / temperature, as probabilities in float64."""
    powers = (visits / visits.max(1, keepdims=True)).astype(np.float64) ** (1 / temperature)
    return powers / powers.sum(1, keepdims=True)


def window_of(
        memory: ActingMemory, latent: Tensor, env_ids: Sequence[int], tasks: Sequence[int], legal: np.ndarray
) -> Window:
    """The steps that each environment remembers, followed by its present latent (R, D)."""
    past, action, length = memory.recent(env_ids)  # (R, T, D), (R, T), (R,)
    window = torch.cat([past, latent.unsqueeze(1)], 1)  # (R, T + 1, D)
    rows, present = (torch.from_numpy(x).to(latent.device, non_blocking=True) for x in (np.arange(len(length)), length))
    window[rows, present] = latent
    return Window(window, action, length + 1, list(tasks), legal)
