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
from lzero_mow.model.mow.actor_critic import ActorCritic
from lzero_mow.model.mow.mow_model import MoWModel
from lzero_mow.model.mow.world_model import Routing
from .learning import AHEAD, Windows, of_each_task, predicted_rewards, valued


@torch.no_grad()
def learning_scalars(model: MoWModel, plays: Mapping[int, RecordedPlay], cfg: EasyDict) -> Dict[str, float]:
    """
    Numbers by name, for each task whose play is long enough, ``learning/<task>/``:
    - ``reward/...`` and ``return/r2``: see `predicted_rewards`, after a context of real steps, the steps between
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
    return predicted_rewards(chance, predicted, windows, cfg.discount_factor)


def _values(
        model: MoWModel, latent: Tensor, action: Tensor, routing: Routing, windows: Windows, play: RecordedPlay,
        cfg: EasyDict
) -> Dict[str, float]:
    """V(s), and imagined rollouts of the actor and of random play, beside what was really played from there."""
    H = cfg.horizon
    discount = cfg.discount_factor ** np.arange(H)

    def total(reward, goes_on):
        """The mean of sum_i discount^i r_i up to the first end, (N, H) each."""
        alive = np.concatenate([np.ones_like(reward[:, :1]), goes_on[:, :-1].cumprod(1)], 1)
        return float((reward * alive @ discount).mean())

    def imagined(agent):
        rollout = imagine(model.world_model, agent, latent, action, windows.tasks, routing, H)
        return rollout, total(rollout.reward.cpu().numpy(), rollout.continuation.cpu().numpy())

    rollout, actor = imagined(model.agent)
    _, random = imagined(_RandomPlay(model.agent))
    value = model.agent.value(rollout.state[:, :1], routing)[:, 0]
    goes_on = play.goes_on(cfg.life_loss_as_termination)[windows.following]
    return {
        **valued(value, windows, play, cfg.discount_factor, cfg.life_loss_as_termination),
        'imagination/actor': actor, 'imagination/random': random,
        'imagination/played': total(windows.reward[:, :H], goes_on[:, :H])
    }


class _RandomPlay:
    """An agent whose actions are uniformly random legal ones."""

    def __init__(self, agent: ActorCritic) -> None:
        self._agent = agent

    def policy(self, state: Tensor, routing: Routing) -> SimpleNamespace:
        """What `imagine` samples from."""
        always = state.new_ones(state.shape[:-1])
        return SimpleNamespace(sample=lambda: self._agent.policy(state, routing).act(always, greedy=False)[0])
