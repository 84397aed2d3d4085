"""The whole ScaleZero model: causality, searches, tasks, gradients, weights at the start."""
import pytest
import torch

from helpers.scalezero import TINY, random_frames, random_steps, tiny_scalezero
from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel

CLOSE = dict(rtol=1e-5, atol=1e-5)
VARIANTS = [dict(), dict(num_experts=0), dict(experts_per_token=2, num_shared_experts=0, latent_norm='sim')]


@pytest.mark.unittest
@torch.no_grad()
@pytest.mark.parametrize('overrides', VARIANTS)
def test_open_and_extend_equal_the_full_pass(overrides):
    model, length = tiny_scalezero(**overrides), 6
    latent, action = random_steps(5, length)
    windows, routing = torch.tensor([3, 1, 4, 2, 4]), model.route([2, 0, 0, 1, 2])
    root = model.open(latent[:, :4], action[:, :3], windows, routing)
    assert root.tokens.tolist() == [5, 1, 7, 3, 7]
    # The search's own path: each row continues from the end of its window.
    path_action = torch.randint(0, 5, (5, 2))
    steps, tokens = [], root.tokens
    for move in path_action.unbind(1):
        steps.append(model.extend(root.cache, tokens, move, routing))
        tokens = steps[-1].tokens
    assert tokens.tolist() == [9, 5, 11, 7, 11]
    for row, window in enumerate(windows.tolist()):
        path = torch.cat([latent[row, :window], *[step.next_latent[row:row + 1] for step in steps]])
        taken = torch.cat([action[row, :window - 1], path_action[row]])
        full = model(path[None], taken[None], model.route([[2, 0, 0, 1, 2][row]]))
        torch.testing.assert_close(root.policy[row], full.policy[0, window - 1], **CLOSE)
        torch.testing.assert_close(root.value[row], full.value[0, window - 1], **CLOSE)
        for depth, step in enumerate(steps):
            torch.testing.assert_close(step.reward[row], full.reward[0, window - 1 + depth], **CLOSE)
            torch.testing.assert_close(step.next_latent[row], full.next_latent[0, window - 1 + depth], **CLOSE)
            torch.testing.assert_close(step.policy[row], full.policy[0, window + depth], **CLOSE)
            torch.testing.assert_close(step.value[row], full.value[0, window + depth], **CLOSE)


@pytest.mark.unittest
@torch.no_grad()
def test_cache_entries_beyond_a_row_do_not_matter():
    model = tiny_scalezero()
    latent, action = random_steps(2, 3)
    routing, windows = model.route([0, 1]), torch.tensor([1, 3])
    clean = model.open(latent, action[:, :2], windows, routing)
    latent[0, 1:], action[0] = 100.0, 4  # the padding
    padded = model.open(latent, action[:, :2], windows, routing)
    padded.cache[:, :, 0, :, 1:] = 7.0
    for ours, theirs in zip(clean[:2], padded[:2]):
        torch.testing.assert_close(ours, theirs, **CLOSE)
    steps = [model.extend(root.cache, root.tokens, torch.tensor([1, 2]), routing) for root in (clean, padded)]
    for ours, theirs in zip(*steps):
        torch.testing.assert_close(ours, theirs, **CLOSE)


@pytest.mark.unittest
@torch.no_grad()
def test_extend_changes_two_places_of_each_row_and_copies_of_a_cache_are_independent():
    model = tiny_scalezero()
    latent, action = random_steps(2, 2)
    routing = model.route([1, 2])
    root = model.open(latent, action[:, :1], torch.tensor([2, 1]), routing)
    before, branch = root.cache.clone(), root.cache.clone()
    first = model.extend(root.cache, root.tokens, torch.tensor([0, 3]), routing)
    changed = (root.cache != before).any(-1).any(3).any(1).any(0)  # (R, T)
    assert [row.nonzero().flatten().tolist() for row in changed] == [[3, 4], [1, 2]]
    other = model.extend(branch, root.tokens, torch.tensor([1, 3]), routing)
    assert not torch.allclose(first.reward[0], other.reward[0])
    torch.testing.assert_close(first.reward[1], other.reward[1], **CLOSE)


@pytest.mark.unittest
@torch.no_grad()
def test_the_past_does_not_see_the_future():
    model = tiny_scalezero()
    latent, action = random_steps(2, 5)
    routing = model.route([0, 2])
    before = model(latent, action, routing)
    latent[:, 3], action[:, 2] = 0.5, (action[:, 2] + 1) % 5  # a_2 and o_3: reward_2 is the first that sees either
    after = model(latent, action, routing)
    for name in ('policy', 'value', 'reward', 'next_latent'):
        seen_from = 3 if name in ('policy', 'value') else 2
        was, now = getattr(before, name), getattr(after, name)
        torch.testing.assert_close(was[:, :seen_from], now[:, :seen_from], **CLOSE)
        assert not torch.isclose(was[:, seen_from:], now[:, seen_from:]).all(-1).any(), name


@pytest.mark.unittest
@torch.no_grad()
def test_the_last_action_may_be_missing():
    model = tiny_scalezero()
    latent, action = random_steps(2, 4)
    routing = model.route([0, 1])
    full, open_end = model(latent, action, routing), model(latent, action[:, :3], routing)
    for ours, theirs in zip(open_end, full):
        torch.testing.assert_close(ours, theirs[:, :ours.shape[1]], **CLOSE)
    assert open_end.value.shape[1] == 4 and open_end.reward.shape[1] == 3


@pytest.mark.unittest
def test_a_task_only_uses_its_own_heads_and_rows_come_in_any_order():
    model, tasks = tiny_scalezero(), (2, 0, 2, 1, 0)
    latent, action = random_steps(5, 3)
    together = model(latent, action, model.route(tasks))
    for row, task in enumerate(tasks):
        alone = model(latent[row:row + 1], action[row:row + 1], model.route([task]))
        for ours, theirs in zip(alone, together):
            torch.testing.assert_close(ours[0], theirs[row], **CLOSE)
    sum(part[1].square().sum() for part in together).backward()  # a row of task 0
    heads = ('policy_head', 'value_head', 'reward_head', 'next_latent_head')
    for name, parameter in model.named_parameters():
        if name.startswith(heads):
            moved = parameter.grad.flatten(1).abs().sum(1)
            assert moved[0] > 0 and moved[1:].sum() == 0, name


@pytest.mark.unittest
@pytest.mark.parametrize('overrides', VARIANTS)
def test_every_parameter_learns(overrides):
    model = tiny_scalezero(**overrides).train()
    frames = random_frames(18)
    predicted = model(model.encode(frames).view(3, 6, -1), random_steps(3, 6)[1], model.route([0, 1, 2]))
    sum(part.square().sum() for part in predicted).backward()
    still = [name for name, parameter in model.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert not still


@pytest.mark.unittest
def test_weights_at_the_start():
    torch.manual_seed(0)
    model = ScaleZeroModel(**{**TINY, 'adapter_rank': 2, 'stages': 2})
    for head in (model.policy_head, model.value_head, model.reward_head, model.next_latent_head):
        assert head.out.weight.abs().sum() == 0 and head.hidden.weight.abs().sum() > 0
    # Xavier: a matrix of its own for each expert and each of query, key and value, with or without adapters
    experts = model.backbone.blocks[0].feed_forward.experts
    for weight, fans in [
        (experts.gate.weight, 32 + 40), (experts.contract.weight, 40 + 32),
        (model.backbone.blocks[1].attention.query.weight, 32 + 32), (model.encoder.blocks[0].expand.weight, 24 + 20)
    ]:
        bound = (6 / fans) ** 0.5
        assert 0.95 * bound < weight.abs().max() <= bound
    adapter = model.backbone.blocks[0].attention.query.adapters[0]
    assert adapter.up.weight.abs().sum() == 0 and 0.005 < adapter.down.weight.std() < 0.015
    assert 0.015 < model.backbone.position.weight.std() < 0.025
    biases = [parameter for name, parameter in model.named_parameters() if name.endswith('bias')]
    assert len(biases) > 20 and all(bias.abs().sum() == 0 for bias in biases)


@pytest.mark.unittest
@pytest.mark.parametrize('wrong, message', [
    (dict(width=8), "unknown key 'width'"),
    (dict(encoder='cnn'), 'vit'),
    (dict(patch_size=5), 'patch_size'),
    (dict(encoder='resnet', observation_shape=(3, 24, 24)), 'resnet'),
    (dict(num_heads=5), 'num_heads'),
    (dict(latent_norm='batch'), 'latent_norm'),
    (dict(latent_norm='sim', embed_dim=12), 'multiple of 8'),
    (dict(router_norm='none'), 'router_norm'),
    (dict(experts_per_token=5), 'experts_per_token'),
    (dict(value_support=(-1, 1, 0.3)), 'support'),
])
def test_sizes_that_do_not_fit_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        ScaleZeroModel(**{**TINY, **wrong})


@pytest.mark.unittest
def test_a_sequence_that_is_too_long_is_an_error():
    model = tiny_scalezero()
    latent, action = random_steps(1, 7)
    with pytest.raises(ValueError, match='max_steps'):
        model(latent, action, model.route([0]))
