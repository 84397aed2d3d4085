"""Acting: the choice of an action from the current frame and the steps before it."""
from typing import Dict, Sequence

import numpy as np
import torch
from torch import Tensor

from lzero_mow.model.common.categorical import sample_straight_through
from lzero_mow.model.mow.mow_model import MoWModel
from .acting_memory import ActingMemory
from .decisions import ReadyEnvs, worker_output


@torch.no_grad()
def act(model: MoWModel, memory: ActingMemory, ready: ReadyEnvs, epsilon: float, greedy: bool) -> Dict[int, Dict]:
    """
    Overview:
        See `MultitaskPolicy._act`; one forward pass in eval mode. The state is the posterior of the current frame and
        the h of the window before it. The first action of an episode, which has no h, is uniformly random over the
        legal actions, as in STORM's code.
    Arguments:
        - greedy (:obj:`bool`): The likeliest action instead of a sample.
    Returns:
        - output (:obj:`dict`): There is no search: the distribution is the behaviour policy over all actions, and
          `searched_value` is the critic's V(s) like `predicted_value`.
    """
    world_model, agent = model.world_model, model.agent
    routing = world_model.route(ready.tasks)
    latent = sample_straight_through(world_model.encode(ready.obs.unsqueeze(1), routing))  # (R, 1, latent)
    state = torch.cat([latent, previous_hidden(model, memory, ready.env_ids, routing)], -1)
    random_share = np.where(memory.steps[ready.env_ids] == 0, 1.0, epsilon).astype(np.float32)
    random_share = torch.from_numpy(random_share).to(latent.device, non_blocking=True)
    policy = agent.policy(state, routing)
    action, behaviour, entropy = (x[:, 0] for x in policy.act(random_share.unsqueeze(1), greedy))
    memory.append(ready.env_ids, latent[:, 0], action)
    value = agent.value(state, routing)[:, 0]
    return worker_output(ready, action, value, value, behaviour, policy.summary[:, 0], entropy)


def previous_hidden(model: MoWModel, memory: ActingMemory, env_ids: Sequence[int], routing) -> Tensor:
    """h after each environment's last step, before the current frame: (R, 1, hidden), zero where an episode begins."""
    latent, action, length = memory.recent(env_ids)
    if length.max() == 0:
        return latent.new_zeros(len(env_ids), 1, model.world_model.hidden_dim)
    hidden = model.world_model.dynamics(latent, action, routing)  # (R, T, hidden)
    length = torch.from_numpy(length).to(latent.device, non_blocking=True)[:, None, None]
    last = (length - 1).clamp(min=0).expand(-1, 1, hidden.shape[-1])
    return hidden.gather(1, last) * (length > 0)
