"""
Rollouts inside the world model: the only data that the agent learns from (paper section 3.5).

Real steps             z_0 a_0 ... z_{C-2} a_{C-2} z_{C-1}        C = context length
State 0                s_0 = [z_{C-1}, h_{C-2}]                   what acting sees: the latest frame, and the past
Imagined, i = 0..H-1   a_i ~ pi(s_i), h_i from (z_i, a_i), r_i and c_i from h_i, z_{i+1} ~ prior(h_i),
                       s_{i+1} = [z_{i+1}, h_i]
"""
from typing import TYPE_CHECKING, Callable, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

from lzero_mow.model.common.categorical import sample_straight_through
from lzero_mow.model.mow.world_model import DynamicsCache, Routing, WorldModel

if TYPE_CHECKING:
    from lzero_mow.model.mow.actor_critic import ActorCritic


class ImaginedRollout(NamedTuple):
    """N rollouts of H steps; reward and continuation [t] are the results of action [t] in state [t]."""
    state: Tensor  # (N, H + 1, latent + hidden)
    action: Tensor  # (N, H) int64, or (N, H, A)
    reward: Tensor  # (N, H)
    continuation: Tensor  # (N, H), 1 while the episode goes on, else 0
    task: Tuple[int, ...]  # N task ids on the host, ascending


def imagined_step(
        model: WorldModel, agent: 'ActorCritic', latent: Tensor, hidden: Tensor, routing: Routing, cache: DynamicsCache
) -> Tuple[Tensor, Tensor, Tensor]:
    """a_i, z_{i+1} and h_i, (N, 1, ...) each, from z_i and h_{i-1}."""
    action = agent.policy(torch.cat([latent, hidden], -1), routing).sample()
    hidden = model.dynamics(latent, action, routing, cache)
    return action, sample_straight_through(model.prior(hidden, routing)), hidden


@torch.no_grad()
def imagine(
        model: WorldModel, agent: 'ActorCritic', latent: Tensor, action: Tensor, tasks: Sequence[int], routing: Routing,
        horizon: int, step: Callable = imagined_step
) -> ImaginedRollout:
    """
    Overview:
        Continue N real contexts for `horizon` steps with the agent's own actions. The experts and the shared
        transformer cache keys and values of the past, so each step costs one step. Model and agent are in eval mode.
    Arguments:
        - latent (:obj:`Tensor`): (N, C, latent), C >= 2.
        - action (:obj:`Tensor`): (N, C - 1) or (N, C - 1, A), the actions between them.
        - tasks (:obj:`Sequence`): N task ids, ascending; routing (:obj:`Routing`): `model.route(tasks)`.
        - step (:obj:`Callable`): `imagined_step` or what `torch.compile` has made of it, for all steps but the first.
    """
    cache = model.new_cache(latent.shape[1] - 1 + horizon)
    hidden = model.dynamics(latent[:, :-1], action, routing, cache)[:, -1:]
    latent, actions = latent[:, -1:], []
    states = [torch.cat([latent, hidden], -1)]
    for i in range(horizon):
        action, latent, hidden = (step if i else imagined_step)(model, agent, latent, hidden, routing, cache)
        actions.append(action)
        states.append(torch.cat([latent, hidden], -1))
    state = torch.cat(states, 1)
    hidden = state[:, 1:, model.latent_dim:]  # h_i, which predicts r_i and c_i
    return ImaginedRollout(
        state, torch.cat(actions, 1), model.two_hot.decode(model.reward_head(hidden, routing.clusters)),
        (model.continuation_head(hidden, routing.clusters).squeeze(-1) > 0).float(), tuple(tasks)
    )


def context_windows(
        latent: Tensor, action: Tensor, tasks: Sequence[int], length: int, number: int
) -> Tuple[Tensor, Tensor, Tuple[int, ...]]:
    """
    Overview:
        Contexts from a training batch whose latents are known: N windows of C = `length` steps at random places, drawn
        evenly over the batch's B sequences.
    Returns:
        - latent (:obj:`Tensor`): (N, C, latent).
        - action (:obj:`Tensor`): (N, C - 1) or (N, C - 1, A), the actions between them.
        - tasks (:obj:`tuple`): N task ids.
    """
    sequence = torch.arange(number) * len(latent) // number  # (N,), on the host
    start = torch.randint(latent.shape[1] - length + 1, (number, 1))
    row = sequence.unsqueeze(1).to(latent.device, non_blocking=True)
    step = (start + torch.arange(length)).to(latent.device, non_blocking=True)
    tasks = tuple(tasks[i] for i in sequence.tolist())
    return latent[row, step], action[row, step[:, :-1]], tasks
