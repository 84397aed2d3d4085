"""The four questions of `learning` for MoW: rewards, values, the actor in imagination, and play beside imagination."""
from types import SimpleNamespace
from typing import Dict, Mapping

import numpy as np
import torch
from easydict import EasyDict
from torch import Tensor

from lzero_mow.agent.imagination import imagine
from lzero_mow.buffer.batch import RecordedPlay
from lzero_mow.model.common.categorical import sample_straight_through
from lzero_mow.model.mow.mow_model import MoWModel
from lzero_mow.model.mow.world_model import Routing
from .learning import AHEAD, Windows, of_each_task, predicted_rewards, valued


@torch.no_grad()
def learning_scalars(model: MoWModel, plays: Mapping[int, RecordedPlay], cfg: EasyDict) -> Dict[str, float]:
    """
    Numbers by name, for each task whose play is long enough, ``learning/<task>/``:
    - ``reward/...`` and ``return/explained``: see `predicted_rewards`, after a context of real steps, the steps between
      imagined with the real actions; ``value/...``: see `valued`.
    - ``imagination/{actor,random}``: mean discounted return over `horizon` imagined steps of the actor and of random
      actions from the same states; ``imagination/played``: what was really played from there.
    """

    def measure(windows: Windows, play: RecordedPlay) -> Dict[str, float]:
        device = model.world_model.two_hot.bins.device
        routing = model.world_model.route(windows.tasks)
        obs, action = torch.from_numpy(windows.obs).to(device), torch.from_numpy(windows.action).to(device)
        latent = sample_straight_through(model.world_model.encode(obs, routing))  # (N, C, latent)
        return {
            **_rewards(model, latent, action, routing, windows, cfg),
            **_values(model, latent, action[:, :cfg.context_length - 1], routing, windows, play, cfg)
        }

    return of_each_task(plays, cfg.tasks, cfg.context_length, max(AHEAD, cfg.horizon), measure)


def _rewards(
        model: MoWModel, latent: Tensor, action: Tensor, routing: Routing, windows: Windows, cfg: EasyDict
) -> Dict[str, float]:
    """What is predicted of the rewards that the real actions brought."""
    world, context = model.world_model, cfg.context_length
    cache = world.new_cache(context + AHEAD - 1)
    hidden = [world.dynamics(latent, action[:, :context], routing, cache)[:, -1:]]
    for t in range(context, context + AHEAD - 1):
        latent = sample_straight_through(world.prior(hidden[-1], routing))
        hidden.append(world.dynamics(latent, action[:, t:t + 1], routing, cache))
    logits = world.reward_head(torch.cat(hidden, 1), routing.clusters)  # (N, AHEAD, 255)
    chance, predicted = world.two_hot.chance_of_reward(logits), world.two_hot.decode(logits)
    return predicted_rewards(
        chance.cpu().numpy(), predicted.cpu().numpy(), windows.reward[:, :AHEAD], cfg.discount_factor
    )


def _values(
        model: MoWModel, latent: Tensor, action: Tensor, routing: Routing, windows: Windows, play: RecordedPlay,
        cfg: EasyDict
) -> Dict[str, float]:
    """V(s), and imagined rollouts of the actor and of random play, beside what was really played from there."""
    H = cfg.horizon
    discount = cfg.discount_factor ** np.arange(H)

    def imagined(agent):
        rollout = imagine(model.world_model, agent, latent, action, windows.tasks, routing, H)
        alive = torch.cat([torch.ones_like(rollout.continuation[:, :1]), rollout.continuation[:, :-1].cumprod(1)], 1)
        return rollout, float(((rollout.reward * alive).cpu().numpy() @ discount).mean())

    rollout, actor = imagined(model.agent)
    _, random = imagined(SimpleNamespace(policy=lambda state, routing: _uniform(model, state, routing)))
    value = model.agent.value(rollout.state[:, :1], routing)[:, 0].cpu().numpy()
    return {
        **valued(value, windows, play, cfg.discount_factor, cfg.life_loss_as_termination),
        'imagination/actor': actor, 'imagination/random': random,
        'imagination/played': float((windows.reward[:, :H] @ discount).mean())
    }


def _uniform(model: MoWModel, state: Tensor, routing: Routing):
    """The policy that plays at random."""
    agent = model.agent
    outputs = agent.action_mask.shape[1] * agent.policy_class.outputs_per_action
    return agent.policy_class(state.new_zeros(*state.shape[:-1], outputs), agent.action_mask[routing.task].unsqueeze(1))
