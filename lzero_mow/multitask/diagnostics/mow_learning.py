"""The four questions of `learning` for MoW: rewards, values, the actor in imagination, and play beside imagination."""
from types import SimpleNamespace
from typing import Dict, Sequence

import numpy as np
import torch
from easydict import EasyDict
from torch import Tensor

from lzero_mow.agent.imagination import imagine
from lzero_mow.buffer.batch import RecordedPlay
from lzero_mow.model.common.categorical import sample_straight_through
from lzero_mow.model.mow.mow_model import MoWModel
from .learning import correlation, explained, played_returns, reward_steps

AHEAD = 8  # steps of the longer predictions
WINDOWS = 64  # places in a play from which is predicted


@torch.no_grad()
def learning_scalars(model: MoWModel, plays: Sequence[RecordedPlay], cfg: EasyDict) -> Dict[str, float]:
    """
    Numbers by name, for each task whose play is long enough, ``learning/<task>/``:
    - ``reward/<n>_steps/{precision,recall,auc}``: see `reward_steps`, for the reward of the n-th step after a context
      of real steps, the steps between imagined with the real actions; ``return/explained``: of the discounted sum of
      the `AHEAD` rewards.
    - ``value/{correlation,predicted,played}``: V(s) beside the real discounted return.
    - ``imagination/{actor,random}``: mean discounted return over `horizon` imagined steps of the actor and of random
      actions from the same states; ``imagination/played``: what was really played from there.
    """
    scalars = {}
    for k, play in enumerate(plays):
        starts = _starts(play, cfg.context_length + max(AHEAD, cfg.horizon))
        if len(starts):
            windows = _Windows(model, k, play, starts, cfg)
            own = {**_rewards(model, windows, cfg), **_values(model, windows, play, cfg)}
            names = (name for name in own if np.isfinite(own[name]))
            scalars.update({f'learning/{cfg.tasks[k]}/{name}': own[name] for name in names})
    return scalars


def _starts(play: RecordedPlay, length: int) -> np.ndarray:
    """Where windows of so many steps begin, spread evenly over a play."""
    places = len(play) - length + 1
    return np.unique(np.linspace(0, places - 1, WINDOWS).astype(int)) if places > 0 else np.zeros(0, int)


class _Windows:
    """N windows of a play in the model: C real steps, and what really followed."""

    def __init__(self, model: MoWModel, task: int, play: RecordedPlay, starts: np.ndarray, cfg: EasyDict) -> None:
        world, context = model.world_model, cfg.context_length
        device = world.two_hot.bins.device
        at = starts[:, None] + np.arange(context + max(AHEAD, cfg.horizon))
        self.now = starts + context - 1  # (N,) steps of the last real frames
        self.tasks = (task, ) * len(starts)
        self.routing = world.route(self.tasks)
        self.latent = sample_straight_through(  # (N, C, latent)
            world.encode(torch.from_numpy(play.obs[at[:, :context]]).to(device), self.routing)
        )
        self.action = torch.from_numpy(play.action[at]).to(device)  # (N, C + H) or (N, C + H, A)
        self.reward = play.reward[at[:, context - 1:]]  # (N, H + 1), from the last real frame on


def _rewards(model: MoWModel, windows: _Windows, cfg: EasyDict) -> Dict[str, float]:
    """What is predicted of the rewards that the real actions brought."""
    world, context = model.world_model, cfg.context_length
    cache = world.new_cache(context + AHEAD)
    hidden = [world.dynamics(windows.latent, windows.action[:, :context], windows.routing, cache)[:, -1:]]
    for t in range(context, context + AHEAD - 1):
        latent = sample_straight_through(world.prior(hidden[-1], windows.routing))
        hidden.append(world.dynamics(latent, windows.action[:, t:t + 1], windows.routing, cache))
    logits = world.reward_head(torch.cat(hidden, 1), windows.routing.clusters)  # (N, AHEAD, 255)
    chance, predicted = world.two_hot.chance_of_reward(logits), world.two_hot.decode(logits)
    chance, predicted, real = chance.cpu().numpy(), predicted.cpu().numpy(), windows.reward[:, :AHEAD]
    discount = cfg.discount_factor ** np.arange(AHEAD)
    scalars = {'return/explained': explained(predicted @ discount, real @ discount)}
    for ahead in (1, AHEAD):
        of_step = reward_steps(chance[:, ahead - 1], real[:, ahead - 1])
        scalars.update({f'reward/{ahead}_steps/{name}': value for name, value in of_step.items()})
    return scalars


def _values(model: MoWModel, windows: _Windows, play: RecordedPlay, cfg: EasyDict) -> Dict[str, float]:
    """V(s), and imagined rollouts of the actor and of random play, beside what was really played from there."""
    H = cfg.horizon
    action = windows.action[:, :cfg.context_length - 1]
    discount = cfg.discount_factor ** np.arange(H)

    def imagined(agent):
        rollout = imagine(model.world_model, agent, windows.latent, action, windows.tasks, windows.routing, H)
        alive = torch.cat([torch.ones_like(rollout.continuation[:, :1]), rollout.continuation[:, :-1].cumprod(1)], 1)
        return rollout, (rollout.reward * alive).cpu().numpy() @ discount

    rollout, actor = imagined(model.agent)
    _, random = imagined(SimpleNamespace(policy=lambda state, routing: _uniform(model, state, routing)))
    value = model.agent.value(rollout.state[:, :1], windows.routing)[:, 0].cpu().numpy()
    returns = played_returns(play, cfg.discount_factor, cfg.life_loss_as_termination, last_value=float(value[-1]))
    returns = returns[windows.now]
    return {
        'value/correlation': correlation(value, returns), 'value/predicted': float(value.mean()),
        'value/played': float(returns.mean()), 'imagination/actor': float(actor.mean()),
        'imagination/random': float(random.mean()),
        'imagination/played': float((windows.reward[:, :H] @ discount).mean())
    }


def _uniform(model: MoWModel, state: Tensor, routing):
    """The policy that plays at random."""
    agent = model.agent
    outputs = agent.action_mask.shape[1] * agent.policy_class.outputs_per_action
    return agent.policy_class(state.new_zeros(*state.shape[:-1], outputs), agent.action_mask[routing.task].unsqueeze(1))
