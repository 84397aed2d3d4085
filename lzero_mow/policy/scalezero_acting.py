"""Acting by search: the choice of an action from the current frame and the steps before it."""
from typing import Dict, Optional

import numpy as np
import torch
from easydict import EasyDict
from torch import Tensor

from lzero_mow.mcts.choices import AllActions
from lzero_mow.mcts.tree_search import SearchResult, Window, search
from lzero_mow.model.scalezero.moe import searching
from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel
from .acting_memory import ActingMemory
from .decisions import ReadyEnvs, worker_output


@torch.no_grad()
def act_by_search(
        model: ScaleZeroModel, memory: ActingMemory, ready: ReadyEnvs, cfg: EasyDict, epsilon: float,
        rng: Optional[np.random.Generator]
) -> Dict[int, Dict]:
    """
    Overview:
        See `MultitaskPolicy._act`; one search in eval mode, with a memory of `context_length` - 1 steps.
    Arguments:
        - cfg (:obj:`EasyDict`): See `lzero_mow.mcts.tree_search.search`; and temperature, which sharpens the visits.
        - epsilon (:obj:`float`): Share of uniformly random choices; with 1 there is no search, and visits are 0.
        - rng (:obj:`np.random.Generator` or None): For collecting. None: no noise, and the most visited action.
    Returns:
        - output (:obj:`dict`): For continuous actions also 'root_sampled_actions' (C, A), the samples that visits
          refer to.
    """
    latent = model.encode(ready.obs)  # (R, D)
    if epsilon >= 1:
        found = random_play(ready.legal, cfg, rng)
    else:
        with searching(model):
            found = search(model, build_window(memory, latent, ready), cfg, rng)
    choice = found.visits.argmax(1) if rng is None else choose(found, ready.legal, cfg.temperature, epsilon, rng)
    action = torch.from_numpy(found.actions[np.arange(len(choice)), choice])  # (R,) or (R, A)
    memory.append(ready.env_ids, latent, action.to(latent.device, non_blocking=True))
    value, predicted_value, visits, logits = (
        torch.as_tensor(x, dtype=torch.float32)
        for x in (found.value, found.predicted_value, found.visits, found.policy_logits)
    )
    entropy = torch.special.entr(visits).sum(-1)
    output = worker_output(ready, action, value, predicted_value, visits, logits, entropy)
    if found.actions.ndim == 3:
        for env_id, samples in zip(ready.env_ids, found.actions):
            output[env_id]['root_sampled_actions'] = samples
    return output


def random_play(legal: np.ndarray, cfg: EasyDict, rng: np.random.Generator) -> SearchResult:
    """Takes the place of a search: no visits, and samples of continuous actions from their whole range."""
    rows, size = legal.shape
    actions = AllActions(legal).root_actions
    if cfg.model.continuous_action_space:
        actions = rng.uniform(-1, 1, (rows, cfg.num_sampled_actions, size)).astype(np.float32)
    uniform, value = uniform_probs(legal, actions), np.zeros(rows, dtype=np.float32)
    return SearchResult(np.zeros_like(uniform), value, value, np.log(np.maximum(uniform, 1e-8)), actions)


def choose(
        found: SearchResult, legal: np.ndarray, temperature: float, epsilon: float, rng: np.random.Generator
) -> np.ndarray:
    """Choices (R,) at the roots, by visits to the power of 1 / temperature; uniform with probability `epsilon`."""
    probs = uniform_probs(legal, found.actions)
    if epsilon < 1:
        powers = (found.visits / found.visits.max(1, keepdims=True)).astype(np.float64) ** (1 / temperature)
        probs = (1 - epsilon) * (powers / powers.sum(1, keepdims=True)) + epsilon * probs
    return np.array([rng.choice(len(row), p=row / row.sum()) for row in probs])


def uniform_probs(legal: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """Equal probabilities (R, C) of the legal actions, or of all samples (R, C, A)."""
    possible = legal if actions.ndim == 2 else np.ones(actions.shape[:2], dtype=bool)
    return possible / possible.sum(1, keepdims=True)


def build_window(memory: ActingMemory, latent: Tensor, ready: ReadyEnvs) -> Window:
    """The steps that each environment remembers, followed by its current latent (R, D)."""
    past, action, length = memory.recent(ready.env_ids)  # (R, T, D), (R, T) or (R, T, A), (R,)
    window = torch.cat([past, latent.unsqueeze(1)], 1)  # (R, T + 1, D)
    rows, last = (torch.from_numpy(x).to(latent.device, non_blocking=True) for x in (np.arange(len(length)), length))
    window[rows, last] = latent
    return Window(window, action, length + 1, ready.tasks, ready.legal)
