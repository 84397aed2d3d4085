"""The agent: one actor for all tasks, one critic a cluster with a slow copy (paper section 3.5)."""
import copy
from typing import Dict

import torch
import torch.nn.functional as F
from easydict import EasyDict
from torch import Tensor, nn

from lzero_mow.agent.imagination import ImaginedRollout
from lzero_mow.agent.returns import ReturnScale, lambda_return
from lzero_mow.model.grouped import ONE_GROUP, GroupedMLP
from lzero_mow.model.two_hot import TwoHot
from lzero_mow.model.world_model import Plan
from lzero_mow.model.world_model_loss import mean_by_task


def sample_action(probs: Tensor) -> Tensor:
    """
    One draw from each distribution (..., A) -> (...). Like torch.multinomial, but without its check of the values,
    which waits for the device and would hide a NaN's origin; an action of probability 0 is never drawn.
    """
    return (probs / torch.empty_like(probs).exponential_()).argmax(-1)


class ActorCritic(nn.Module):
    """
    Overview:
        Networks on the state s = [z, h].
    Arguments:
        - state_dim (:obj:`int`): Width of s.
        - cfg (:obj:`EasyDict`): MODEL_CONFIG of `lzero_mow/policy/mow_config.py`.
    """

    def __init__(self, state_dim: int, cfg: EasyDict) -> None:
        super().__init__()
        self.two_hot = TwoHot()
        sizes = dict(width=cfg.agent_width, layers=cfg.agent_layers)
        self.actor = GroupedMLP(1, state_dim, out_features=cfg.action_space_size, **sizes)
        self.critic = GroupedMLP(cfg.num_clusters, state_dim, out_features=len(self.two_hot.bins), **sizes)
        self.slow_critic = copy.deepcopy(self.critic).requires_grad_(False)
        self.return_scale = ReturnScale(cfg.num_tasks)
        # (K, A): actions that a task's environment allows; all until the environment has said so.
        self.register_buffer('action_mask', torch.ones(cfg.num_tasks, cfg.action_space_size, dtype=torch.bool))

    def log_policy(self, state: Tensor, plan: Plan) -> Tensor:
        """log pi(.|s): (N, L, state) -> (N, L, A); actions that the task lacks have probability 0."""
        logits = self.actor(state, ONE_GROUP).float()
        return F.log_softmax(logits.masked_fill(~self.action_mask[plan.task].unsqueeze(1), -1e9), -1)

    def act(self, state: Tensor, plan: Plan) -> Tensor:
        """Sample actions: (N, L, state) -> (N, L) int64."""
        return sample_action(self.log_policy(state, plan).exp())

    def value(self, state: Tensor, plan: Plan) -> Tensor:
        """V(s): (N, L, state) -> (N, L)."""
        return self.two_hot.decode(self.critic(state, plan.clusters))

    @torch.no_grad()
    def update_slow_critic(self, decay: float) -> None:
        """Move the slow critic towards the critic."""
        torch._foreach_lerp_(list(self.slow_critic.parameters()), list(self.critic.parameters()), 1 - decay)


def agent_terms(agent: ActorCritic, rollout: ImaginedRollout, plan: Plan, cfg: EasyDict) -> Dict[str, Tensor]:
    """
    Overview:
        Actor and critic losses on an imagined rollout:
        actor   - sg((R - V) / max(floor, S_k)) log pi(a|s),  floor 1 in the paper,
        critic  symlog two-hot cross-entropy towards sg(R), and towards the slow critic's own lambda-return.
    Arguments:
        - agent (:obj:`ActorCritic`), rollout (:obj:`ImaginedRollout`), plan (:obj:`Plan`).
        - cfg (:obj:`EasyDict`): MOW_CONFIG of `lzero_mow/policy/mow_config.py`.
    Returns:
        - terms (:obj:`dict`): 'actor', 'critic', 'slow_critic', 'entropy', 'imagined_return' -> (K,) means.
    """
    log_policy = agent.log_policy(rollout.state[:, :-1], plan)  # (N, H, A)
    log_prob = log_policy.gather(-1, rollout.action.unsqueeze(-1)).squeeze(-1)
    value_logits = agent.critic(rollout.state, plan.clusters)  # (N, H + 1, 255)
    with torch.no_grad():
        returns_of = lambda value: lambda_return(
            rollout.reward, rollout.continuation, value, cfg.discount_factor, cfg.lambda_, cfg.lambda_bootstrap
        )
        value = agent.two_hot.decode(value_logits)
        returns = returns_of(value)  # (N, H)
        slow_returns = returns_of(agent.two_hot.decode(agent.slow_critic(rollout.state, plan.clusters)))
        agent.return_scale.update(returns, rollout.task, cfg.return_ema)
        advantage = (returns - value[:, :-1]) / agent.return_scale(cfg.return_scale_floor)[plan.task].unsqueeze(1)
    terms = dict(
        actor=-advantage * log_prob,
        critic=agent.two_hot.loss(value_logits[:, :-1], returns),
        slow_critic=agent.two_hot.loss(value_logits[:, :-1], slow_returns),
        entropy=-(log_policy.exp() * log_policy).sum(-1),
        imagined_return=returns,
    )
    return {name: mean_by_task(x, plan.task, len(agent.action_mask)) for name, x in terms.items()}
