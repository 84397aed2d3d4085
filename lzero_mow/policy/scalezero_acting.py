"""Acting by search: the choice of an action from a present frame and the steps before it."""
from typing import Dict, List, Optional, Sequence

import numpy as np
import torch
from easydict import EasyDict
from torch import Tensor

from lzero_mow.mcts.choices import AllActions
from lzero_mow.mcts.tree_search import SearchResult, Window, search
from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel
from .acting_memory import ActingMemory
from .worker_output import worker_output


@torch.no_grad()
def act_by_search(
        model: ScaleZeroModel, memory: ActingMemory, obs: Tensor, legal: np.ndarray, env_ids: List[int],
        tasks: Sequence[int], timestep: Sequence[int], cfg: EasyDict, epsilon: float, rng: Optional[np.random.Generator]
) -> Dict[int, Dict]:
    """
    Overview:
        One action for each of R environments of any tasks, by one search.
    Arguments:
        - model (:obj:`ScaleZeroModel`): In eval mode.
        - memory (:obj:`ActingMemory`): Of `context_length` - 1 steps; read, and extended by this step.
        - obs (:obj:`Tensor`): (R, C, H, W) uint8; legal (:obj:`np.ndarray`): (R, A) bool.
        - env_ids (:obj:`list`), tasks (:obj:`Sequence`), timestep (:obj:`Sequence`): R each.
        - cfg (:obj:`EasyDict`): See `lzero_mow.mcts.tree_search.search`; and temperature, by which visits are
          sharpened.
        - epsilon (:obj:`float`): Share of choices that are made at random, each as likely; with 1 nothing is searched,
          and visits are 0.
        - rng (:obj:`np.random.Generator` or None): For collecting. None: no noise, and the most visited action.
    Returns:
        - output (:obj:`dict`): By env id, what LightZero's workers read; and where actions are numbers,
          'root_sampled_actions' (C, A), the samples that visits are of.
    """
    latent = model.encode(obs)  # (R, D)
    if epsilon >= 1:
        found = random_play(legal, cfg, rng)
    else:
        found = search(model, window_of(memory, latent, env_ids, tasks, legal), cfg, rng)
    choice = found.visits.argmax(1) if rng is None else drawn(found, legal, cfg.temperature, epsilon, rng)
    action = torch.from_numpy(found.actions[np.arange(len(choice)), choice])  # (R,) or (R, A)
    to_tensor = lambda x: torch.as_tensor(x, dtype=torch.float32)
    memory.append(env_ids, latent, action.to(latent.device, non_blocking=True))
    visits = to_tensor(found.visits)
    output = worker_output(
        env_ids, timestep, action, to_tensor(found.value), to_tensor(found.predicted_value), visits,
        to_tensor(found.policy_logits), torch.special.entr(visits).sum(-1)
    )
    if found.actions.ndim == 3:
        for env_id, samples in zip(env_ids, found.actions):
            output[env_id]['root_sampled_actions'] = samples
    return output


def random_play(legal: np.ndarray, cfg: EasyDict, rng: np.random.Generator) -> SearchResult:
    """In place of a search: no visits, and where actions are numbers, samples from all there are."""
    rows, size = legal.shape
    actions = AllActions(legal).root_actions
    if cfg.model.continuous_action_space:
        actions = rng.uniform(-1, 1, (rows, cfg.num_sampled_actions, size)).astype(np.float32)
    uniform, nothing = each_as_likely(legal, actions), np.zeros(rows, dtype=np.float32)
    return SearchResult(np.zeros_like(uniform), nothing, nothing, np.log(np.maximum(uniform, 1e-8)), actions)


def drawn(
        found: SearchResult, legal: np.ndarray, temperature: float, epsilon: float, rng: np.random.Generator
) -> np.ndarray:
    """Choices (R,) at the roots, by sharpened visits; with probability `epsilon` by nothing."""
    probs = each_as_likely(legal, found.actions)
    if epsilon < 1:
        probs = (1 - epsilon) * sharpened(found.visits, temperature) + epsilon * probs
    return np.array([rng.choice(len(row), p=row / row.sum()) for row in probs])


def each_as_likely(legal: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """Probabilities (R, C): of legal actions, or of samples (R, C, A)."""
    possible = legal if actions.ndim == 2 else np.ones(actions.shape[:2], dtype=bool)
    return possible / possible.sum(1, keepdims=True)


def sharpened(visits: np.ndarray, temperature: float) -> np.ndarray:
    """Shares of visits (R, C) to the power of 1 / temperature, as probabilities in float64."""
    powers = (visits / visits.max(1, keepdims=True)).astype(np.float64) ** (1 / temperature)
    return powers / powers.sum(1, keepdims=True)


def window_of(
        memory: ActingMemory, latent: Tensor, env_ids: Sequence[int], tasks: Sequence[int], legal: np.ndarray
) -> Window:
    """The steps that each environment remembers, followed by its present latent (R, D)."""
    past, action, length = memory.recent(env_ids)  # (R, T, D), (R, T) or (R, T, A), (R,)
    window = torch.cat([past, latent.unsqueeze(1)], 1)  # (R, T + 1, D)
    rows, present = (torch.from_numpy(x).to(latent.device, non_blocking=True) for x in (np.arange(len(length)), length))
    window[rows, present] = latent
    return Window(window, action, length + 1, list(tasks), legal)
