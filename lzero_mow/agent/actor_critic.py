"""The agent: one actor for all tasks, one critic a cluster with a slow copy (paper section 3.5)."""
import copy
from typing import Dict, Union

import torch
from easydict import EasyDict
from torch import Tensor, nn

from lzero_mow.agent.imagination import ImaginedRollout
from lzero_mow.agent.policies import CategoricalPolicy, TruncatedNormalPolicy
from lzero_mow.agent.returns import ReturnScale, lambda_return
from lzero_mow.model.grouped import ONE_GROUP, GroupedMLP
from lzero_mow.model.two_hot import TwoHot
from lzero_mow.model.world_model import Plan
from lzero_mow.model.world_model_loss import mean_by_task


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
        self.policy_of = TruncatedNormalPolicy if cfg.continuous_action_space else CategoricalPolicy
        outputs = cfg.action_space_size * self.policy_of.outputs_an_action
        self.actor = GroupedMLP(1, state_dim, out_features=outputs, **sizes)
        if cfg.continuous_action_space:  # means that begin elsewhere drift into a corner, and nothing is found there
            nn.init.zeros_(self.actor.out.weight)
            nn.init.zeros_(self.actor.out.bias)
        self.critic = GroupedMLP(cfg.num_clusters, state_dim, out_features=len(self.two_hot.bins), **sizes)
        self.slow_critic = copy.deepcopy(self.critic).requires_grad_(False)
        self.return_scale = ReturnScale(cfg.num_tasks)
        # (K, A): actions that a task's environment allows; all until the environment has said so.
        self.register_buffer('action_mask', torch.ones(cfg.num_tasks, cfg.action_space_size, dtype=torch.bool))

    def policy(self, state: Tensor, plan: Plan) -> Union[CategoricalPolicy, TruncatedNormalPolicy]:
        """pi(.|s) for states (N, L, state)."""
        return self.policy_of(self.actor(state, ONE_GROUP), self.action_mask[plan.task].unsqueeze(1))

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
    policy = agent.policy(rollout.state[:, :-1], plan)
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
        actor=-advantage * policy.log_prob(rollout.action),
        critic=agent.two_hot.loss(value_logits[:, :-1], returns),
        slow_critic=agent.two_hot.loss(value_logits[:, :-1], slow_returns),
        entropy=policy.entropy(),
        imagined_return=returns,
    )
    return {name: mean_by_task(x, plan.task, len(agent.action_mask)) for name, x in terms.items()}
