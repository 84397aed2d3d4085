"""The entry with other policies, other weights and other ends than a plain run's."""
import importlib

import numpy as np
import pytest
import torch
from ding.utils import POLICY_REGISTRY

from helpers.tiny_run import differences, load, tiny_config, train
from helpers.two_task_env import TwoTaskEnv
from lzero_mow.config.common import LightZeroKeys, LightZeroModelKeys
from lzero_mow.config.saved import load_run_config
from lzero_mow.entry.run import checkpoint
from lzero_mow.policy.multitask_policy import MultitaskPolicy
from lzero_mow.report.tables.results import read_results

ENTRY = importlib.import_module('lzero_mow.entry.train_multitask')


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch):
    monkeypatch.setattr(ENTRY, 'write_report', lambda *_: None)


@POLICY_REGISTRY.register('random_test')
class RandomPolicy(MultitaskPolicy):
    """Another method: none of MoW's keys, and none of the hooks overridden."""

    config = dict(
        **LightZeroKeys.defaults(), type='random_test', device='cpu',
        model=dict(
            LightZeroModelKeys.defaults(), observation_shape=(3, 64, 64), action_space_size=18,
            continuous_action_space=False
        ), replay_buffer_size=200, batch_size=2, batch_length=8, game_segment_length=6, num_unroll_steps=1, td_steps=1,
        discount_factor=0.99,
        train_start_after_envsteps=24, replay_ratio=0.5, eval_freq=50, checkpoint_freq=50, report_freq=50, log_freq=5,
        imagine_source='batch', imagine_batch_size=2, context_length=2, life_loss_as_termination=True,
        learn=dict(lr=1.0)
    )

    def default_model(self):
        return 'MoWModel', ['lzero_mow.model.mow.mow_model']

    def _create_model(self, cfg, model=None):
        return torch.nn.Linear(1, 1)

    def _init_learn(self):
        self.updates, self.legal = 0, torch.ones(2, 18, dtype=torch.bool)

    def _forward_learn(self, data):
        self.updates += 1
        return {'loss': float(data['world_model'].reward.mean())}

    def _memory_sizes(self):
        return 1, 1

    def _action_table(self):
        return self.legal

    def _act(self, memory, ready, epsilon, evaluating):
        output = dict(
            action=np.random.randint(4), visit_count_distributions=[1 / 18] * 18, visit_count_distribution_entropy=4.2,
            searched_value=0.0, predicted_value=0.0, timestep=0
        )
        return {env_id: dict(output) for env_id in ready.env_ids}

    def _state_dict_learn(self):
        return {'updates': self.updates}

    def _load_state_dict_learn(self, state):
        self.updates = state['updates']


@pytest.mark.unittest
def test_another_method_through_the_same_entry(tmp_path):
    """The configs alone decide what is trained; resuming works for it as well."""
    config = tiny_config(tmp_path / 'run')
    config['create']['policy'] = dict(type='random_test', import_names=[])
    config['policy'] = dict(batch_size=4, device='cpu', model={}, learn=dict(lr=5.0))
    policy = train(config)
    assert isinstance(policy, RandomPolicy) and policy.updates >= 36
    assert set(read_results(str(tmp_path / 'run' / 'results.csv')).method) == {'random_test'}
    assert policy.cfg.learn.lr == 5.0 and load_run_config(str(tmp_path / 'run'))['policy']['learn']['lr'] == 5.0
    resumed = train(config, resume=str(tmp_path / 'run'), max_env_step=120)
    assert resumed.updates > policy.updates


@pytest.mark.unittest
def test_stops_after_max_train_iter_and_starts_from_given_weights(tmp_path):
    policy = train(tiny_config(tmp_path / 'run'), max_train_iter=3)
    assert load(tmp_path / 'run')['train_iter'] == 3
    best = load(tmp_path / 'run', 'ckpt_best.pth.tar')
    assert best['score'] > -1 and list(best['policy']) == ['model'], 'weights alone'
    expected = {'latest': policy.learn_mode.state_dict()['model'], 'ckpt_best': best['policy']['model']}
    for name, weights in expected.items():
        path = str(tmp_path / 'run' / 'ckpt' / f'{name}.pth.tar')
        started = train(tiny_config(tmp_path / name, seed=1), max_train_iter=0, model_path=path)
        assert differences(started.learn_mode.state_dict()['model'], weights) == []
        saved = load(tmp_path / name)['policy']
        assert saved['updates'] == 0 and not saved['optimizer']['state'], 'nothing else is taken over'


@pytest.mark.unittest
def test_weights_of_a_policy_without_saved_weights(tmp_path):
    path = str(tmp_path / 'x.pth.tar')
    checkpoint.write_atomically({'format': checkpoint.FORMAT, 'policy': {'updates': 3}}, path)
    with pytest.raises(checkpoint.CheckpointError, match='there are no networks in .*x.pth.tar'):
        train(tiny_config(tmp_path / 'run'), model_path=path)


@pytest.mark.unittest
def test_another_replay_trains_and_resumes_a_run(tmp_path):
    """A replay is named in the configuration; it derives from nothing."""

    def config_of(name):
        config = tiny_config(tmp_path / name, policy=dict(imagine_source='batch'))
        config['create']['replay_buffer'] = dict(type='list_replay', import_names=['helpers.list_replay'])
        return config

    train(config_of('whole'))
    train(config_of('stopped'), max_env_step=72)
    folder = tmp_path / 'stopped'
    before = load(folder)
    assert before['env_step'] < 96 and [path.name for path in (folder / 'ckpt' / 'replay').iterdir()] == \
        [before['ranks'][0]['replay']['file']]
    train(config_of('stopped'), resume=str(folder))
    assert differences(load(folder)['policy'], load(tmp_path / 'whole')['policy']) == []
    assert (folder / 'results.csv').read_text() == (tmp_path / 'whole' / 'results.csv').read_text()


@pytest.mark.unittest
def test_an_environment_without_a_check_is_refused(tmp_path, monkeypatch):
    monkeypatch.delattr(TwoTaskEnv, 'reference_scores')
    with pytest.raises(ValueError, match="environment 'two_task_mow' lacks reference_scores: see lzero_mow.envs"):
        train(tiny_config(tmp_path / 'run'))
    assert not (tmp_path / 'run').exists()


@pytest.mark.unittest
def test_another_replay_cannot_resume_a_run(tmp_path):
    train(tiny_config(tmp_path / 'run'), max_env_step=48)
    config = tiny_config(tmp_path / 'run')
    config['create']['replay_buffer'] = dict(type='list_replay', import_names=['helpers.list_replay'])
    with pytest.raises(ValueError, match='another create.replay_buffer.type'):
        train(config, resume=str(tmp_path / 'run'))


@pytest.mark.unittest
def test_what_lacks_the_methods_of_a_replay_is_refused(tmp_path):
    config = tiny_config(tmp_path / 'run')
    config['create']['replay_buffer'] = dict(type='game_buffer_muzero', import_names=['lzero.mcts'])
    with pytest.raises(ValueError, match="replay 'game_buffer_muzero' lacks methods of lzero_mow.buffer.replay.Replay"):
        train(config)
