"""What `upstream_compat` changes, compared with the default."""
import copy

import pytest
import torch
from test_scalezero_policy import act, frames

from helpers.scalezero_policy import random_search_batch, tiny_scalezero_policy
from lzero_mow.policy.scalezero import ScaleZeroPolicy
from lzero_mow.policy.scalezero_upstream import encoder_clip


def policies(**settings):
    return [tiny_scalezero_policy(upstream_compat=compat, **copy.deepcopy(settings)) for compat in (True, False)]


def gradients(policy, name):
    for _ in range(2):  # heads begin with zeros, and hand no gradient on in the first update
        policy.learn_mode.forward(dict(search=random_search_batch()))
    return [p.grad for n, p in policy._model.named_parameters() if name in n]


@pytest.mark.unittest
def test_a_top_one_router_only_learns_without_upstream_compat():
    model = dict(experts_per_token=1)
    theirs, ours = (ScaleZeroPolicy(policy._cfg) for policy in policies(model=model))  # the model is the config's
    assert all(grad.abs().max() == 0 for grad in gradients(theirs, 'router'))
    assert all(grad.abs().max() > 0 for grad in gradients(ours, 'router'))


@pytest.mark.unittest
def test_the_loss_is_counted_twice_and_summed_over_tasks():
    theirs, ours = policies(model=dict(num_experts=0))
    logs = [policy.learn_mode.forward(dict(search=random_search_batch())) for policy in (theirs, ours)]
    for task in ('red', 'green', 'blue'):
        for name in ('latent', 'reward', 'value', 'policy'):
            term = f'task/{task}/world_model/{name}'
            assert float(logs[0][term]) == float(logs[1][term])
    entropy = float(logs[1]['world_model/entropy'])
    once = float(logs[1]['world_model/loss'])
    assert float(logs[0]['world_model/loss']) == pytest.approx(2 * once + (2 - 1.0001) * entropy, rel=1e-5)
    # Three tasks: a sum of doubled losses has about six times the gradient.
    ratio = float(logs[0]['world_model/grad_norm'] / logs[1]['world_model/grad_norm'])
    assert 5 < ratio < 7


@pytest.mark.unittest
def test_an_encoder_with_long_latents_shrinks_as_a_whole():
    policy, batch = tiny_scalezero_policy(upstream_compat=True), random_search_batch()
    model = policy._model
    latent = lambda: model.encode(batch.of_task(2).obs[:, :4].flatten(0, 1))
    longest = float(latent().detach().norm(dim=-1).max())
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    encoder_clip(model, batch, updates=0)()
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())  # below 30
    scale = 40 / longest
    with torch.no_grad():
        model.latent_norm.weight *= scale
        model.latent_norm.bias *= scale
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    encoder_clip(model, batch, updates=100000)()
    for name, p in model.named_parameters():
        shrinks = name.startswith(('encoder.', 'latent_norm.'))
        torch.testing.assert_close(p, before[name] * (10 / 40 if shrinks else 1))


@pytest.mark.unittest
def test_the_backbone_is_frozen_in_later_stages():
    for policy, learns in zip(policies(model=dict(stages=3), stage_min_updates=1, stage_max_updates=2), (False, True)):
        for _ in range(2):
            policy.learn_mode.forward(dict(search=random_search_batch()))
        assert policy._model.stage == 1
        before = {name: p.detach().clone() for name, p in policy._model.named_parameters()}
        policy.learn_mode.forward(dict(search=random_search_batch()))
        moved = {name.split('.')[0] for name, p in policy._model.named_parameters() if not torch.equal(p, before[name])}
        assert ('backbone' in moved) == learns and 'policy_head' in moved
        conflict = policy.diagnose([random_search_batch()], {})['conflict']
        assert ('backbone' in conflict) == learns and 'encoder' in conflict


@pytest.mark.unittest
def test_one_ended_episode_empties_every_memory():
    for policy, kept in zip(policies(), (0, 1)):
        act(policy, frames(6), list(range(6)), epsilon=1.0)
        policy.collect_mode.reset([2])
        assert list(policy._collect_memory.steps) == [kept, kept, 0, kept, kept, kept]
        act(policy, frames(3), list(range(3)), mode='eval')
        policy.eval_mode.reset([2])
        assert list(policy._eval_memory.steps) == [kept, kept, 0]
