"""The first two questions of `learning` for ScaleZero, which has no actor in imagination, and one of its searches."""
from dataclasses import replace
from typing import Dict, Mapping, Sequence

import numpy as np
import torch
from easydict import EasyDict
from scipy.special import softmax
from scipy.stats import entropy
from torch import Tensor

from lzero_mow.buffer.batch import RecordedPlay
from lzero_mow.mcts.tree_search import Window, search
from lzero_mow.model.scalezero.moe import searching
from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel
from .learning import AHEAD, Windows, of_each_task, predicted_rewards, valued


@torch.no_grad()
def learning_scalars(model: ScaleZeroModel, plays: Mapping[int, RecordedPlay], cfg: EasyDict) -> Dict[str, float]:
    """
    Numbers by name, for each task whose play is long enough, ``learning/<task>/``: ``reward/...`` and
    ``return/r2``, see `predicted_rewards`, ``value/...``, see `valued`, and ``search/...``, see `searched`. Rewards are
    those that the model learns from: their signs with `clip_rewards`.
    """
    if cfg.clip_rewards:
        plays = {k: replace(play, reward=np.sign(play.reward)) for k, play in plays.items()}

    def measure(windows: Windows, play: RecordedPlay) -> Dict[str, float]:
        device, longest = next(model.parameters()).device, cfg.model.max_steps
        routing, action = model.route(windows.tasks), torch.from_numpy(windows.action).to(device)
        obs = torch.from_numpy(windows.obs).to(device)
        latent = model.encode(obs.flatten(0, 1)).unflatten(0, (-1, cfg.context_length))  # (N, C, D)
        search_scalars = searched(model, latent, action[:, :cfg.context_length - 1], windows.tasks, cfg)
        steps = []
        for t in range(cfg.context_length, cfg.context_length + AHEAD):  # like a search, from the last steps that fit
            steps.append(model(latent[:, -longest:], action[:, :t][:, -longest:], routing))
            latent = torch.cat([latent, steps[-1].next_latent[:, -1:]], 1)
        logits = torch.stack([step.reward[:, -1] for step in steps], 1)  # (N, AHEAD, V)
        chance, predicted = model.reward_support.chance_of_reward(logits), model.reward_support.mean(logits)
        value = model.value_support.mean(steps[0].value[:, -1])
        return {
            **predicted_rewards(chance, predicted, windows, cfg.discount_factor),
            **valued(value, windows, play, cfg.discount_factor, cfg.life_loss_as_termination), **search_scalars
        }

    return of_each_task(plays, cfg.tasks, cfg.context_length, AHEAD, measure)


def searched(
        model: ScaleZeroModel, latent: Tensor, action: Tensor, tasks: Sequence[int], cfg: EasyDict
) -> Dict[str, float]:
    """
    What searches without noise add to the policy, from the last of latents (N, C, D) with the actions (N, C - 1[, A])
    between them: ``search/policy_entropy`` and ``search/visit_entropy``, in nats, of the priors at the roots and of the
    visits, and ``search/agreement``, how often both prefer the same action.
    """
    legal = model.action_mask[torch.tensor(tasks)].cpu().numpy()
    window = Window(latent, action, np.full(len(latent), latent.shape[1]), tasks, legal)
    with searching(model):
        found = search(model, window, cfg)
    possible = legal if found.actions.ndim == 2 else np.ones_like(found.visits, dtype=bool)
    prior = softmax(np.where(possible, found.policy_logits, -np.inf), axis=1)
    return {
        'search/policy_entropy': float(entropy(prior, axis=1).mean()),
        'search/visit_entropy': float(entropy(found.visits, axis=1).mean()),
        'search/agreement': float((prior.argmax(1) == found.visits.argmax(1)).mean())
    }
