"""Plasticity diagnostics: what is measured, that measuring leaves no trace, and what a run writes down of it."""
import copy
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from helpers.models import random_batch
from helpers.policies import TASKS, tiny_policy, training_data
from helpers.tiny_run import differences, tiny_config, train
from lzero_mow.entry.reporting import write_report
from lzero_mow.model.common.grouped import GroupedMLP
from lzero_mow.model.common.groups import ONE_GROUP, Groups
from lzero_mow.multitask.diagnostics.conflict import TaskGradients, conflict
from lzero_mow.multitask.diagnostics.dormant import DormantUnits
from lzero_mow.multitask.diagnostics.expert_use import evenness, expert_use
from lzero_mow.multitask.diagnostics.latent_norm import norm_by_task
from lzero_mow.report.tables.diagnostics import append_diagnostics, last_matrices, matrix_rows, read_diagnostics
from lzero_mow.report.tables.results import Result, append_results

MLP_WIDTH = 10


def mlp_with_silent(*units, groups=3) -> GroupedMLP:
    """Two hidden layers; each of `units` is (layer, group, unit) and puts out 0 for every input."""
    torch.manual_seed(0)
    mlp = GroupedMLP(groups, 6, MLP_WIDTH, 2)
    with torch.no_grad():
        for layer, group, unit in units:
            mlp.norms[layer].weight[group, unit], mlp.norms[layer].bias[group, unit] = 0.0, -1.0
    return mlp


def ratios(data, **modules):
    with DormantUnits(modules) as units:
        data()
    return units.ratios()


@pytest.mark.unittest
def test_planted_dormant_units_are_counted():
    mlp = mlp_with_silent((0, 0, 3), (1, 0, 5), (1, 0, 6), groups=1)
    assert ratios(lambda: mlp(torch.randn(64, 2, 6), ONE_GROUP), mlp=mlp) == {'mlp': 3 / 20, 'all': 3 / 20}


@pytest.mark.unittest
@pytest.mark.parametrize('rows', [[0] * 64 + [1] * 64, [1, 0] * 64, [0] * 90 + [1] * 30])
def test_units_of_groups_are_counted_apart_and_only_where_rows_are(rows):
    silent = [(0, 0, 1), (1, 1, 2), (1, 1, 3)]
    mlp = mlp_with_silent(*silent, *((layer, 2, unit) for layer in (0, 1) for unit in range(MLP_WIDTH)))
    with torch.no_grad():  # small beside the other group's, but even among themselves
        mlp.norms[0].weight[0] *= 1e-4
    data = torch.randn(len(rows), 2, 6)
    found = ratios(lambda: mlp(data, Groups.of(rows, 3, 'cpu')), mlp=mlp)
    assert found['mlp'] == 3 / (2 * 2 * MLP_WIDTH), 'the third group has no rows'


@pytest.mark.unittest
def test_a_unit_of_a_convolution_is_a_channel():
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.Conv2d(8, 4, 3), nn.GELU())
    with torch.no_grad():
        layers[0].weight[5], layers[0].bias[5] = 0.0, -1.0
        layers[2].weight[0], layers[2].bias[0] = 0.0, 0.0
    unused = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    found = ratios(lambda: layers(torch.randn(5, 3, 9, 7)), convolutions=layers, unused=unused, absent=None)
    assert found == {'convolutions': 2 / 12, 'all': 2 / 12}


@pytest.mark.unittest
def test_dormant_is_relative_to_the_layer_over_all_calls():
    relu = nn.ReLU()
    first, second = torch.ones(4, 40), torch.ones(4, 40)
    first[:, :3], second[:, :3] = torch.tensor([0.02, 0.03, 0.0]), torch.tensor([0.02, 0.03, 2.0])
    assert ratios(lambda: relu(first), relu=relu)['relu'] == 2 / 40
    assert ratios(lambda: (relu(first), relu(second)), relu=relu)['relu'] == 1 / 40
    assert ratios(lambda: relu(-first), relu=relu)['relu'] == 1.0
    assert not relu._forward_hooks


@pytest.mark.unittest
def test_opposite_gradients_have_cosine_minus_one():
    a, b = torch.randn(3, 4), torch.randn(5)
    across = torch.zeros(3, 4), torch.zeros(5)
    gradients = TaskGradients([0] * 4)
    for k, parts in ((0, [a, b]), (1, [-2 * a, -2 * b]), (3, across)):
        gradients.add(k, parts)
    cosine = gradients.cosines()
    assert cosine[0, 1] == pytest.approx(-1, abs=1e-6) and cosine[0, 0] == pytest.approx(1, abs=1e-6)
    assert cosine[0, 3] == cosine[1, 3] == 0 and np.isnan(cosine[2]).all() and np.isnan(cosine[:, 2]).all()
    assert conflict(cosine) == {'mean_cosine': pytest.approx(-1 / 3), 'negative_share': pytest.approx(1 / 3)}
    assert conflict(np.full((3, 3), np.nan)) == conflict(np.ones((1, 1))) == {}


@pytest.mark.unittest
def test_only_tasks_with_the_same_copy_of_a_part_are_compared():
    gradients = TaskGradients([0, 1, 0])
    for k in range(3):
        gradients.add(k, [torch.ones(4)])
    cosine = gradients.cosines()
    assert cosine[0, 2] == pytest.approx(1) and np.isnan(cosine[1, [0, 2]]).all()
    assert conflict(cosine) == {'mean_cosine': pytest.approx(1), 'negative_share': 0}


@pytest.mark.unittest
@pytest.mark.parametrize('noise, expected', [(0.0, 1.0), (1.0, 0.5), (100.0, 0.0)])
def test_the_share_of_signal_is_the_cosine_of_two_such_sums(noise, expected):
    """8 batches, 10,000 weights: signal of length 1 a weight, noise of variance 8 times `noise` a weight and batch."""
    torch.manual_seed(0)
    sums = [TaskGradients([0]) for _ in range(2)]
    wanted = torch.ones(10000)
    for gradients in sums:
        for _ in range(8):
            gradients.add(0, [wanted + (8 * noise) ** 0.5 * torch.randn(10000)])
    directions = [gradients._sums[0] / gradients._sums[0].norm() for gradients in sums]
    assert sums[0].signal() == pytest.approx(expected, abs=0.02)
    assert float(directions[0] @ directions[1]) == pytest.approx(expected, abs=0.03)


@pytest.mark.unittest
def test_evenness_of_expert_use():
    scores = torch.tensor([[0.25] * 4, [1.0, 0.0, 0.0, 0.0]])
    assert expert_use([[0, 1], [2, 3]], scores) == {'entropy': pytest.approx(1), 'score_entropy': pytest.approx(0.5)}
    assert expert_use([[2], [2]], scores)['entropy'] == 0
    assert expert_use([[0, 1], [0, 1]], scores)['entropy'] == pytest.approx(0.5)
    assert evenness(torch.ones(3, 1)).tolist() == [1, 1, 1]


@pytest.mark.unittest
def test_norms_are_means_over_the_steps_of_a_task():
    x = torch.zeros(3, 2, 2)
    x[0], x[1], x[2, 0] = torch.tensor([3.0, 4.0]), torch.tensor([0.0, 1.0]), torch.tensor([6.0, 8.0])
    assert norm_by_task(x, (0, 2, 2)) == {0: 5.0, 2: pytest.approx(3.0)}


@pytest.mark.unittest
def test_a_policy_is_diagnosed():
    policy = tiny_policy()
    policy.learn_mode.forward(training_data())
    diagnosis = policy.diagnose((random_batch((0, 0, 1, 1, 2, 2), 8) for _ in range(2)), {})
    scalars = diagnosis['scalars']
    modules = {'vae.encoders', 'vae.decoders', 'experts', 'shared', 'reward_head', 'continuation_head', 'task_head'}
    for name in modules | {'agent.actor', 'agent.critic', 'all'}:
        assert 0 <= scalars[f'dormant/{name}'] < 1, name
    for latent in ('h', 'features'):
        norms = [scalars[f'latent_norm/{latent}/{task}'] for task in TASKS]
        assert min(norms) > 0 and scalars[f'latent_norm/{latent}'] == pytest.approx(np.mean(norms))
    assert 0 <= scalars['expert_use/entropy'] <= 1 and scalars['expert_use/score_entropy'] > 0.9
    for part in ('shared', 'actor', 'encoder'):
        cosine = diagnosis['conflict'][part]
        pairs = cosine[np.triu_indices(3, 1)]
        assert cosine.shape == (3, 3) and np.allclose(np.diag(cosine), 1)
        assert np.allclose(cosine, cosine.T, equal_nan=True)
        assert scalars[f'gradient_conflict/{part}/mean_cosine'] == pytest.approx(np.nanmean(pairs))
        assert 0 <= scalars[f'gradient_conflict/{part}/signal'] <= 1


@pytest.mark.unittest
def test_in_bfloat16_as_on_a_gpu_the_numbers_are_about_the_same():
    policy, found = tiny_policy(), []
    for mixed in (False, True):
        policy._autocast = lambda: torch.autocast('cpu', torch.bfloat16, enabled=mixed)
        found.append(policy.diagnose((random_batch((0, 0, 1, 1, 2, 2), 8) for _ in range(2)), {}))
    single, half = found
    assert half['scalars'] == pytest.approx(single['scalars'], rel=0.05, abs=0.05)
    np.testing.assert_allclose(half['conflict']['shared'], single['conflict']['shared'], atol=0.1)
    assert np.allclose(np.diag(half['conflict']['shared']), 1, atol=1e-5)


@pytest.mark.unittest
def test_planted_units_of_a_policy_are_found():
    policy = tiny_policy()
    model, batch = policy._model, random_batch((0, 1, 2), 8)
    before = policy.diagnose([batch, batch], {})['scalars']
    with torch.no_grad():
        model.world_model.shared.feed_forward[0].expand.weight[0, :32] = 0
        model.world_model.shared.feed_forward[0].expand.bias[0, :32] = -1
        model.agent.actor.norms[0].bias[0] = -100
    after = policy.diagnose([batch, batch], {})['scalars']
    units = 32 + 2 * 64  # of the mixer and of two feed-forward layers
    assert after['dormant/shared'] >= 32 / units > before['dormant/shared']
    assert after['dormant/agent.actor'] >= 0.5 > before['dormant/agent.actor']


@pytest.mark.unittest
def test_tasks_that_ask_for_the_opposite_conflict_in_the_shared_transformer():
    policy = tiny_policy(
        model=dict(num_experts=0, experts_per_task=0, task_embedding_dim=0, num_clusters=1, task_head=False),
        clustering='order'
    )
    batch = random_batch((0, 0, 0, 2, 2, 2), 12)
    batch.obs[3:], batch.action[3:], batch.reward[3:] = batch.obs[:3], batch.action[:3], batch.reward[:3]
    cosine = lambda: policy.diagnose([batch, batch], {})['conflict']['shared'][0, 2]
    assert cosine() > 0.5
    losses = policy._task_losses
    policy._task_losses = lambda terms: losses(terms) * torch.tensor([1.0, 1.0, -1.0])
    assert cosine() < -0.5


@pytest.mark.unittest
@pytest.mark.parametrize(
    'model, tasks, parts', [
        (dict(num_experts=0, experts_per_task=0), (0, 1, 2), {'encoder', 'shared', 'actor'}),
        (dict(num_experts=0, experts_per_task=0, num_clusters=3), (0, 1, 2), {'shared', 'actor'}),
        (dict(shared_transformer=False), (0, 1, 2), {'encoder', 'actor'}),
        (dict(num_experts=0, num_clusters=1, task_embedding_dim=0, task_head=False), (1, ), set()),
    ]
)
def test_a_method_is_measured_in_what_it_has(model, tasks, parts):
    policy = tiny_policy(model=model, clustering='order', balance_weight=0.0)
    diagnosis = policy.diagnose((random_batch(tasks, 8) for _ in range(2)), {})
    names = set(diagnosis['scalars'])
    assert set(diagnosis['conflict']) == parts == {name.split('/')[1] for name in names if 'conflict' in name}
    assert ('expert_use/entropy' in names) == ('dormant/experts' in names) == (model.get('num_experts') != 0)
    assert ('dormant/task_head' in names) == model.get('task_head', True)


def everything(policy) -> dict:
    """All that diagnosing could change."""
    model, numpy_state = policy._model, torch.from_numpy(np.random.get_state()[1].astype(int))
    return copy.deepcopy(
        dict(
            state=policy.learn_mode.state_dict(), grads={name: p.grad for name, p in model.named_parameters()},
            needs_grad={name: p.requires_grad for name, p in model.named_parameters()},
            modes={name: module.training for name, module in model.named_modules()},
            hooks=[len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()],
            rng=[torch.get_rng_state(), list(random.getstate()[1]), numpy_state]
        )
    )


@pytest.mark.unittest
def test_diagnosing_leaves_no_trace():
    policy, other = tiny_policy(), tiny_policy()
    for one in (policy, other):
        torch.manual_seed(1)
        one.learn_mode.forward(training_data())
    before = everything(policy)
    assert any(grad is not None and grad.any() for grad in before['grads'].values())
    policy.diagnose((random_batch((0, 0, 1, 1, 2, 2), 8) for _ in range(2)), {})
    assert differences(before, everything(policy)) == []
    for one in (policy, other):
        torch.manual_seed(2)
        one.learn_mode.forward(training_data(3))
    assert differences(everything(policy), everything(other)) == []


@pytest.mark.unittest
def test_matrices_come_back_from_the_table(tmp_path):
    path, nan = str(tmp_path / 'diagnostics.csv'), np.nan
    early = np.array([[1, -0.5, 0.25], [-0.5, 1, 0.125], [0.25, 0.125, 1]])
    late = np.array([[1, nan, -0.75], [nan, nan, nan], [-0.75, nan, 1]])
    for step, cosine in ((10, early), (20, late)):
        append_diagnostics(path, step, {'dormant/all': 0.5, **matrix_rows('shared', cosine, TASKS)})
    rows = set(read_diagnostics(path).itertuples(index=False, name=None))
    assert (10, 'gradient_conflict/shared/cosine/red/green', -0.5) in rows
    env_step, matrices = last_matrices(path, TASKS)
    np.testing.assert_array_equal(matrices['shared'], np.where(np.eye(3), 1, late))
    assert env_step == 20 and set(matrices) == {'shared'}
    (tmp_path / 'other.csv').write_text('a,b\n')
    with pytest.raises(ValueError, match='is not a diagnostics table'):
        read_diagnostics(str(tmp_path / 'other.csv'))


@pytest.mark.unittest
def test_a_run_writes_its_diagnoses_after_evaluations(tmp_path):
    train(tiny_config(tmp_path / 'run', policy=dict(report_freq=1000)))
    rows = list(read_diagnostics(str(tmp_path / 'run' / 'diagnostics.csv')).itertuples(index=False))
    evaluated = [int(line.split(',')[3]) for line in (tmp_path / 'run' / 'results.csv').read_text().split('\n')[1:-1]]
    assert sorted({row[0] for row in rows}) == sorted(set(evaluated))[1:], 'nothing is diagnosed before training'
    assert len(rows) == len({row[:2] for row in rows})
    assert (tmp_path / 'run' / 'report' / 'gradient_conflict.png').stat().st_size > 0


@pytest.mark.unittest
@pytest.mark.parametrize('content', [None, '', 'env_step,name,value\n8,dormant/all,0.5\n'])
def test_without_a_matrix_there_is_no_picture(tmp_path, content):
    """Before the first diagnosis, after a resume from before it, and with one task."""
    if content is not None:
        (tmp_path / 'diagnostics.csv').write_text(content)
    results = str(tmp_path / 'results.csv')
    append_results(results, [Result('mow', 0, 'red', 0, 1, 1.0, None)])
    policy = SimpleNamespace(report=lambda batch: {})
    buffer = SimpleNamespace(sample_for_report=lambda count, rng: None)
    workers = SimpleNamespace(policy=policy, buffer=buffer, own=range(len(TASKS)), numbered=lambda batch: batch)
    write_report(str(tmp_path), results, workers, TASKS)
    assert [path.name for path in (tmp_path / 'report').iterdir()] == ['curves.png']
