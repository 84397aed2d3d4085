"""Policies from an actor's outputs: a distribution over discrete actions, or over vectors in [-1, 1]^A."""
import math
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

MIN_STD, MAX_STD = 0.1, 1.0
SQRT_2, LOG_SQRT_2PI = math.sqrt(2), math.log(2 * math.pi) / 2


class CategoricalPolicy:
    """Over A actions, from outputs (..., A); those that are not legal, (..., A) bool, have probability 0."""
    outputs_per_action = 1

    def __init__(self, outputs: Tensor, legal: Tensor) -> None:
        self.legal = legal
        self.log_probs = F.log_softmax(outputs.float().masked_fill(~legal, -1e9), -1)
        self.summary = self.log_probs  # (..., A), what workers report of the policy

    def log_prob(self, action: Tensor) -> Tensor:
        """log pi(a): (...) int64 -> (...)."""
        return self.log_probs.gather(-1, action.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """Entropy in nats: (...)."""
        return -(self.log_probs.exp() * self.log_probs).sum(-1)

    @staticmethod
    def entropy_range(legal: Tensor) -> Tuple[Tensor, Tensor]:
        """The lowest and the highest possible entropy, (...) each, for legal (..., A)."""
        highest = legal.sum(-1).float().log()
        return torch.zeros_like(highest), highest

    def sample(self) -> Tensor:
        """Sampled actions: (...) int64."""
        return _draw(self.log_probs.exp())

    def act(self, random_share: Tensor, greedy: bool) -> Tuple[Tensor, Tensor, Tensor]:
        """
        Actions to play, (...) int64; the probabilities (..., A) of the behaviour policy, in which `random_share` (...)
        of the actions are uniformly random legal ones; and its entropy (...) in nats.
        """
        policy = self.log_probs.exp()
        if greedy:
            policy = torch.zeros_like(policy).scatter_(-1, policy.argmax(-1, keepdim=True), 1.0)
        legal = self.legal.to(policy)
        behaviour = torch.lerp(policy, legal / legal.sum(-1, keepdim=True), random_share.unsqueeze(-1))
        return _draw(behaviour), behaviour, torch.special.entr(behaviour).sum(-1)


class TruncatedNormalPolicy:
    """
    A independent normal distributions, each truncated to [-1, 1], so that density and entropy are those of the actions
    that are actually played. Before truncation, means lie in (-1, 1) and standard deviations in (0.1, 1). Outputs are
    (..., 2 A): first the means, then the deviations, both unbounded. Every action is legal.
    """
    outputs_per_action = 2

    def __init__(self, outputs: Tensor, legal: Optional[Tensor] = None) -> None:
        mean, deviation = outputs.float().chunk(2, -1)
        self.mean = mean.tanh()
        self.std = MIN_STD + (MAX_STD - MIN_STD) * torch.sigmoid(deviation)
        self.low, self.high = (-1 - self.mean) / self.std, (1 - self.mean) / self.std  # bounds in standard deviations
        self.below, self.mass = _normal_cdf(self.low), _normal_cdf(self.high) - _normal_cdf(self.low)
        self.summary = self.mean  # (..., A), what workers report of the policy

    def log_prob(self, action: Tensor) -> Tensor:
        """log pi(a): (..., A) -> (...)."""
        density = -((action - self.mean) / self.std).square() / 2 - LOG_SQRT_2PI - self.std.log() - self.mass.log()
        return density.sum(-1)

    def entropy(self) -> Tensor:
        """Entropy in nats: (...), less than A ln 2, the entropy of uniform play."""
        truncation = (self.low * _normal_density(self.low) - self.high * _normal_density(self.high)) / (2 * self.mass)
        return (0.5 + LOG_SQRT_2PI + (self.std * self.mass).log() + truncation).sum(-1)

    @staticmethod
    def entropy_range(legal: Tensor) -> Tuple[Tensor, Tensor]:
        """Entropies of the narrowest and the widest policy with mean 0, (...) each, for legal (..., A)."""
        size = legal.sum(-1).float()
        entropy_per_dim = lambda deviation: TruncatedNormalPolicy(torch.tensor([0.0, deviation])).entropy()
        return size * entropy_per_dim(-math.inf), size * entropy_per_dim(math.inf)

    def sample(self) -> Tensor:
        """Sampled actions (..., A), by inverting the cumulative distribution function."""
        share = self.below + torch.rand_like(self.mean) * self.mass
        normal = torch.erfinv((2 * share - 1).clamp(-1 + 1e-6, 1 - 1e-6)) * SQRT_2
        return (self.mean + self.std * normal).clamp(-1, 1)

    def act(self, random_share: Tensor, greedy: bool) -> Tuple[Tensor, Tensor, Tensor]:
        """
        As in `CategoricalPolicy`. The most likely action is the mean before truncation, and the behaviour (..., A) is
        described by the standard deviations before truncation; entropy is the policy's.
        """
        action = self.mean if greedy else self.sample()
        uniform = torch.rand_like(action) * 2 - 1
        at_random = torch.rand_like(random_share) < random_share
        return torch.where(at_random.unsqueeze(-1), uniform, action), self.std, self.entropy()


def _draw(probs: Tensor) -> Tensor:
    """
    One draw from each distribution (..., A) -> (...). Like torch.multinomial, but without its check of the values,
    which waits for the device and would hide the origin of a NaN. Actions of probability 0 are never drawn.
    """
    return (probs / torch.empty_like(probs).exponential_()).argmax(-1)


def _normal_cdf(x: Tensor) -> Tensor:
    return (1 + torch.erf(x / SQRT_2)) / 2


def _normal_density(x: Tensor) -> Tensor:
    return (-x.square() / 2 - LOG_SQRT_2PI).exp()
