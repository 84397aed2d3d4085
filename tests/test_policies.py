"""Distributions over actions: densities, entropies and draws against scipy's."""
import math

import numpy as np
import pytest
import torch
from scipy import stats

from lzero_mow.model.common.distributions import CategoricalPolicy, TruncatedNormalPolicy


def truncated(outputs):
    """The policy, and scipy's distribution of every number."""
    policy = TruncatedNormalPolicy(outputs, torch.ones(outputs.shape[-1] // 2, dtype=torch.bool))
    mean, std = policy.mean.double().numpy(), policy.std.double().numpy()
    return policy, stats.truncnorm((-1 - mean) / std, (1 - mean) / std, mean, std)


@pytest.mark.unittest
@pytest.mark.parametrize('scale', [0.1, 1.0, 4.0])
def test_truncated_normal_has_scipys_density_and_entropy(scale):
    generator = torch.Generator().manual_seed(0)
    policy, reference = truncated(torch.randn(50, 8, generator=generator) * scale)
    action = torch.rand(50, 4, generator=generator) * 2 - 1
    np.testing.assert_allclose(policy.log_prob(action), reference.logpdf(action.numpy()).sum(-1), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(policy.entropy(), reference.entropy().sum(-1), rtol=1e-4, atol=1e-4)
    assert policy.entropy().max() <= 4 * math.log(2)  # of uniform play


@pytest.mark.unittest
def test_truncated_normal_draws_follow_the_distribution_and_stay_inside():
    torch.manual_seed(0)
    outputs = torch.tensor([0.0, 3.0, -0.7, 1.0, 0.0, 2.0, -8.0, 8.0])
    policy, reference = truncated(outputs.expand(4000, -1))
    actions = policy.sample().numpy()
    assert np.abs(actions).max() <= 1
    for number in range(4):
        single = stats.truncnorm(*(parameter[0, number] for parameter in reference.args))
        assert stats.kstest(actions[:, number], single.cdf).pvalue > 1e-3


@pytest.mark.unittest
def test_truncated_normal_learns_what_the_advantage_asks_for():
    torch.manual_seed(0)
    outputs = torch.zeros(1, 2, requires_grad=True)
    optimizer = torch.optim.Adam([outputs], lr=0.05)
    for _ in range(300):
        policy = TruncatedNormalPolicy(outputs.expand(64, -1), torch.ones(1, dtype=torch.bool))
        with torch.no_grad():
            action = policy.sample()
            advantage = -(action[:, 0] - 0.6).abs()
        loss = -((advantage - advantage.mean()) * policy.log_prob(action)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert policy.mean[0].item() == pytest.approx(0.6, abs=0.1)
    assert policy.std[0].item() < 0.2


@pytest.mark.unittest
def test_acting_mixes_in_random_play_and_greedy_play_takes_the_mode():
    torch.manual_seed(0)
    legal = torch.tensor([True, True, False])
    outputs = torch.tensor([0.0, 2.0, 9.0]).expand(2000, -1)
    categorical = CategoricalPolicy(outputs, legal)
    action, behaviour, entropy = categorical.act(torch.full((2000, ), 0.5), greedy=True)
    torch.testing.assert_close(behaviour[0], torch.tensor([0.25, 0.75, 0.0]))
    assert action.float().mean().item() == pytest.approx(0.75, abs=0.05)
    assert entropy[0].item() == pytest.approx(stats.entropy([0.25, 0.75]))

    policy = TruncatedNormalPolicy(torch.tensor([0.5, 0.0]).expand(2000, -1), torch.ones(1, dtype=torch.bool))
    action, *_ = policy.act(torch.full((2000, ), 0.5), greedy=True)
    assert (action == policy.mean).float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert stats.kstest(action[action != policy.mean].numpy(), stats.uniform(-1, 2).cdf).pvalue > 1e-3
