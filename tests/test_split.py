"""One cluster becomes several without a jump: outputs, batch statistics and moments stay the same."""
import pytest
import torch

from helpers.models import random_batch
from helpers.policies import tiny_policy, training_data
from lzero_mow.model.mow.split import split
from lzero_mow.model.mow.world_model_loss import world_model_terms

CLUSTERS = [0, 1, 0]


def one_cluster(**changes):
    """A policy of three tasks and one cluster, after three updates."""
    model = {'num_clusters': 1, **changes.pop('model', {})}
    policy = tiny_policy(model=model, **changes)
    for seed in range(3):
        policy.learn_mode.forward(training_data(seed))
    return policy


def split_twin(**changes):
    """The same policy twice, the second with two clusters."""
    whole, parts = one_cluster(**changes), one_cluster(**changes)
    split(parts._model, CLUSTERS, (parts._optimizer, parts._agent_optimizer))
    return whole, parts


@torch.no_grad()
def outputs(model):
    world, batch = model.world_model, random_batch((0, 1, 1, 2), 6)
    routing = world.route(batch.task)
    posterior = world.encode(batch.obs, routing)
    latent = posterior.exp().flatten(2)
    hidden = world.dynamics(latent, batch.action, routing)
    state = torch.cat([latent, hidden], -1)
    agent = model.agent
    return [
        posterior, world.decode(latent, routing), *world.predict(hidden, routing),
        agent.value(state, routing), agent.two_hot.decode(agent.slow_critic(state, routing.clusters))
    ]


@pytest.mark.unittest
@pytest.mark.parametrize('norm', ['batch', 'group', 'layer'])
def test_outputs_are_equal_for_every_task(norm):
    whole, parts = split_twin(model=dict(norm=norm))
    assert parts._model.world_model.cluster_of_task == CLUSTERS and parts._model.world_model.num_clusters == 2
    for before, after in zip(outputs(whole._model), outputs(parts._model)):
        torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-6)


@pytest.mark.unittest
def test_every_copy_has_the_weights_the_statistics_and_the_moments():
    whole, parts = split_twin()
    ours, theirs = whole._model.state_dict(), parts._model.state_dict()
    for name, value in theirs.items():
        if name == 'world_model.clusters':
            continue
        source = ours[name.replace('coders.1.', 'coders.0.')]
        copies = value.split(len(source)) if value.shape != source.shape else [value]
        assert all(torch.equal(copy, source) for copy in copies), name
    names = {p: name for name, p in whole._model.named_parameters()}
    moments = {
        names[p]: state for optimizer in (whole._optimizer, whole._agent_optimizer)
        for p, state in optimizer.state.items()
    }
    seen = 0
    for name, p in parts._model.named_parameters():
        state = parts._optimizer.state.get(p) or parts._agent_optimizer.state.get(p)
        if not p.requires_grad:
            assert state is None and 'slow_critic' in name
            continue
        expected = moments[name.replace('coders.1.', 'coders.0.')]
        assert state['step'] == expected['step'] == 3
        for key in ('exp_avg', 'exp_avg_sq'):
            assert state[key].shape == p.shape
            assert all(torch.equal(copy, expected[key]) for copy in state[key].split(len(expected[key]))), name
        seen += 1
    assert seen == sum(len(group['params']) for optimizer in (parts._optimizer, parts._agent_optimizer)
                       for group in optimizer.param_groups)


@pytest.mark.unittest
def test_the_optimizers_are_those_of_a_model_that_was_built_with_the_clusters():
    _, parts = split_twin()
    built = tiny_policy(model=dict(num_clusters=2))
    for name in ('_optimizer', '_agent_optimizer'):
        for ours, theirs in zip(getattr(parts, name).param_groups, getattr(built, name).param_groups):
            assert [p.shape for p in ours['params']] == [p.shape for p in theirs['params']]
    assert list(dict(parts._model.named_parameters())) == list(dict(built._model.named_parameters()))


@pytest.mark.unittest
def test_the_copies_gradients_add_up_to_the_original_one():
    """Without batch norm a task's loss stays the same, the copies' gradients add up, and the rest feels no change."""
    gradients = []
    for policy in split_twin(model=dict(norm='layer', dropout=0.0)):
        model, batch = policy._model.world_model, random_batch((0, 0, 1, 1, 2, 2), 8, seed=5)
        model.zero_grad()
        torch.manual_seed(0)
        terms, _ = world_model_terms(model, batch, model.route(batch.task), 1.0)
        loss = policy._task_losses(terms)
        loss.sum().backward()
        gradients.append(({name: p.grad for name, p in model.named_parameters()}, loss.detach()))
    (whole, loss), (parts, loss_of_parts) = gradients
    torch.testing.assert_close(loss_of_parts, loss, rtol=1e-5, atol=1e-5)
    for name, gradient in whole.items():
        if 'coders.0.' in name:
            total = parts[name] + parts[name.replace('coders.0.', 'coders.1.')]
            assert (parts[name] - total).norm() > 0.01 * total.norm(), name
        else:
            total = parts[name] if parts[name].shape == gradient.shape else parts[name].sum(0, keepdim=True)
        assert (total - gradient).norm() <= 1e-3 * gradient.norm(), name


@pytest.mark.unittest
def test_training_continues_for_each_cluster_separately():
    _, parts = split_twin()
    only_task_1 = dict(world_model=random_batch((1, 1, 1), 8), imagine=random_batch((1, 1, 1), 4))
    before = [encoder.layers[0].weight.clone() for encoder in parts._model.world_model.vae.encoders]
    parts._optimizer.zero_grad()
    parts.learn_mode.forward(only_task_1)
    after = [encoder.layers[0].weight for encoder in parts._model.world_model.vae.encoders]
    assert torch.equal(before[0], after[0]) and not torch.equal(before[1], after[1])


@pytest.mark.unittest
def test_only_one_cluster_can_be_split():
    policy = tiny_policy(model=dict(num_clusters=2))
    with pytest.raises(ValueError, match='the model already has 2 clusters: only a single one'):
        split(policy._model, CLUSTERS)
