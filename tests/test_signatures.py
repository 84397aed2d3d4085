"""Gradients of each task's loss, and how they are reduced to a short vector."""
import pytest
import torch

from helpers.models import random_batch, tiny_model
from lzero_mow.model.mow import world_model_loss
from lzero_mow.model.mow.world_model_loss import world_model_terms
from lzero_mow.multitask.clustering.signatures import clustered_parameters, signal_weighted, signatures, task_gradients


@pytest.fixture
def without_sampling(monkeypatch):
    monkeypatch.setattr(world_model_loss, 'sample_straight_through', lambda log_probs: log_probs.exp().flatten(2))


def total(terms):
    return sum(terms.values())


@pytest.mark.unittest
def test_each_task_gets_the_gradient_of_its_own_loss(without_sampling):
    model = tiny_model(num_clusters=1).world_model
    batch = random_batch((0, 0, 1, 2, 2), 7)
    parameters = list(model.parameters())
    one_by_one = dict(task_gradients(model, batch, parameters, total, 1.0))
    assert list(one_by_one) == [0, 1, 2] and all(p.grad is None for p in parameters)
    terms, _ = world_model_terms(model, batch, model.route(batch.task), 1.0)
    for k, gradients in one_by_one.items():
        together = torch.autograd.grad(
            total(terms)[k], parameters, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        for ours, theirs in zip(gradients, together):
            assert (ours - theirs).norm() <= 1e-3 * theirs.norm() + 1e-6
    part = dict(task_gradients(model, random_batch((1, 1), 7), parameters, total, 1.0))
    assert list(part) == [1]


@pytest.mark.unittest
def test_one_number_per_output_channel():
    model = tiny_model(num_clusters=1).world_model
    channels = {id(p): p.shape[axis] for p, axis in clustered_parameters(model)}
    names = {name: channels[id(p)] for name, p in model.named_parameters() if id(p) in channels}
    assert names['vae.encoders.0.layers.0.weight'] == 4 and names['vae.decoders.0.layers.4.weight'] == 16
    assert names['vae.posterior_head.weight'] == names['vae.posterior_head.bias'] == 6 * 5
    assert names['reward_head.out.weight'] == 255 and names['reward_head.norms.0.weight'] == 32
    assert not any(name.startswith(('experts', 'shared', 'task_head', 'router')) for name in names)
    g = signatures(model, [random_batch((0, 1, 2), 7, seed=seed) for seed in range(2)], total, 1.0)
    assert g.shape == (3, sum(names.values()))
    torch.testing.assert_close(g.sum(0), torch.zeros(g.shape[1]), rtol=0, atol=1e-5)


@pytest.mark.unittest
def test_a_layer_counts_by_its_share_of_signal_and_not_by_its_scale():
    torch.manual_seed(0)
    direction = torch.nn.functional.normalize(torch.randn(200, 30), dim=1)
    noise = torch.randn(50, 200, 30)
    clear = signal_weighted(direction + 1e-3 * noise)
    torch.testing.assert_close(clear, direction, rtol=0, atol=1e-2)
    torch.testing.assert_close(signal_weighted(1e-9 * (direction + 1e-3 * noise)), clear)
    # As much noise as signal is left in the mean.
    half = signal_weighted(direction + noise * (50 / 30) ** 0.5).norm(dim=1)
    assert 0.4 < half.mean() < 0.6
    assert signal_weighted(noise).norm(dim=1).mean() < 0.15
    assert torch.equal(signal_weighted(torch.zeros(8, 4, 30)), torch.zeros(4, 30)), 'a layer without gradients'
