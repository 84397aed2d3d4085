"""Dynamic Parameter Scaling in a run: solved tasks rest and return, stages follow one another, both are resumed."""
import csv
import importlib

import numpy as np
import pytest
import torch
from test_resume import assert_same_run

from helpers.collection import collect_logs, make_collector, real_steps
from helpers.tiny_run import Stopped, load, train
from helpers.two_task_env import TASKS
from lzero_mow.buffer.game_buffer_scalezero import ScaleZeroGameBuffer
from lzero_mow.config.build import build_config, settle
from lzero_mow.mcts.choices import AllActions
from lzero_mow.mcts.tree_search import SearchResult
from lzero_mow.policy import scalezero_acting
from lzero_mow.policy.scalezero import ScaleZeroPolicy
from lzero_mow.report.tables.run_record import read_run_record
from lzero_mow.worker import MoWEvaluator

ENTRY = importlib.import_module('lzero_mow.entry.train_multitask')
FIRST, SECOND = TASKS


def config_of(run_dir):
    changes = dict(
        eval_freq=24, checkpoint_freq=24, train_start_after_envsteps=24, replay_ratio=0.1, solved_patience=1,
        stage_min_updates=3, stage_max_updates=2
    )
    config = build_config(
        'debug', method='scalezero_dps', layers=[dict(exp_name=str(run_dir), max_env_step=168, policy=changes)]
    )
    config['env']['tasks'] = list(TASKS)
    config['policy']['solved_returns'] = {FIRST: 10.0}
    config['create']['env'] = dict(type='two_task_mow', import_names=['helpers.two_task_env'])
    return settle(config)


def episodes(*returns):
    """What an evaluation of one episode per task says."""
    return {'return': np.array(returns).reshape(-1, 1)}


@pytest.fixture
def scripted(monkeypatch):
    """Evaluations return what the test says, one value of the first task after the other; the second fails always."""
    monkeypatch.setattr(ENTRY, 'write_report', lambda *_: None)

    def script(*returns_of_first):
        values = iter(returns_of_first)
        monkeypatch.setattr(MoWEvaluator, 'eval_tasks', lambda self, *_: episodes(next(values), 0.0))

    return script


def sampled_tasks(monkeypatch):
    """The tasks of every training batch, as they are drawn."""
    drawn, sample = [], ScaleZeroGameBuffer.sample
    monkeypatch.setattr(
        ScaleZeroGameBuffer, 'sample', lambda self, *args: drawn.append(sample(self, *args)['search'].task) or
        sample(self, *args)
    )
    return drawn


def dps_rows(run_dir, name):
    with open(run_dir / 'diagnostics.csv') as file:
        return [float(row[2]) for row in csv.reader(file) if row[1] == f'dps/{name}']


@pytest.mark.unittest
def test_a_solved_task_rests_until_it_fails_again(tmp_path, scripted, monkeypatch):
    drawn = sampled_tasks(monkeypatch)
    scripted(99, 20, 20, 20, 3, 3, 3, 3)  # the first one is before anything is learned and counts for nothing
    train(config_of(tmp_path / 'run'))
    record = read_run_record(str(tmp_path / 'run'))
    assert dps_rows(tmp_path / 'run', f'solved/{FIRST}')[:5] == [1, 1, 1, 0, 0]
    taken = load(tmp_path / 'run')
    assert record.env_step >= 168 and taken['workers'][1] == 0 and 48 <= taken['workers'][0] <= 96
    assert record.interactions == 2 * record.env_step - taken['workers'][0]
    kinds = [tuple(sorted(set(tasks))) for tasks in drawn]
    changes = [kind for kind, before in zip(kinds, [None, *kinds]) if kind != before]
    assert changes == [(0, 1), (1, ), (0, 1)]
    assert all(len(tasks) == 4 for tasks in drawn)  # the others get what the resting one leaves


@pytest.mark.unittest
def test_time_passes_without_play_when_all_tasks_are_solved(tmp_path, scripted, monkeypatch):
    monkeypatch.setattr(ENTRY, 'write_report', lambda *_: None)
    monkeypatch.setattr(MoWEvaluator, 'eval_tasks', lambda self, *_: episodes(20.0, 20.0))
    config = config_of(tmp_path / 'run')
    config['policy']['solved_returns'] = {FIRST: 10.0, SECOND: 10.0}
    train(config)
    record = read_run_record(str(tmp_path / 'run'))
    assert record.env_step == 168 and record.interactions < 100


@pytest.mark.unittest
def test_stages_follow_one_another_and_a_run_resumes_within_one(tmp_path, scripted, monkeypatch):
    scripted(*[20] * 20)
    train(config_of(tmp_path / 'run'), max_env_step=96)
    state = load(tmp_path / 'run')
    stage, solved = state['policy']['scaling']['controller']['stage'], state['policy']['scaling']['solved']['solved']
    assert 1 <= stage < 4 and solved == {FIRST: True, SECOND: False} and state['workers'][0] > 0
    monkeypatch.setattr(ENTRY, '_collect', lambda run, epsilon: pytest.fail(f'{inspected(run)}'))
    with pytest.raises(pytest.fail.Exception) as resumed:
        train(config_of(tmp_path / 'run'), resume=str(tmp_path / 'run'))
    learning = sorted(
        name for name in state['policy']['model'] if f'.adapters.{stage - 1}.' in name or
        '.scales.' in name and int(name.rsplit('.', 1)[1]) <= stage
    )
    assert resumed.value.msg == f'{(stage, [1], state["workers"], learning)}'


def prior_in_place_of_a_search(model, window, cfg, rng=None):
    """LightZero 0.2.0's trees break ties by the clock, so nothing that searches can be repeated."""
    roots = model.open(window.latent, window.action, torch.from_numpy(window.length), model.route(window.task))
    visits = roots.policy.masked_fill(~torch.from_numpy(window.legal), -torch.inf).softmax(-1).numpy()
    value = model.value_support.mean(roots.value).numpy()
    return SearchResult(visits, value, value, roots.policy.numpy(), AllActions(window.legal).root_actions)


@pytest.mark.unittest
def test_a_run_stopped_in_the_middle_of_a_stage_resumes_bit_for_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(ENTRY, 'write_report', lambda *_: None)
    monkeypatch.setattr(scalezero_acting, 'search', prior_in_place_of_a_search)
    monkeypatch.setattr(MoWEvaluator, 'eval_tasks', lambda self, *_: episodes(20.0, 0.0))
    train(config_of(tmp_path / 'whole'))
    learn = ScaleZeroPolicy._forward_learn

    def learn_until(self, data):
        if self._updates == 7:
            assert 1 <= self._model.stage < 4 and self.active_tasks == [1]
            raise Stopped
        return learn(self, data)

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(ScaleZeroPolicy, '_forward_learn', learn_until)
        train(config_of(tmp_path / 'stopped'))
    assert 0 < load(tmp_path / 'stopped')['train_iter'] < 7
    train(config_of(tmp_path / 'stopped'), resume=str(tmp_path / 'stopped'))
    assert_same_run(tmp_path / 'stopped', tmp_path / 'whole')


def inspected(run):
    policy = run.workers.policy
    learning = sorted(name for name, p in policy._model.backbone.named_parameters() if p.requires_grad)
    return policy._model.stage, policy.active_tasks, run.workers.state_dict(), [f'backbone.{n}' for n in learning]


@pytest.mark.unittest
def test_environments_that_are_not_stepped_wait_in_their_episodes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    collector = make_collector(4)
    collect_logs(collector, calls=3)
    before = collector.envsteps
    pairs = [pair for _ in range(3) for pair in zip(*collector.collect(env_ids=[1, 3]))]
    assert {meta['env_id'] for _, meta in pairs} == {1, 3}
    steps = collector.envsteps - before
    assert steps[0] == steps[2] == 0 and steps[1] == steps[3] > 0
    logs, _ = collect_logs(collector, calls=4)
    true = collector._env._envs[0].log
    stored = logs[0]
    start = true.index(stored[0])
    assert stored == true[start:start + len(stored)]  # nothing lost, nothing twice
    assert all(real_steps(segment, meta) for segment, meta in pairs)
