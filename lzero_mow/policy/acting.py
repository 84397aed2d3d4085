"""Acting: the last steps of every environment, and the choice of an action from them (mow.md section 5)."""
from typing import Dict, List, Optional, Sequence

import numpy as np
import torch
from torch import Tensor

from lzero_mow.agent.actor_critic import sample_action
from lzero_mow.model.categorical import sample_straight_through
from lzero_mow.model.mow_model import MoWModel


class ActingMemory:
    """
    Overview:
        The last `window` latents and actions of each environment's present episode, on the device.
    Arguments:
        - num_envs (:obj:`int`), window (:obj:`int`), latent_dim (:obj:`int`): Sizes.
        - device: Where the model is.
    """

    def __init__(self, num_envs: int, window: int, latent_dim: int, device: torch.device) -> None:
        self.window = window
        self.latent = torch.zeros(num_envs, window, latent_dim, device=device)
        self.action = torch.zeros(num_envs, window, dtype=torch.long, device=device)
        self.steps = np.zeros(num_envs, dtype=np.int64)  # steps of the present episode; step t lies at t % window

    def reset(self, env_ids: Optional[Sequence[int]] = None) -> None:
        """Forget the episodes of these environments (None: of all)."""
        self.steps[slice(None) if env_ids is None else np.atleast_1d(env_ids)] = 0

    def append(self, env_ids: Sequence[int], latent: Tensor, action: Tensor) -> None:
        """Add one step (R, latent), (R,) of R environments."""
        row, at = np.asarray(env_ids), self.steps[env_ids] % self.window
        row_at = tuple(torch.from_numpy(x).to(self.latent.device, non_blocking=True) for x in (row, at))
        self.latent[row_at], self.action[row_at] = latent, action
        self.steps[env_ids] += 1

    def hidden(self, model: MoWModel, env_ids: Sequence[int], plan) -> Tensor:
        """h after each environment's last step: (R, 1, hidden), zero where an episode has just begun."""
        length = np.minimum(self.steps[env_ids], self.window)
        longest = int(length.max())
        if longest == 0:
            return self.latent.new_zeros(len(env_ids), 1, model.world_model.hidden_dim)
        # Oldest step first. Shorter windows are followed by steps that causal attention keeps out of sight.
        step = (self.steps[env_ids] - length)[:, None] + np.arange(longest)
        to_device = lambda x: torch.from_numpy(x).to(self.latent.device, non_blocking=True)
        index = to_device(np.asarray(env_ids))[:, None], to_device(step % self.window)
        hidden = model.world_model.dynamics(self.latent[index], self.action[index], plan)  # (R, longest, hidden)
        last = to_device(np.maximum(length - 1, 0))[:, None, None].expand(-1, 1, hidden.shape[-1])
        return hidden.gather(1, last) * to_device(length > 0)[:, None, None]

    def state_dict(self) -> Dict:
        """Everything, for exact resume."""
        return dict(latent=self.latent, action=self.action, steps=self.steps.tolist())

    def load_state_dict(self, state: Dict) -> None:
        self.latent.copy_(state['latent'])
        self.action.copy_(state['action'])
        self.steps[:] = state['steps']


@torch.no_grad()
def act(
        model: MoWModel, memory: ActingMemory, obs: Tensor, env_ids: List[int], tasks: Sequence[int],
        epsilon: float, greedy: bool, timestep: Sequence[int]
) -> Dict[int, Dict]:
    """
    Overview:
        One action for each of R environments of any tasks, in one forward pass. The state is the posterior of the
        present frame and h of the window before it. The first action of an episode, which has no h, is uniformly
        random over the legal actions, as in STORM's code.
    Arguments:
        - model (:obj:`MoWModel`): In eval mode.
        - memory (:obj:`ActingMemory`): Read, and extended by this step.
        - obs (:obj:`Tensor`): (R, 3, H, W) uint8; env_ids (:obj:`list`), tasks (:obj:`Sequence`): R each.
        - epsilon (:obj:`float`): Share of uniformly random legal actions; 1 is random play.
        - greedy (:obj:`bool`): The likeliest action instead of a sample.
        - timestep (:obj:`Sequence`): R, handed through to LightZero's collector.
    Returns:
        - output (:obj:`dict`): Per env id what LightZero's workers read. There is no search: the distribution is the
          behaviour policy over all actions, `searched_value` is the critic's V(s) like `predicted_value`.
    """
    world_model, agent = model.world_model, model.agent
    plan = world_model.plan(tasks)
    latent = sample_straight_through(world_model.encode(obs.unsqueeze(1), plan))  # (R, 1, latent)
    state = torch.cat([latent, memory.hidden(model, env_ids, plan)], -1)
    log_policy = agent.log_policy(state, plan)[:, 0]  # (R, A)
    legal = agent.action_mask[plan.task].float()
    policy = log_policy.exp()
    if greedy:
        policy = torch.zeros_like(policy).scatter_(-1, policy.argmax(-1, keepdim=True), 1.0)
    random_share = torch.from_numpy(np.where(memory.steps[env_ids] == 0, 1.0, epsilon)).to(legal)
    probs = torch.lerp(policy, legal / legal.sum(-1, keepdim=True), random_share.unsqueeze(-1))
    action = sample_action(probs)
    memory.append(env_ids, latent[:, 0], action)

    entropy = torch.special.entr(probs).sum(-1) / np.log(2)  # bits, as LightZero's select_action
    value = agent.value(state, plan)[:, 0]
    numbers = torch.stack([action.float(), value, entropy], -1)
    columns = torch.cat([numbers, probs, log_policy], -1).cpu().numpy()  # the one copy to the host
    split = 3 + probs.shape[-1]
    return {
        env_id: dict(
            action=int(row[0]),
            visit_count_distributions=row[3:split].tolist(),
            visit_count_distribution_entropy=float(row[2]),
            searched_value=float(row[1]),
            predicted_value=float(row[1]),
            predicted_policy_logits=row[split:].tolist(),
            timestep=int(step),
        )
        for env_id, row, step in zip(env_ids, columns, timestep)
    }
