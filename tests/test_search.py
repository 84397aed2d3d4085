"""Search: against LightZero's own, against trees worked out by hand, legality, context, repeatability."""
import inspect
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from easydict import EasyDict
from lzero.mcts.ctree.ctree_muzero import mz_tree
from lzero.mcts.tree_search import mcts_ctree

from helpers.search import (
    CONFIG,
    BanditModel,
    FakeModel,
    python_trees,
    random_window,
    row_of,
    tiny_networks,
    traverse_with_switch,
)
from lzero_mow.mcts import trees
from lzero_mow.mcts.tree_search import search


def config(**changes) -> EasyDict:
    return EasyDict({**CONFIG, **changes})


class LightZeroModel(torch.nn.Module):
    """A FakeModel as LightZero's MuZero search wants it: a latent state is a row's whole cache, its tokens and task."""

    def __init__(self, model: FakeModel) -> None:
        super().__init__()
        self.fake = model

    def pack(self, cache, tokens, routing):
        return torch.cat([cache.movedim(2, 0).flatten(1), tokens[:, None], routing[:, None]], -1)

    def recurrent_inference(self, state, action):
        fake = self.fake
        cache = state[:, :-2].unflatten(1, (fake.layers, 2, 1, fake.max_tokens, fake.width)).movedim(0, 2).contiguous()
        tokens, routing = state[:, -2].long(), state[:, -1].long()
        reward, _, policy, value, tokens = fake.extend(cache, tokens, action, routing)
        reward, value = fake.reward_support.mean(reward)[:, None], fake.value_support.mean(value)[:, None]
        return SimpleNamespace(
            latent_state=self.pack(cache, tokens, routing), policy_logits=policy, value=value, reward=reward
        )


def lightzero_search(model, window, cfg):
    """Visit shares and values of MuZeroMCTSCtree, without noise."""
    wrapped = LightZeroModel(model)
    mcts = mcts_ctree.MuZeroMCTSCtree(
        EasyDict(**cfg, device='cpu', model=dict(support_scale=1, categorical_distribution=True))
    )
    mcts.inverse_scalar_transform_handle = lambda scalar: scalar
    rows, routing = len(window.length), model.route(window.task)
    policy, _, cache, tokens = model.open(window.latent, window.action, torch.from_numpy(window.length), routing)
    roots = mcts_ctree.tree_muzero.Roots(rows, [list(range(window.legal.shape[1]))] * rows)
    roots.prepare_no_noise([0.0] * rows, policy.tolist(), [-1] * rows)
    mcts.search(roots, wrapped, wrapped.pack(cache, tokens, routing).numpy(), [-1] * rows)
    return np.array(roots.get_distributions()) / cfg.num_simulations, np.array(roots.get_values())


@pytest.fixture(params=['python', 'compiled'])
def repeatable_trees(request, monkeypatch):
    """Trees whose ties can be repeated, in our search and in LightZero's: its Python ones, and main's compiled ones."""
    tree = python_trees()
    if request.param == 'compiled':
        if 'deterministic' not in inspect.signature(mz_tree.batch_traverse).parameters:
            pytest.skip('the compiled trees of this LightZero break ties by the clock')
        tree = SimpleNamespace(**vars(mz_tree))
        tree.batch_traverse = partial(mz_tree.batch_traverse, deterministic=True)
    monkeypatch.setattr(trees, 'mz_tree', tree)
    monkeypatch.setattr(mcts_ctree, 'tree_muzero', tree)


@pytest.mark.unittest
def test_same_search_as_lightzero(repeatable_trees):
    model, window = FakeModel(3, 4, 40), random_window([5, 1, 3, 5], [2, 0, 1, 2], 4)
    result = search(model, window, CONFIG)
    visits, values = lightzero_search(model, window, CONFIG)
    assert (result.visits == visits.astype(np.float32)).all()
    np.testing.assert_allclose(result.value, values, rtol=1e-6)
    assert len(np.unique(visits, axis=0)) == 4 and (visits.max(1) < 1).all()  # else there was nothing to compare
    length = torch.from_numpy(window.length)
    policy, value, _, _ = model.open(window.latent, window.action, length, model.route(window.task))
    np.testing.assert_allclose(result.policy_logits, policy, rtol=1e-6)
    np.testing.assert_allclose(result.predicted_value, model.value_support.mean(value), rtol=1e-6)


def puct(rewards, logits, cfg):
    """Visits of MuZero's PUCT where each action's return is known; the first of equals is taken."""
    rewards, prior = np.array(rewards), np.exp(logits) / np.exp(logits).sum()
    visits, low, high, total = np.zeros(len(rewards)), np.inf, -np.inf, 0.0
    for done in range(cfg.num_simulations):
        q = np.where(visits > 0, rewards, rewards[visits > 0].mean() if done else 0.0)
        if high > low:
            q = (q - low) / max(high - low, cfg.value_delta_max)
        exploration = np.log((done + cfg.pb_c_base + 1) / cfg.pb_c_base) + cfg.pb_c_init
        action = np.argmax(q.clip(0, 1) + exploration * prior * np.sqrt(done) / (visits + 1))
        visits[action] += 1
        total += rewards[action]
        # Below the root's children all returns are 0; the root has one visit without return.
        seen = [rewards[action], cfg.discount_factor * total / (done + 2), *[0.0] * int(visits[action] > 1)]
        low, high = min(low, *seen), max(high, *seen)
    return visits


@pytest.mark.unittest
@pytest.mark.parametrize('scale, delta', [(1.0, 0.01), (1e-3, 0.01), (1e-3, 1e-4)])
def test_known_visits_with_the_compiled_trees(scale, delta):
    rewards, logits = [0.3 * scale, 0.9 * scale, 0.5 * scale, 0.0], [0.2, 0.4, 0.0, 0.1]
    cfg = config(value_delta_max=delta, num_simulations=30)
    model, window = BanditModel(rewards, logits), random_window([2, 1], [0, 0], 4)
    expected = puct(rewards, logits, cfg)
    assert (search(model, window, cfg).visits * 30 == expected).all()
    assert (lightzero_search(model, window, cfg)[0] * 30 == expected).all()


@pytest.mark.unittest
def test_value_range_decides_how_much_small_differences_count():
    best = lambda delta: puct([3e-4, 9e-4, 5e-4, 0], [0.2, 0.4, 0.0, 0.1], config(value_delta_max=delta))[1]
    assert best(1e-4) > best(0.01) + 5  # so the test above tells the two apart


CACHE_STEPS = 6


def chain(model, latent, action, task, simulations, context_length, discount):
    """Mean return of a search with one legal action, 0: each simulation adds a step to one path, computed anew."""
    routing, latent, action = model.route([task]), list(latent), list(action)
    held = len(latent)  # steps in the cache
    returns, rewards = [], []
    for _ in range(simulations):
        if held == CACHE_STEPS:
            held = context_length
        past, between = torch.stack(latent[-held:])[None], torch.tensor(action[len(action) - held + 1:])[None].long()
        _, _, cache, tokens = model.open(past, between, torch.tensor([held]), routing)
        reward, next_latent, _, value, _ = model.extend(cache, tokens, torch.tensor([0]), routing)
        rewards.append(model.reward_support.mean(reward).item())
        returns.append(
            sum(discount ** i * r for i, r in enumerate(rewards)) +
            discount ** len(rewards) * model.value_support.mean(value).item()
        )
        latent.append(next_latent[0])
        action.append(0)
        held += 1
    return sum(returns) / (simulations + 1)


def search_along_a_chain(model, window, context_length):
    """Let our search and :func:`chain` agree on each row, from root windows that fill the cache or do not."""
    window.legal[:, 1:] = False
    cfg = config(num_simulations=16, context_length=context_length)
    result = search(model, window, cfg)
    for row in range(len(window.length)):
        alone = row_of(window, row)
        expected = chain(model, alone.latent[0], alone.action[0].tolist(), window.task[row], 16, context_length, 0.9)
        assert result.value[row] == pytest.approx(expected, rel=1e-5)


@pytest.mark.unittest
@pytest.mark.parametrize('context_length', [1, 2, 5])
def test_a_path_longer_than_the_cache_continues_from_its_last_steps(context_length):
    model, window = FakeModel(2, 3, CACHE_STEPS), random_window([6, 1, 3], [0, 1, 1], 3)
    search_along_a_chain(model, window, context_length)
    with pytest.raises(ValueError, match='context_length 6'):
        search(model, window, config(context_length=6))


@pytest.mark.unittest
def test_search_of_the_networks():
    window = random_window([6, 1, 3], [0, 1, 1], 3, width=16)
    search_along_a_chain(tiny_networks(), window._replace(latent=window.latent.float()), 3)


@pytest.mark.unittest
def test_rows_of_any_task_and_length_search_as_if_alone(repeatable_trees):
    model, window = FakeModel(3, 4, max_steps=6), random_window([5, 1, 6, 3, 5], [2, 0, 1, 2, 0], 4)
    window.legal[1, [0, 2]] = False
    together = search(model, window, CONFIG)
    assert len(model.opened) > 1
    for row in range(5):
        for all_rows, alone in zip(together, search(model, row_of(window, row), CONFIG)):
            assert (all_rows[row] == alone[0]).all()


@pytest.mark.unittest
def test_illegal_actions_are_never_tried():
    model, window = FakeModel(1, 4, 40), random_window([2, 2, 2], [0, 0, 0], 4)
    window.legal[0, [0, 3]] = window.legal[1, [0, 1, 2]] = False
    for rng in (None, np.random.default_rng(0)):
        visits = search(model, window, CONFIG, rng).visits
        assert (visits[~window.legal] == 0).all() and visits[1, 3] == 1
        np.testing.assert_allclose(visits.sum(1), 1, rtol=1e-6)
    tried = torch.stack(model.actions, 1).numpy()  # (R, both searches' simulations), below the root too
    assert all(set(tried[row]) == set(np.flatnonzero(window.legal[row])) for row in range(3))
    window.legal[2] = False
    with pytest.raises(ValueError, match=r'rows \[2\]'):
        search(model, window, CONFIG)


@pytest.mark.unittest
def test_legal_actions_keep_their_own_policy_and_reward():
    rewards, logits = [0.9, 0.3, 0.6, 0.5], [0.0, 0.2, 0.6, 0.1]
    model, window = BanditModel(rewards, logits), random_window([1] * 8, [0] * 8, 4)
    window.legal[:, 0] = False
    expected = [0, *puct(rewards[1:], logits[1:], CONFIG)]
    assert len(set(expected)) == 4
    for rng in (None, np.random.default_rng(0)):  # in their order, and in others
        assert (search(model, window, config(root_noise_weight=0.0), rng).visits * 24 == expected).all()


@pytest.mark.unittest
def test_search_repeats_under_a_seed_with_the_trees_of_lightzero_main(monkeypatch):
    monkeypatch.setattr(trees, 'mz_tree', python_trees(traverse_with_switch))
    model, window = BanditModel([0.0] * 4, [0.0] * 4), random_window([1] * 48, [0] * 48, 4)
    one_step = config(num_simulations=1, root_noise_weight=0.0)
    first_choice = lambda rng: search(model, window, one_step, rng).visits
    assert (first_choice(None)[:, 0] == 1).all()
    shuffled = first_choice(np.random.default_rng(0))
    assert (shuffled == first_choice(np.random.default_rng(0))).all()
    assert (shuffled.sum(0) > 5).all()  # no action is favoured
    model, window = FakeModel(1, 4, 40), random_window([2] * 8, [0] * 8, 4)
    visits = [search(model, window, CONFIG, np.random.default_rng(seed)).visits for seed in (0, 0, 1)]
    assert (visits[0] == visits[1]).all() and (visits[0] != visits[2]).any()
    assert (search(model, window, CONFIG).visits == search(model, window, config(root_noise_weight=0.5)).visits).all()


@pytest.mark.unittest
def test_noise_moves_the_roots_priors():
    logits, cfg = [0.0, 2.0, 0.0, 0.0], config(num_simulations=50, root_noise_weight=1.0, root_dirichlet_alpha=0.05)
    model, window = BanditModel([0.0] * 4, logits), random_window([1] * 32, [0] * 32, 4)
    plain, noisy = search(model, window, cfg).visits, search(model, window, cfg, np.random.default_rng(0)).visits
    assert (plain.argmax(1) == 1).all()
    assert (np.bincount(noisy.argmax(1), minlength=4) > 2).all()  # a draw of one action each, not the policy


@pytest.mark.unittest
def test_one_copy_to_the_host_per_simulation(monkeypatch):
    copies, cpu = [], torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, 'cpu', lambda tensor: copies.append(tensor.shape) or cpu(tensor))
    search(FakeModel(1, 4, 40), random_window([2, 3], [0, 0], 4), CONFIG)
    assert copies == [(2, 5)] + [(2, 6)] * CONFIG.num_simulations
