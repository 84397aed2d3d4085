"""Two-hot, KL with free bits, stop-gradients, harmonious weights."""
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.models import random_batch, tiny_model
from lzero_mow.model.common.categorical import kl_divergence, sample_straight_through, unimix
from lzero_mow.model.common.two_hot import TwoHot, symexp, symlog
from lzero_mow.model.mow import world_model_loss
from lzero_mow.model.mow.world_model_loss import HarmoniousWeights, mean_by_task, world_model_terms


def two_hot_weights(two_hot, x):
    """(...) scalars -> (..., 255) the dense two-hot code."""
    below, share = two_hot.neighbours(x)
    one_hot = lambda index: torch.nn.functional.one_hot(index, len(two_hot.bins))
    return one_hot(below) * (1 - share).unsqueeze(-1) + one_hot(below + 1) * share.unsqueeze(-1)


@pytest.mark.unittest
@settings(max_examples=50, deadline=None)
@given(st.floats(-1e6, 1e6))
def test_two_hot_round_trip(value):
    two_hot, x = TwoHot(), torch.tensor(value)
    target = two_hot_weights(two_hot, x)
    assert float(target.sum()) == pytest.approx(1, abs=1e-5) and int((target > 0).sum()) <= 2
    assert float(symexp(target @ two_hot.bins)) == pytest.approx(value, rel=1e-3, abs=1e-4)


@pytest.mark.unittest
def test_two_hot_at_and_outside_the_bounds():
    two_hot = TwoHot()
    top = math.exp(20) - 1
    for value, bin_index in ((top, 254), (-top, 0), (1e12, 254), (-1e12, 0), (0.0, 127)):
        target = two_hot_weights(two_hot, torch.tensor(value))
        assert int(target.argmax()) == bin_index and float(target.max()) == pytest.approx(1, abs=1e-3)
    # the loss reads two bins; it equals the dense cross-entropy
    logits, x = torch.randn(4, 3, 255), torch.randn(4, 3) * 100
    dense = -(two_hot_weights(two_hot, x) * torch.log_softmax(logits, -1)).sum(-1)
    torch.testing.assert_close(two_hot.loss(logits, x), dense)
    sharp = torch.full((255, ), -1e9)
    sharp[127] = 0
    assert float(two_hot.decode(sharp)) == pytest.approx(0, abs=1e-6)
    torch.testing.assert_close(symexp(symlog(x)), x, rtol=1e-4, atol=1e-4)


@pytest.mark.unittest
def test_two_hot_decodes_in_full_precision_under_autocast():
    two_hot, x = TwoHot(), torch.tensor([1000.0, 1003.0, 350.0, -10000.0])
    logits = two_hot_weights(two_hot, x).clamp(min=1e-30).log()
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(two_hot.decode(logits), x, rtol=1e-4, atol=1e-3)


@pytest.mark.unittest
def test_unimix_sampling_and_kl_by_hand():
    log_probs = unimix(torch.tensor([[[100.0, 0.0, 0.0, 0.0]]]), 0.04)
    torch.testing.assert_close(log_probs.exp(), torch.tensor([[[0.97, 0.01, 0.01, 0.01]]]))
    p, q = torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log(), torch.tensor([[0.25, 0.75], [0.9, 0.1]]).log()
    by_hand = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert float(kl_divergence(p, q)) == pytest.approx(by_hand, abs=1e-6)
    torch.manual_seed(0)
    probs = torch.tensor([0.1, 0.2, 0.7])
    draws = sample_straight_through(probs.log().expand(20000, 1, 3))
    assert torch.equal(draws.sum(-1), torch.ones(20000))
    torch.testing.assert_close(draws.mean(0), probs, atol=0.02, rtol=0)
    # straight-through: the sample's gradient is that of the probabilities
    logits = torch.randn(1, 1, 3, requires_grad=True)
    weight = torch.randn(1, 3)
    ours = torch.autograd.grad((sample_straight_through(logits.log_softmax(-1)) * weight).sum(), logits)[0]
    torch.testing.assert_close(ours, torch.autograd.grad((logits.softmax(-1) * weight).sum(), logits)[0])


@pytest.mark.unittest
def test_mean_by_task():
    x = torch.tensor([[1.0, 3.0], [5.0, 7.0], [2.0, 2.0]])
    torch.testing.assert_close(mean_by_task(x, torch.tensor([0, 0, 2]), 4), torch.tensor([4.0, 0.0, 2.0, 0.0]))


@pytest.mark.unittest
def test_free_bits_hold_a_small_kl_at_one_nat_without_gradient():
    model = tiny_model()
    world, batch = model.world_model, random_batch((0, 1, 2), 6)
    routing = world.route(batch.task)
    free, _ = world_model_terms(world, batch, routing, free_bits=1e6)
    assert torch.equal(free['dynamics'], torch.full((3, ), 1e6))
    (free['dynamics'].sum() + free['representation'].sum()).backward()
    assert all(p.grad is None or p.grad.abs().sum() == 0 for p in world.parameters())
    torch.manual_seed(0)
    tight, _ = world_model_terms(world, batch, routing, free_bits=0.0)
    torch.manual_seed(0)
    loose, _ = world_model_terms(world, batch, routing, free_bits=float(tight['dynamics'].min()) / 2)
    torch.testing.assert_close(tight['dynamics'], loose['dynamics'])


def moved(model, term):
    """Names of the world model's parts that a loss term has a gradient for."""
    model.zero_grad(set_to_none=True)
    world, batch = model.world_model, random_batch((0, 1, 2), 6)
    terms, _ = world_model_terms(world, batch, world.route(batch.task), free_bits=0.0)
    terms[term].sum().backward()
    parts = dict(
        encoder=world.vae.encoders, posterior=world.vae.posterior_head, decoder=world.vae.decoders,
        prior=world.prior_head, experts=world.experts, shared=world.shared, reward=world.reward_head,
        continuation=world.continuation_head, task=world.task_head
    )
    return {
        name for name, part in parts.items()
        if any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())
    }


@pytest.mark.unittest
def test_what_each_term_trains():
    model = tiny_model()
    sequence = {'experts', 'shared'}
    assert moved(model, 'reconstruction') == {'encoder', 'posterior', 'decoder'}
    # As in STORM the latents that the transformer reads are straight-through samples, so they carry a gradient back to
    # the encoder; the target does not (next test).
    assert moved(model, 'dynamics') == sequence | {'prior', 'encoder', 'posterior'}
    assert moved(model, 'representation') == {'encoder', 'posterior'}
    assert moved(model, 'reward') == sequence | {'encoder', 'posterior', 'reward'}
    assert moved(model, 'continuation') == sequence | {'encoder', 'posterior', 'continuation'}
    assert moved(model, 'task') == sequence | {'encoder', 'posterior', 'task'}


@pytest.mark.unittest
def test_kl_targets_are_fixed(monkeypatch):
    """With the path through the sampled latents cut, the dynamics loss moves no encoder weight; rep moves no prior."""
    monkeypatch.setattr(world_model_loss, 'sample_straight_through', lambda x: sample_straight_through(x).detach())
    model = tiny_model()
    assert moved(model, 'dynamics') == {'experts', 'shared', 'prior'}
    assert moved(model, 'representation') == {'encoder', 'posterior'}


@pytest.mark.unittest
def test_harmonious_weights_rest_where_the_closed_form_says():
    losses = torch.tensor([0.3, 4.0, 250.0])
    weights, everyone = HarmoniousWeights(3), torch.ones(3)
    weights(torch.ones(3), everyone)  # they start elsewhere
    optimizer = torch.optim.LBFGS(weights.parameters(), lr=0.5, max_iter=300, line_search_fn='strong_wolfe')

    def closure():
        optimizer.zero_grad()
        loss = weights(losses, everyone)
        loss.backward()
        return loss

    optimizer.step(closure)
    sigma = weights.log_sigma.detach().exp()
    by_hand = (losses + torch.sqrt(losses ** 2 + 4 * losses)) / 2  # sigma^2 = L (1 + sigma)
    torch.testing.assert_close(sigma, by_hand, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(weights(losses, everyone), (losses / sigma + torch.log(1 + sigma)).sum())
    # a task that is not in the batch moves nothing
    weights.log_sigma.grad = None
    weights(losses, torch.tensor([1.0, 0.0, 1.0])).backward()
    assert weights.log_sigma.grad[1] == 0


@pytest.mark.unittest
def test_a_harmonious_weight_starts_at_rest_for_the_first_loss_of_its_task():
    weights, losses = HarmoniousWeights(3), torch.tensor([0.3, 4.0, 250.0])
    weights(losses, torch.tensor([1.0, 0.0, 1.0])).backward()
    torch.testing.assert_close(weights.log_sigma.grad, torch.zeros(3), atol=1e-5, rtol=0)
    assert weights.log_sigma[1] == 0 and (weights.log_sigma[[0, 2]] != 0).all()
    kept = weights.log_sigma.detach().clone()
    weights.log_sigma.grad = None
    weights(2 * losses, torch.ones(3)).backward()
    assert torch.equal(weights.log_sigma[[0, 2]], kept[[0, 2]])  # what has started is for the optimizer alone
    assert abs(weights.log_sigma.grad[1]) < 1e-5 and (weights.log_sigma.grad[[0, 2]] < -0.1).all()


@pytest.mark.unittest
def test_the_mean_of_the_bins_is_unbiased_where_the_mean_bin_is_not():
    reward, chance = 100.0, 0.04
    for decoding, expected, within in (('mean', chance * reward, 1e-3), ('symlog', 0.2, 0.02)):
        two_hot = TwoHot(decoding)
        weights = chance * two_hot_weights(two_hot, torch.tensor(reward))
        weights += (1 - chance) * two_hot_weights(two_hot, torch.tensor(0.0))
        assert float(two_hot.decode(weights.clamp(min=1e-30).log())) == pytest.approx(expected, abs=within), decoding
        assert float(two_hot.chance_of_reward(weights.clamp(min=1e-30).log())) == pytest.approx(chance, abs=1e-4)


@pytest.mark.unittest
@pytest.mark.parametrize('value', [-300.0, -1.0, -0.3, 0.0, 0.004, 1.0, 77.0, 22000.0])
def test_targets_between_two_bins_have_the_right_mean(value):
    two_hot, x = TwoHot('mean'), torch.tensor(value)
    assert float((two_hot_weights(two_hot, x) * two_hot.bins).sum()) == pytest.approx(value, rel=1e-4, abs=1e-5)


@pytest.mark.unittest
def test_a_head_that_starts_at_zero_predicts_exactly_zero_however_large_the_last_bins_are():
    two_hot, head = TwoHot('mean'), torch.nn.Module()
    head.out = torch.nn.Linear(4, len(two_hot.bins))
    two_hot.start_at_zero(head)
    assert torch.equal(two_hot.decode(head.out(torch.randn(3, 4))), torch.zeros(3))
    kept = torch.nn.Linear(4, 255)
    head.out, before = kept, kept.weight.clone()
    TwoHot('symlog').start_at_zero(head)
    assert torch.equal(kept.weight, before)
