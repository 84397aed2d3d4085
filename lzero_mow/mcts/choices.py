"""
What the nodes of a search choose from: all actions there are, or some that were drawn from the policy. The trees know
choices by their numbers alone, so that one search serves both kinds of action spaces.
"""
from typing import Union

import numpy as np
import torch
from torch import Tensor

from lzero_mow.model.common.distributions import TruncatedNormalPolicy


class AllActions:
    """
    Overview:
        Discrete actions: choice j is action j in every node, and the policy is the prior.
    Arguments:
        - legal (:obj:`np.ndarray`): (R, A) bool.
    """

    def __init__(self, legal: np.ndarray) -> None:
        self.legal = legal

    def prior_logits(self, node: int, policy: Tensor) -> Tensor:
        """Logits (R, A) of the priors in a node, from the policy head's outputs (R, A)."""
        return policy

    def action(self, parent: Tensor, choice: Tensor) -> Tensor:
        """The actions (R,) behind choices (R,) in the nodes `parent` (R,)."""
        return choice

    @property
    def root_actions(self) -> np.ndarray:
        """(R, A) int64, the action behind each choice."""
        return np.broadcast_to(np.arange(self.legal.shape[1]), self.legal.shape)


class SampledActions:
    """
    Overview:
        Continuous actions (Sampled MuZero, Hubert et al. 2021): C of them, drawn from its policy pi when a node is
        added. The prior of a sample a is (beta_hat / beta)(a) pi(a), where beta is what it was drawn from and beta_hat
        = 1 / C the samples' own distribution; since beta is pi, every sample is as likely. Noise at the roots is over
        the samples, so that it explores as far as the policy does: what keeps that wide is the loss's entropy.
    Arguments:
        - num_nodes (:obj:`int`), rows (:obj:`int`), count (:obj:`int`), action_dim (:obj:`int`): N, R, C and A.
        - device: Where the model is.
    """

    def __init__(self, num_nodes: int, rows: int, count: int, action_dim: int, device: torch.device) -> None:
        self.legal = np.ones((rows, count), dtype=bool)
        self._rows = torch.arange(rows, device=device)
        self._actions = torch.empty(num_nodes, rows, count, action_dim, device=device)

    def prior_logits(self, node: int, policy: Tensor) -> Tensor:
        """Draw a node's samples from the policy head's outputs (R, 2 A): (R, C) logits of their priors, all 0."""
        rows, count = self.legal.shape
        self._actions[node] = TruncatedNormalPolicy(policy.unsqueeze(1).expand(-1, count, -1)).sample()
        return policy.new_zeros(rows, count)

    def action(self, parent: Tensor, choice: Tensor) -> Tensor:
        """The actions (R, A) behind choices (R,) in the nodes `parent` (R,)."""
        return self._actions[parent, self._rows, choice]

    @property
    def root_actions(self) -> np.ndarray:
        """(R, C, A) float32, the action behind each choice."""
        return self._actions[0].cpu().numpy()


Choices = Union[AllActions, SampledActions]
