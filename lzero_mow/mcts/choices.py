"""
What the nodes of a search choose from: all discrete actions, or samples of continuous ones. The trees only know the
indices of the choices, so the same search serves both kinds of action spaces.
"""
from typing import Union

import numpy as np
import torch
from torch import Tensor

from lzero_mow.model.common.distributions import TruncatedNormalPolicy


class AllActions:
    """Discrete actions: choice j is action j in every node, and the prior is the policy; legal is (R, A) bool."""

    def __init__(self, legal: np.ndarray) -> None:
        self.legal = legal

    def prior_logits(self, node: int, policy: Tensor) -> Tensor:
        """The policy head's outputs (R, A) are the logits of the prior."""
        return policy

    def action(self, parent: Tensor, choice: Tensor) -> Tensor:
        """The actions (R,) of choices (R,) in the nodes `parent` (R,)."""
        return choice

    @property
    def root_actions(self) -> np.ndarray:
        """The root's actions in the order of the choices: (R, A) int64."""
        return np.broadcast_to(np.arange(self.legal.shape[1]), self.legal.shape)


class SampledActions:
    """
    Continuous actions (Sampled MuZero, Hubert et al. 2021): C samples, drawn from a node's policy pi when the node is
    added. The prior of a sample a is (beta_hat / beta)(a) pi(a), where beta is the distribution it was drawn from and
    beta_hat = 1 / C the empirical one; since beta = pi, the prior is uniform. The noise at the roots is over the
    samples, so it explores only as far as the policy does, which the entropy in the loss keeps wide.
    """

    def __init__(self, num_nodes: int, rows: int, count: int, action_dim: int, device: torch.device) -> None:
        self.legal = np.ones((rows, count), dtype=bool)
        self._rows = torch.arange(rows, device=device)
        self._actions = torch.empty(num_nodes, rows, count, action_dim, device=device)  # (N, R, C, A)

    def prior_logits(self, node: int, policy: Tensor) -> Tensor:
        """Draw a node's samples from the policy head's outputs (R, 2 A); the logits (R, C) of their prior are all 0."""
        rows, count = self.legal.shape
        self._actions[node] = TruncatedNormalPolicy(policy.unsqueeze(1).expand(-1, count, -1)).sample()
        return policy.new_zeros(rows, count)

    def action(self, parent: Tensor, choice: Tensor) -> Tensor:
        """The actions (R, A) of choices (R,) in the nodes `parent` (R,)."""
        return self._actions[parent, self._rows, choice]

    @property
    def root_actions(self) -> np.ndarray:
        """The root's samples in the order of the choices: (R, C, A) float32."""
        return self._actions[0].cpu().numpy()


Choices = Union[AllActions, SampledActions]
