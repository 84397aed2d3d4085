"""What the actor's outputs mean: a distribution over discrete actions, or over numbers in [-1, 1]."""
import math
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

MIN_STD, MAX_STD = 0.1, 1.0
SQRT_2, LOG_SQRT_2PI = math.sqrt(2), math.log(2 * math.pi) / 2


class CategoricalPolicy:
    """
    Overview:
        One of A actions.
    Arguments:
        - outputs (:obj:`Tensor`): (..., A), of the actor.
        - legal (:obj:`Tensor`): (..., A) bool; illegal actions have probability 0.
    """
    outputs_per_action = 1

    def __init__(self, outputs: Tensor, legal: Tensor) -> None:
        self.legal = legal
        self.log_probs = F.log_softmax(outputs.float().masked_fill(~legal, -1e9), -1)

    @property
    def summary(self) -> Tensor:
        """(..., A), what describes the policy: logarithms of the probabilities."""
        return self.log_probs

    def log_prob(self, action: Tensor) -> Tensor:
        """log pi(a): (...) int64 -> (...)."""
        return self.log_probs.gather(-1, action.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """In nats: (...)."""
        return -(self.log_probs.exp() * self.log_probs).sum(-1)

    @staticmethod
    def entropy_range(legal: Tensor) -> Tuple[Tensor, Tensor]:
        """The least and the greatest entropy there is, (...) each, for legal (..., A)."""
        greatest = legal.sum(-1).float().log()
        return torch.zeros_like(greatest), greatest

    def sample(self) -> Tensor:
        """(...) int64."""
        return _draw(self.log_probs.exp())

    def act(self, random_share: Tensor, greedy: bool) -> Tuple[Tensor, Tensor, Tensor]:
        """
        Overview:
            Actions to be played.
        Arguments:
            - random_share (:obj:`Tensor`): (...), of uniformly random legal actions.
            - greedy (:obj:`bool`): The likeliest action instead of a sample.
        Returns:
            - action (:obj:`Tensor`): (...) int64.
            - behaviour (:obj:`Tensor`): (..., A) the probabilities that it was drawn by.
            - entropy (:obj:`Tensor`): (...), of these, in nats.
        """
        policy = self.log_probs.exp()
        if greedy:
            policy = torch.zeros_like(policy).scatter_(-1, policy.argmax(-1, keepdim=True), 1.0)
        legal = self.legal.to(policy)
        behaviour = torch.lerp(policy, legal / legal.sum(-1, keepdim=True), random_share.unsqueeze(-1))
        return _draw(behaviour), behaviour, torch.special.entr(behaviour).sum(-1)


class TruncatedNormalPolicy:
    """
    Overview:
        A independent normal distributions, each cut off at -1 and 1 and rescaled, so that density and entropy are those
        of the actions that are really played. Means lie in (-1, 1), deviations before the cut in (0.1, 1).
    Arguments:
        - outputs (:obj:`Tensor`): (..., 2 A), of the actor: where the means and the deviations come from.
        - legal (:obj:`Tensor` or None): All of it true, so it is not needed.
    """
    outputs_per_action = 2

    def __init__(self, outputs: Tensor, legal: Optional[Tensor] = None) -> None:
        mean, deviation = outputs.float().chunk(2, -1)
        self.mean = mean.tanh()
        self.std = MIN_STD + (MAX_STD - MIN_STD) * torch.sigmoid(deviation)
        self.low, self.high = (-1 - self.mean) / self.std, (1 - self.mean) / self.std  # the cuts, in deviations
        self.below, self.mass = _normal_cdf(self.low), _normal_cdf(self.high) - _normal_cdf(self.low)

    @property
    def summary(self) -> Tensor:
        """(..., A), what describes the policy: the means before the cut."""
        return self.mean

    def log_prob(self, action: Tensor) -> Tensor:
        """log pi(a): (..., A) -> (...)."""
        density = -((action - self.mean) / self.std).square() / 2 - LOG_SQRT_2PI - self.std.log() - self.mass.log()
        return density.sum(-1)

    def entropy(self) -> Tensor:
        """In nats: (...); below A ln 2, that of uniform play."""
        cut = (self.low * _normal_density(self.low) - self.high * _normal_density(self.high)) / (2 * self.mass)
        return (0.5 + LOG_SQRT_2PI + (self.std * self.mass).log() + cut).sum(-1)

    @staticmethod
    def entropy_range(legal: Tensor) -> Tuple[Tensor, Tensor]:
        """Entropies of the narrowest and of the widest policy around 0: (...) each, for legal (..., A)."""
        size = legal.sum(-1).float()
        around_0 = lambda deviation: TruncatedNormalPolicy(size.new_tensor([0.0, deviation])).entropy()
        return size * around_0(-math.inf), size * around_0(math.inf)

    def sample(self) -> Tensor:
        """(..., A), by the inverse of the distribution function."""
        share = self.below + torch.rand_like(self.mean) * self.mass
        normal = torch.erfinv((2 * share - 1).clamp(-1 + 1e-6, 1 - 1e-6)) * SQRT_2
        return (self.mean + self.std * normal).clamp(-1, 1)

    def act(self, random_share: Tensor, greedy: bool) -> Tuple[Tensor, Tensor, Tensor]:
        """
        Overview:
            Actions to be played.
        Arguments:
            - random_share (:obj:`Tensor`): (...), of actions drawn uniformly from [-1, 1].
            - greedy (:obj:`bool`): The likeliest action, which is the mean before the cut, instead of a sample.
        Returns:
            - action (:obj:`Tensor`): (..., A).
            - behaviour (:obj:`Tensor`): (..., A) deviations of the policy before the cut.
            - entropy (:obj:`Tensor`): (...), of the policy, in nats.
        """
        action = self.mean if greedy else self.sample()
        uniform = torch.rand_like(action) * 2 - 1
        at_random = torch.rand_like(random_share) < random_share
        return torch.where(at_random.unsqueeze(-1), uniform, action), self.std, self.entropy()


def _draw(probs: Tensor) -> Tensor:
    """
    One draw from each distribution (..., A) -> (...). Like torch.multinomial, but without its check of the values,
    which waits for the device and would hide a NaN's origin; an action of probability 0 is never drawn.
    """
    return (probs / torch.empty_like(probs).exponential_()).argmax(-1)


def _normal_cdf(x: Tensor) -> Tensor:
    return (1 + torch.erf(x / SQRT_2)) / 2


def _normal_density(x: Tensor) -> Tensor:
    return (-x.square() / 2 - LOG_SQRT_2PI).exp()
