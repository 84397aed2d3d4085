"""ScaleZero with continuous actions: search over samples, learning from them, runs and resuming them."""
import importlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_scalezero_policy import act, frames

from helpers.scalezero_policy import L, N, random_search_batch, tiny_scalezero_policy
from helpers.search import CONFIG, PointingModel, python_trees, random_window, traverse_with_switch
from helpers.tiny_run import Stopped, differences, load, train
from helpers.two_task_env import TASKS
from lzero_mow.buffer.game_buffer_scalezero import ScaleZeroGameBuffer
from lzero_mow.config.build import build_config, settle
from lzero_mow.config.validate import validate
from lzero_mow.mcts import trees
from lzero_mow.mcts.tree_search import search
from lzero_mow.policy.scalezero import ScaleZeroPolicy

ENTRY = importlib.import_module('lzero_mow.entry.train_multitask')
SAMPLES, SIZE = 6, 2
ALL = np.ones((6, SIZE), dtype=np.int8)


def config(**changes):
    return type(CONFIG)({**CONFIG, 'num_sampled_actions': SAMPLES, 'num_simulations': 60, **changes})


def window_of_numbers(rows):
    window = random_window([2] * rows, [0] * rows, SIZE)
    return window._replace(action=torch.zeros(rows, 1, SIZE))


def numbers_policy(**changes):
    model = dict(continuous_action_space=True, action_space_size=SIZE, **changes.pop('model', {}))
    return tiny_scalezero_policy(num_sampled_actions=SAMPLES, model=model, **changes)


def batch_towards(goal, seed=0):
    """Random sequences; the nearer a sample is to `goal`, the more visits it has."""
    generator = torch.Generator().manual_seed(seed)
    batch = random_search_batch(seed=seed)
    samples = torch.rand(len(batch.task), L, SAMPLES, SIZE, generator=generator) * 2 - 1
    visits = (-8 * (samples - torch.tensor(goal)).norm(dim=-1)).softmax(-1)
    action = torch.rand(len(batch.task), L + N, SIZE, generator=generator) * 2 - 1
    return replace(batch, action=action, visits=visits, sampled_actions=samples)


def policy_at(policy, batch):
    """What the policy head says at every step."""
    model = policy._model
    with torch.no_grad():
        latent = model.encode(batch.obs[:, :L].flatten(0, 1)).unflatten(0, (-1, L))
        return model.policy_class(model(latent, batch.action[:, :L], model.route(batch.task)).policy)


# ---------------------------------------------------------------------- search


@pytest.mark.unittest
def test_the_best_samples_are_visited_most():
    goal = [0.6, -0.4]
    model, window = PointingModel(goal, [0.0, 0.0, 2.0, 2.0]), window_of_numbers(32)
    result = search(model, window, config())
    assert result.actions.shape == (32, SAMPLES, SIZE) and np.abs(result.actions).max() <= 1
    np.testing.assert_allclose(result.visits.sum(1), 1, rtol=1e-6)
    distance = np.linalg.norm(result.actions - np.array(goal), axis=-1)  # (R, C)
    order = distance.argsort(1)
    by_rank = np.take_along_axis(result.visits, order, 1).mean(0)
    assert (np.diff(by_rank) < 0).all() and by_rank[0] > 2 * by_rank[-1]
    assert (result.visits.argmax(1) == order[:, 0]).mean() > 0.8


@pytest.mark.unittest
def test_every_node_has_its_own_samples_and_they_are_played():
    model, window = PointingModel([0.0, 0.0], [0.5, -0.5, 2.0, 2.0]), window_of_numbers(4)
    torch.manual_seed(0)
    result = search(model, window, config(num_simulations=40))
    tried = torch.stack(model.actions, 1).numpy()  # (R, simulations, A)
    from_root = (tried[:, :, None] == result.actions[:, None]).all(-1)  # (R, simulations, C)
    for row in range(4):
        of_root = from_root[row].any(0)
        assert (of_root == (result.visits[row] > 0)).all()  # each sample is what its share of visits says
        assert 0 < from_root[row].any(1).sum() == of_root.sum() < 40  # the others were drawn below the root
    assert len(np.unique(tried.reshape(-1, SIZE), axis=0)) > 4 * SAMPLES
    torch.manual_seed(0)
    assert (search(model, window, config(num_simulations=1)).actions == result.actions).all()


@pytest.mark.unittest
def test_samples_follow_the_policy_and_noise_goes_over_them():
    window = window_of_numbers(200)
    narrow = search(PointingModel([0.0, 0.0], [1.0, -1.0, -9.0, -9.0]), window, config(num_simulations=1)).actions
    np.testing.assert_allclose(narrow.mean((0, 1)), [np.tanh(1.0), -np.tanh(1.0)], atol=0.02)
    np.testing.assert_allclose(narrow.std((0, 1)), 0.1, atol=0.02)
    noisy = config(root_noise_weight=1.0, root_dirichlet_alpha=0.05)
    model = PointingModel([0.0, 0.0], [0.0] * 4, worth=0.0)
    greatest_share = lambda rng: search(model, window, noisy, rng).visits.max(1)
    assert greatest_share(np.random.default_rng(0)).mean() > 2 * greatest_share(None).mean()


# ---------------------------------------------------------------------- learning


@pytest.mark.unittest
def test_the_policys_loss_is_the_cross_entropy_with_the_truncated_normal():
    policy, batch = numbers_policy(), batch_towards([0.0, 0.0])
    pi = policy_at(policy, batch)
    normal = torch.distributions.Normal(pi.mean, pi.std)
    mass = (normal.cdf(torch.ones(())) - normal.cdf(-torch.ones(()))).log()
    expected = 0
    for i in range(SAMPLES):
        log_density = (normal.log_prob(batch.sampled_actions[:, :, i]) - mass).sum(-1)  # (B, L)
        expected = expected - batch.visits[:, :, i] * log_density
    torch.testing.assert_close(policy._terms(batch)['policy'], expected.view(3, 2 * L).mean(1), rtol=1e-4, atol=1e-5)
    batch.visits[:, 1:] = 0  # random play
    torch.testing.assert_close(
        policy._terms(batch)['policy'], expected[:, 0].view(3, 2).mean(1), rtol=1e-4, atol=1e-5
    )


@pytest.mark.unittest
@pytest.mark.parametrize('goal', [(0.7, -0.7), (-0.5, 0.2)])
def test_the_policy_moves_to_samples_with_more_visits(goal):
    policy, batch = numbers_policy(entropy_weight_bounds=(1e-3, 1e-3), learning_rate=3e-3), batch_towards(goal)
    away = lambda: (policy_at(policy, batch).mean - torch.tensor(goal)).norm(dim=-1).mean()
    before, log = away(), policy.learn_mode.forward(dict(search=batch))
    for seed in range(30):
        log = policy.learn_mode.forward(dict(search=batch_towards(goal, seed)))
    policy.check_finite()
    assert away() < 0.5 * before
    assert log['world_model/entropy_weight'] == pytest.approx(1e-3)


@pytest.mark.unittest
def test_the_entropys_weight_follows_a_share_of_its_range():
    policy = numbers_policy(entropy_target=(0.5, 0.5), entropy_learning_rate=0.1)
    narrowest, uniform = SIZE * np.log(0.1 * np.sqrt(2 * np.pi * np.e)), SIZE * np.log(2)
    middle = (narrowest + uniform) / 2
    for excess, updates in ((-0.1, 10), (0.1, 40)):  # Adam has to turn round
        before = policy._entropy_weight()
        for _ in range(updates):
            policy._update_entropy_weight(torch.full((3, ), float(middle + excess)), (0, 1, 2))
        assert (policy._entropy_weight() - before) * excess < 0


# ---------------------------------------------------------------------- acting


@pytest.mark.unittest
@pytest.mark.parametrize('changes', [dict(), dict(num_experts=0), dict(stages=3)])
def test_acting_and_what_it_says(changes):
    policy = numbers_policy(model=changes, stage_min_updates=1, stage_max_updates=3)
    for _ in range(4):
        policy.learn_mode.forward(dict(search=batch_towards([0.5, 0.5])))
    assert policy._model.stage == (1 if 'stages' in changes else 0)
    for step in range(4):
        for epsilon, mode in ((0.0, 'collect'), (1.0, 'collect'), (0.0, 'eval')):
            ids = list(range(3 if mode == 'eval' else 6))
            output = act(policy, frames(len(ids), step), ids, epsilon, ALL, mode)
            for one in output.values():
                samples, visits = one['root_sampled_actions'], np.array(one['visit_count_distributions'])
                assert samples.shape == (SAMPLES, SIZE) and np.abs(samples).max() <= 1
                played = (samples == one['action']).all(-1)
                assert one['action'].dtype == np.float32 and played.sum() == 1
                assert visits.shape == (SAMPLES, ) and visits.sum() == pytest.approx(float(epsilon < 1))
                assert mode == 'collect' or visits[played] == visits.max()
    assert policy._collect_memory.action.shape[-1] == SIZE and policy._collect_memory.action.abs().max() > 0


@pytest.mark.unittest
def test_random_play_knows_no_policy():
    policy = numbers_policy()
    policy._model.policy_head.out.bias.data.fill_(-20)  # a policy that plays -1 and nothing else
    at_random = [act(policy, frames(6, i), list(range(6)), 1.0, ALL)[0]['action'] for i in range(60)]
    assert np.abs(np.mean(at_random, 0)).max() < 0.3 and np.std(at_random, 0).min() > 0.45
    assert all(one['action'].max() < 0 for one in act(policy, frames(6), list(range(6)), 0.0, ALL).values())


# ---------------------------------------------------------------------- runs


def config_of(run_dir, method, **more):
    changes = dict(
        eval_freq=36, checkpoint_freq=24, train_start_after_envsteps=24, replay_ratio=0.1, num_sampled_actions=SAMPLES,
        stage_min_updates=2, stage_max_updates=2, model=dict(action_space_size=SIZE, continuous_action_space=True),
        **more
    )
    layer = dict(exp_name=str(run_dir), max_env_step=96, env=dict(evaluator_env_num=1), policy=changes)
    run_config = build_config('debug', method=method, layers=[layer])
    run_config['env']['tasks'] = list(TASKS)
    run_config['policy']['solved_returns'] = None
    run_config['create']['env'] = dict(type='corner_mow', import_names=['helpers.corner_env'])
    return settle(run_config)


@pytest.mark.unittest
@pytest.mark.timeout(900)
def test_a_run_keeps_its_samples_and_resumes_bit_for_bit(tmp_path, monkeypatch):
    """With trees that break ties the same way every time, the searches are repeated too."""
    monkeypatch.setattr(ENTRY, 'write_report', lambda *_: None)
    monkeypatch.setattr(trees, 'mz_tree', python_trees(traverse_with_switch))
    batches, sample = [], ScaleZeroGameBuffer.sample

    def keep(self, *arguments):
        batches.append(sample(self, *arguments)['search'])
        return dict(search=batches[-1])

    with monkeypatch.context() as patch:
        patch.setattr(ScaleZeroGameBuffer, 'sample', keep)
        train(config_of(tmp_path / 'whole', 'scalezero_dps'))
    state = load(tmp_path / 'whole')
    assert state['policy']['scaling']['controller']['stage'] >= 1
    batch = batches[-1]
    steps = batch.visits.shape[1]
    assert batch.visits.shape[2] == SAMPLES and batch.searched.any()
    assert batch.sampled_actions.abs().max() <= 1 and batch.action.dtype == torch.float32
    # What was played is one of the step's own samples, which are kept in half precision.
    nearest = (batch.sampled_actions - batch.action[:, :steps, None]).abs().amax(-1).amin(-1)
    assert nearest.max() < 1e-3
    assert len(batch.sampled_actions.flatten(0, 2).unique(dim=0)) > 20

    learn = ScaleZeroPolicy._forward_learn

    def learn_until(self, data):
        if self._updates == 5:
            raise Stopped
        return learn(self, data)

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(ScaleZeroPolicy, '_forward_learn', learn_until)
        train(config_of(tmp_path / 'stopped', 'scalezero_dps'))
    assert 0 < load(tmp_path / 'stopped')['train_iter'] < 5
    train(config_of(tmp_path / 'stopped', 'scalezero_dps'), resume=str(tmp_path / 'stopped'))
    assert differences(load(tmp_path / 'stopped'), state) == []


@pytest.mark.unittest
@pytest.mark.parametrize('method', ['scalezero', 'scalezero_dps', 'unizero_multitask_dense'])
@pytest.mark.parametrize('preset', ['debug', 'laptop', 'paper'])
def test_presets_of_metaworld_are_valid(method, preset):
    validate(build_config(preset, suite='metaworld', method=method))


@pytest.mark.unittest
@pytest.mark.parametrize(
    'overrides, message', [
        (['policy.num_sampled_actions=1'], 'policy.num_sampled_actions must be at least 2, got 1'),
        (['policy.num_sampled_actions=0'], 'policy.num_sampled_actions must be at least 2, got 0'),
        (['policy.upstream_compat=true'], 'policy.upstream_compat is True: it copies'),
        (['policy.model.continuous_action_space=false'], 'metaworld_mow has continuous actions'),
        (['policy.model.action_space_size=5'], 'metaworld_mow has 4 actions'),
    ]
)
def test_unworkable_settings_are_refused(overrides, message):
    with pytest.raises(ValueError) as raised:
        validate(build_config('debug', overrides=overrides, suite='metaworld', method='scalezero'))
    assert message in str(raised.value) and '\n' not in str(raised.value)
