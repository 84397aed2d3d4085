"""The agent: one actor for all tasks, one critic per cluster with a slow copy (paper section 3.5)."""
from typing import Dict, Tuple

import torch
from easydict import EasyDict
from torch import Tensor

from lzero_mow.model.mow.actor_critic import ActorCritic
from lzero_mow.model.mow.world_model import Routing
from lzero_mow.model.mow.world_model_loss import mean_by_task
from .imagination import ImaginedRollout
from .returns import lambda_return


def agent_terms(
        agent: ActorCritic, rollout: ImaginedRollout, routing: Routing, cfg: EasyDict
) -> Tuple[Dict[str, Tensor], Dict[str, Tensor]]:
    """
    Overview:
        Actor and critic losses on an imagined rollout:
        actor   - sg((R - V) / max(floor, S_k)) log pi(a|s),  floor 1 in the paper,
        critic  two-hot cross-entropy towards sg(R), and towards the slow critic's own lambda-return.
    Returns:
        - terms (:obj:`dict`): 'actor', 'critic', 'slow_critic' and 'entropy' -> (K,) means.
        - metrics (:obj:`dict`): Only logged: 'imagined_return' -> (K,) means.
    """
    by_task = lambda x: mean_by_task(x, routing.task, len(agent.action_mask))
    policy = agent.policy(rollout.state[:, :-1], routing)
    value_logits = agent.critic(rollout.state, routing.clusters)  # (N, H + 1, 255)
    with torch.no_grad():
        returns_of = lambda value: lambda_return(
            rollout.reward, rollout.continuation, value, cfg.discount_factor, cfg.lambda_, cfg.lambda_bootstrap
        )
        value = agent.two_hot.decode(value_logits)
        returns = returns_of(value)  # (N, H)
        slow_returns = returns_of(agent.two_hot.decode(agent.slow_critic(rollout.state, routing.clusters)))
        agent.return_scale.update(returns, rollout.task, cfg.return_ema)
        advantage = returns - value[:, :-1]
        if cfg.centre_advantages:
            advantage = advantage - by_task(advantage)[routing.task].unsqueeze(1)
        advantage = advantage / agent.return_scale(cfg.return_scale_floor)[routing.task].unsqueeze(1)
    terms = dict(
        actor=-advantage * policy.log_prob(rollout.action), critic=agent.two_hot.loss(value_logits[:, :-1], returns),
        slow_critic=agent.two_hot.loss(value_logits[:, :-1], slow_returns), entropy=policy.entropy()
    )
    return {name: by_task(x) for name, x in terms.items()}, dict(imagined_return=by_task(returns))
