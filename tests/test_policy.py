"""The mow policy: updates, acting through LightZero's signatures, finite losses, state."""
import inspect
import io

import numpy as np
import pytest
import torch

from helpers.models import random_batch
from helpers.policies import TASKS, tiny_policy, training_data
from lzero_mow.agent import imagination
from lzero_mow.model.common.distributions import CategoricalPolicy
from lzero_mow.model.mow import world_model_loss
from lzero_mow.model.mow.world_model_loss import world_model_terms
from lzero_mow.policy import mow
from lzero_mow.policy.mow_acting import previous_hidden

ALL = np.ones((6, 5), dtype=np.int8)


def act(policy, obs, ids, epsilon=0.0, masks=ALL):
    """As LightZero main's collector calls it: everything by keyword."""
    return policy.collect_mode.forward(
        data=obs, action_mask=[masks[i] for i in ids], temperature=1.0, to_play=[-1] * len(ids), epsilon=epsilon,
        ready_env_id=ids, timestep=list(range(len(ids)))
    )


@pytest.mark.unittest
@pytest.mark.parametrize('source', ['replay', 'batch'])
def test_an_update_changes_world_model_and_agent(source):
    policy = tiny_policy(imagine_source=source)
    before = {name: p.clone() for name, p in policy._model.named_parameters()}
    log = policy.learn_mode.forward(training_data())
    policy.check_finite()
    unchanged = {name for name, p in policy._model.named_parameters() if torch.equal(p, before[name])}
    assert not unchanged
    for name in policy._monitor_vars_learn():
        assert torch.isfinite(torch.as_tensor(log[name])), name
    assert {f'task/{task}/world_model/reconstruction' for task in TASKS} <= set(log)
    assert not policy._model.training


@pytest.mark.unittest
@pytest.mark.parametrize(
    'model, policy', [
        (dict(num_experts=0, experts_per_task=0), {}),
        (dict(shared_transformer=False), dict(balance_weight=0.0)),
        (dict(task_head=False, num_clusters=1), dict(task_weighting='sum')),
        (dict(num_experts=0, num_clusters=1, task_embedding_dim=0, task_head=False), dict(lambda_bootstrap='current')),
        (dict(router_gradient='none', norm='layer'), dict(imagine_source='batch', clustering='task')),
    ]
)
def test_every_ablation_updates_and_acts(model, policy):
    policy = tiny_policy(model=model, **policy)
    for seed in range(2):
        log = policy.learn_mode.forward(training_data(seed))
    policy.check_finite()
    assert log['world_model/grad_norm'] > 0 and log['agent/grad_norm'] > 0
    obs = random_batch((0, ) * 6, 1).obs[:, 0]
    for _ in range(2):
        assert set(act(policy, obs, list(range(6)))) == set(range(6))


@pytest.mark.unittest
def test_a_new_term_needs_a_weight_and_is_learned_with_one(monkeypatch):
    """Adding a loss term: computed in one place, weighed by one key of the configuration."""

    def with_new_term(model, *args):
        terms, latent = world_model_terms(model, *args)
        terms['embedding'] = (model.task_embedding - 1).square().sum(1)  # (K,)
        return terms, latent

    monkeypatch.setattr(mow, 'world_model_terms', with_new_term)
    with pytest.raises(ValueError, match=r"no weight for \['embedding'\], no term for \[\]"):
        tiny_policy().learn_mode.forward(training_data())
    weights = {**tiny_policy()._cfg.loss_weights, 'embedding': 1.0}
    policy = tiny_policy(loss_weights=weights, task_weighting='sum', learning_rate=1e-2)
    logs = [policy.learn_mode.forward(training_data()) for _ in range(20)]
    assert logs[-1]['world_model/embedding'] < 0.9 * logs[0]['world_model/embedding']
    assert {'world_model/embedding', 'task/red/world_model/embedding'} <= set(logs[0])
    assert 'world_model/embedding' in policy._monitor_vars_learn()
    with pytest.raises(ValueError, match=r"no weight for \[\], no term for \['misspelt'\]"):
        tiny_policy(loss_weights={**weights, 'misspelt': 1.0}).learn_mode.forward(training_data())


@pytest.mark.unittest
@pytest.mark.parametrize('source', ['replay', 'batch'])
@pytest.mark.parametrize('parts', [1, 2])
def test_an_update_in_parts_is_the_whole_one(source, parts, monkeypatch):
    """Nothing is drawn, so that rounding alone can differ."""
    for module in (world_model_loss, imagination, mow):
        monkeypatch.setattr(module, 'sample_straight_through', lambda log_probs: log_probs.exp().flatten(-2))
    monkeypatch.setattr(CategoricalPolicy, 'sample', lambda self: torch.zeros_like(self.entropy(), dtype=torch.long))
    logs, weights = [], []
    for tasks_at_a_time in (None, parts):
        policy = tiny_policy(
            model=dict(norm='group', dropout=0.0), micro_batch_tasks=tasks_at_a_time, imagine_source=source
        )
        torch.manual_seed(0)
        logs.append(policy.learn_mode.forward(training_data()))
        policy.check_finite()
        weights.append(torch.cat([p.grad.flatten() for p in policy._model.parameters() if p.grad is not None]))
    assert list(logs[0]) == list(logs[1]) and len(weights[0]) == len(weights[1])
    for name, value in logs[0].items():
        torch.testing.assert_close(logs[1][name], value, rtol=1e-4, atol=1e-5, msg=lambda text: f'{name}: {text}')
    torch.testing.assert_close(weights[1], weights[0], rtol=1e-3, atol=1e-3 * float(weights[0].abs().max()))


@pytest.mark.unittest
def test_a_batch_without_a_task_leaves_its_weight_alone():
    policy = tiny_policy(task_weight_learning_rate=0.1)
    data = dict(world_model=random_batch((0, 0, 2), 8), imagine=random_batch((0, 2), 4))
    policy.learn_mode.forward(data)
    policy.check_finite()
    moved = policy._model.task_weights.log_sigma != 0
    assert moved.tolist() == [True, False, True]


@pytest.mark.unittest
def test_the_world_model_learns_a_batch_by_heart():
    policy = tiny_policy(learning_rate=3e-3)
    data = training_data()
    first = policy.learn_mode.forward(data)
    for _ in range(60):
        last = policy.learn_mode.forward(data)
    for term in ('reconstruction', 'reward', 'continuation', 'task'):
        assert last[f'world_model/{term}'] < 0.7 * first[f'world_model/{term}'], term


@pytest.mark.unittest
def test_first_action_is_random_and_later_ones_follow_the_window():
    policy = tiny_policy()
    world = policy._model.world_model
    memory, ids = policy._collect_memory, [0, 3, 4]
    latents, actions = [], []
    for t in range(9):  # longer than the window of 6
        obs = random_batch((0, ) * 3, 1, seed=t).obs[:, 0]
        output = act(policy, obs, ids)
        if t == 0:
            uniform = np.full(5, 0.2)
            assert all(output[i]['visit_count_distributions'] == pytest.approx(uniform) for i in ids)
            assert all(output[i]['visit_count_distribution_entropy'] == pytest.approx(np.log2(5)) for i in ids)
        slot = t % 6
        latents.append(memory.latent[ids, slot])
        actions.append(torch.tensor([output[i]['action'] for i in ids]))
        assert torch.equal(memory.action[ids, slot], actions[-1])
        routing = world.route([0, 1, 2])
        with torch.no_grad():
            full = world.dynamics(torch.stack(latents[-6:], 1), torch.stack(actions[-6:], 1), routing)
            hidden = previous_hidden(policy._model, memory, ids, routing)
            torch.testing.assert_close(hidden, full[:, -1:], rtol=1e-4, atol=1e-5)


@pytest.mark.unittest
def test_environments_at_different_timesteps_act_together():
    policy = tiny_policy()
    obs = random_batch((0, ) * 6, 1).obs[:, 0]
    for _ in range(4):
        act(policy, obs, list(range(6)))
    policy.collect_mode.reset([1, 2])
    act(policy, obs[[2]], [2])
    memory, routing = policy._collect_memory, policy._model.world_model.route([0, 0, 1])
    with torch.no_grad():
        together = previous_hidden(policy._model, memory, [0, 1, 2], routing)
        for row, (env_id, task) in enumerate(((0, 0), (1, 0), (2, 1))):
            alone = previous_hidden(policy._model, memory, [env_id], policy._model.world_model.route([task]))
            torch.testing.assert_close(together[row:row + 1], alone, rtol=1e-4, atol=1e-5)
    assert torch.equal(together[1], torch.zeros_like(together[1]))


@pytest.mark.unittest
def test_output_for_lightzeros_collectors_and_evaluator():
    policy = tiny_policy()
    masks = ALL.copy()
    masks[2:4] = [0, 1, 0, 1, 0]  # environments of task 1
    obs = random_batch((0, ) * 4, 1).obs[:, 0]
    for _ in range(20):
        output = act(policy, obs, {0, 2, 3, 5}, masks=masks)
        assert set(output) == {0, 2, 3, 5}
        assert output[2]['action'] in (1, 3) and output[3]['action'] in (1, 3)
    distribution = output[2]['visit_count_distributions']
    assert sum(distribution) == pytest.approx(1) and distribution[0] == distribution[2] == distribution[4] == 0
    assert output[2]['predicted_value'] == output[2]['searched_value']
    assert policy._model.agent.action_mask.tolist()[1] == [False, True, False, True, False]
    # 0.2.0's collector and evaluator call by position, the evaluator with float frames
    mask = [masks[i] for i in (0, 2, 3, 5)]
    policy.collect_mode.forward(obs, mask, 1.0, [-1] * 4, 0.0, ready_env_id={0, 2, 3, 5}, timestep=[0] * 4)
    output = policy.eval_mode.forward(obs[:3].float(), [ALL[0]] * 3, [-1] * 3, ready_env_id={0, 1, 2}, timestep=[0] * 3)
    assert set(output) == {0, 1, 2}
    for mode in (policy.collect_mode, policy.eval_mode):
        mode.reset()
        mode.reset(task_id=None)
        mode.reset([0], task_id=None)
        assert 'task_id' in inspect.signature(mode.reset).parameters


@pytest.mark.unittest
def test_epsilon_one_is_random_play_and_greedy_is_not():
    policy = tiny_policy(eval_greedy=True)
    with torch.no_grad():
        policy._model.agent.actor.out.bias[0, 3] = 50.0
    obs = random_batch((0, ) * 3, 1).obs[:, 0]
    for _ in range(3):
        random = act(policy, obs, [0, 2, 4], epsilon=1.0)
        assert random[0]['visit_count_distributions'] == pytest.approx([0.2] * 5)
        chosen = policy.eval_mode.forward(obs.float(), ALL[:3], [-1] * 3, ready_env_id=[0, 1, 2], timestep=[0] * 3)
    assert [chosen[i]['action'] for i in range(3)] == [3, 3, 3]
    first = set()
    for _ in range(30):  # greedy or not, the first action of an episode is uniformly random
        policy.eval_mode.reset()
        chosen = policy.eval_mode.forward(obs.float(), ALL[:3], [-1] * 3, ready_env_id=[0, 1, 2], timestep=[0] * 3)
        first |= {chosen[i]['action'] for i in range(3)}
    assert first == {0, 1, 2, 3, 4}


@pytest.mark.unittest
@pytest.mark.parametrize('bad', ['nan', 'inf'])
def test_nan_stops_with_task_term_and_update(bad):
    policy = tiny_policy()
    policy.learn_mode.forward(training_data())
    policy.check_finite()
    data = training_data()
    data['world_model'].terminated[2:4] = float(bad)  # task 1
    policy.learn_mode.forward(data)
    policy.learn_mode.forward(training_data())
    with pytest.raises(FloatingPointError, match='task green: world_model/continuation is not finite at update 2'):
        policy.check_finite()


@pytest.mark.unittest
def test_a_gradient_that_is_not_finite_is_named_before_what_it_spoils():
    policy = tiny_policy()
    policy._model.world_model.task_embedding.register_hook(lambda gradient: gradient * float('nan'))
    policy.learn_mode.forward(training_data())
    with pytest.raises(FloatingPointError, match='^world_model/grad_norm is not finite at update 1'):
        policy.check_finite()


@pytest.mark.unittest
def test_state_dict_continues_bit_for_bit():
    policy, other = tiny_policy(), tiny_policy(seed=1)
    obs = random_batch((0, ) * 6, 1).obs[:, 0]
    for seed in range(3):
        policy.learn_mode.forward(training_data(seed))
        act(policy, obs, list(range(6)))
    file = io.BytesIO()
    torch.save((policy.learn_mode.state_dict(), policy.acting_state()), file)
    file.seek(0)
    learning, acting = torch.load(file, weights_only=True)
    other.learn_mode.load_state_dict(learning)
    other.load_acting_state(acting)
    logs, actions = [], []
    for one in (policy, other):
        torch.manual_seed(5)
        logs.append(one.learn_mode.forward(training_data(7)))
        actions.append(act(one, obs, list(range(6))))
    assert all(torch.equal(torch.as_tensor(value), torch.as_tensor(logs[1][name])) for name, value in logs[0].items())
    assert actions[0] == actions[1]
    theirs = other._model.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in policy._model.state_dict().items())


@pytest.mark.unittest
def test_learning_rates_are_the_configs_after_a_resume():
    policy = tiny_policy()
    rates = dict(learning_rate=7e-4, agent_learning_rate=8e-4, task_weight_learning_rate=9e-4)
    other = tiny_policy(vae_learning_rate=6e-4, **rates)
    policy.learn_mode.forward(training_data())
    other.learn_mode.load_state_dict(policy.learn_mode.state_dict())
    assert [group['lr'] for group in other._optimizer.param_groups] == [6e-4, 7e-4, 9e-4]
    assert [group['lr'] for group in tiny_policy(**rates)._optimizer.param_groups] == [7e-4, 7e-4, 9e-4]
    assert [group['lr'] for group in other._agent_optimizer.param_groups] == [8e-4]


@pytest.mark.unittest
def test_weights_alone_bring_their_routing():
    model, other = tiny_policy(seed=1)._model, tiny_policy(seed=3)._model
    assert model.world_model.router.chosen_on_host != other.world_model.router.chosen_on_host
    other.load_state_dict(model.state_dict())
    assert model.world_model.router.chosen_on_host == other.world_model.router.chosen_on_host


@pytest.mark.unittest
def test_report_shows_every_task():
    policy = tiny_policy()
    pictures = policy.report(random_batch((0, 0, 1, 2), 7))
    assert set(pictures['open_loop']) == set(TASKS) and pictures['context'] == 4
    true, imagined, difference = pictures['open_loop']['green']
    np.testing.assert_allclose(true, random_batch((0, 0, 1, 2), 7).obs[2].numpy() / 255, atol=1e-6)
    np.testing.assert_allclose(difference, np.abs(true - imagined), atol=1e-6)
    assert imagined.shape == (7, 3, 64, 64) and imagined.min() >= 0 and imagined.max() <= 1
    assert ((pictures['router'] > 0).sum(1) == 2).all()
    assert tiny_policy(model=dict(num_experts=0)).report(random_batch((0, ), 7)).keys() == {'open_loop', 'context'}


@pytest.mark.unittest
def test_di_engines_way_to_several_processes_is_refused():
    with pytest.raises(ValueError, match='torchrun alone starts several processes'):
        tiny_policy(multi_gpu=True)
