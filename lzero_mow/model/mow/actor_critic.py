"""Actor, critic, slow critic and return scale: the agent's networks."""
import copy
from typing import Sequence, Union

import numpy as np
import torch
from easydict import EasyDict
from torch import Tensor, nn

from lzero_mow.model.common.distributions import CategoricalPolicy, TruncatedNormalPolicy
from lzero_mow.model.common.grouped import GroupedMLP
from lzero_mow.model.common.groups import ONE_GROUP
from lzero_mow.model.common.two_hot import TwoHot
from .world_model import Routing


class ActorCritic(nn.Module):
    """Networks on the state s = [z, h], of width `state_dim`; cfg are the `MoWModelKeys` of lzero_mow/config/mow.py."""

    def __init__(self, state_dim: int, cfg: EasyDict) -> None:
        super().__init__()
        self.two_hot = TwoHot(cfg.two_hot)
        sizes = dict(width=cfg.agent_width, layers=cfg.agent_layers)
        self.policy_class = TruncatedNormalPolicy if cfg.continuous_action_space else CategoricalPolicy
        outputs = cfg.action_space_size * self.policy_class.outputs_per_action
        self.actor = GroupedMLP(1, state_dim, out_features=outputs, **sizes)
        if cfg.continuous_action_space:  # means that start elsewhere drift into a corner, where nothing is found
            nn.init.zeros_(self.actor.out.weight)
            nn.init.zeros_(self.actor.out.bias)
        self.critic = GroupedMLP(cfg.num_clusters, state_dim, out_features=len(self.two_hot.bins), **sizes)
        self.two_hot.start_at_zero(self.critic)
        self.slow_critic = copy.deepcopy(self.critic).requires_grad_(False)
        self.return_scale = ReturnScale(cfg.num_tasks)
        # (K, A): the legal actions of each task; all of them until its environment has said which.
        self.register_buffer('action_mask', torch.ones(cfg.num_tasks, cfg.action_space_size, dtype=torch.bool))

    def policy(self, state: Tensor, routing: Routing) -> Union[CategoricalPolicy, TruncatedNormalPolicy]:
        """pi(.|s) for states (N, L, state)."""
        return self.policy_class(self.actor(state, ONE_GROUP), self.action_mask[routing.task].unsqueeze(1))

    def value(self, state: Tensor, routing: Routing) -> Tensor:
        """V(s): (N, L, state) -> (N, L)."""
        return self.two_hot.decode(self.critic(state, routing.clusters))

    @torch.no_grad()
    def update_slow_critic(self, decay: float) -> None:
        """Move the slow critic towards the critic: psi' <- decay psi' + (1 - decay) psi."""
        torch._foreach_lerp_(list(self.slow_critic.parameters()), list(self.critic.parameters()), 1 - decay)


class ReturnScale(nn.Module):
    """
    S_k: moving average of the 95th minus the 5th percentile of task k's returns; one per task, because the returns of
    tasks differ by orders of magnitude.
    """

    def __init__(self, num_tasks: int) -> None:
        super().__init__()
        self.register_buffer('low', torch.zeros(num_tasks))
        self.register_buffer('high', torch.zeros(num_tasks))
        self.register_buffer('levels', torch.tensor([0.05, 0.95]), persistent=False)

    @torch.no_grad()
    def update(self, returns: Tensor, tasks: Sequence[int], decay: float) -> None:
        """Update the averages with returns (N, H), whose tasks are ascending and known on the host."""
        counts = np.bincount(tasks, minlength=len(self.low))
        place = np.arange(counts.max())
        row = np.where(place < counts[:, None], (counts.cumsum() - counts)[:, None] + place, -1)  # (K, longest)
        row = torch.from_numpy(row).to(returns.device, non_blocking=True)
        of_task = returns[row].masked_fill((row < 0).unsqueeze(-1), float('nan')).flatten(1)
        low, high = torch.nanquantile(of_task, self.levels, dim=1)
        seen = row[:, 0] >= 0
        self.low.copy_(torch.where(seen, torch.lerp(low, self.low, decay), self.low))
        self.high.copy_(torch.where(seen, torch.lerp(high, self.high, decay), self.high))

    def forward(self, floor: float) -> Tensor:
        """(K,) divisors of the advantage: max(floor, S_k)."""
        return (self.high - self.low).clamp(min=floor)
