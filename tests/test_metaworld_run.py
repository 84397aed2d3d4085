"""A whole run on Meta-World: continuous actions from the actor to the replay and back, success in the table, resume."""
import csv
import importlib
import os
import re
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest
import torch

from helpers.metaworld import skip_without_metaworld
from helpers.tiny_run import Stopped, differences, load, train
from lzero_mow.config.build import build_config, change, lightzero_configs
from lzero_mow.config.validate import validate
from lzero_mow.envs.metaworld import MetaWorldMoWEnv
from lzero_mow.policy.mow import MoWPolicy
from lzero_mow.studies.bench.metaworld_speed import steps_per_second

skip_without_metaworld()
ENTRY = importlib.import_module('lzero_mow.entry.train_multitask')


def config_of(run_dir, **policy):
    layer = dict(exp_name=str(run_dir), env=dict(evaluation_episodes=2), policy=dict(device='cpu', **policy))
    return build_config('debug', layers=[layer], suite='metaworld')


@pytest.mark.unittest
@pytest.mark.timeout(600)
def test_a_run_ends_with_successes_and_resumes_bit_for_bit(tmp_path, monkeypatch):
    train(config_of(tmp_path / 'whole'))
    with open(tmp_path / 'whole' / 'results.csv') as file:
        rows = list(csv.DictReader(file))
    assert {row['task'] for row in rows} == {'drawer-close', 'reach'}
    assert all(row['success_any'] in ('0.0', '0.5', '1.0') and row['success_last'] for row in rows)
    assert all(not row['normalised'] for row in rows)
    assert (tmp_path / 'whole' / 'report' / 'open_loop_reach.mp4').exists()
    state = load(tmp_path / 'whole')
    action = state['ranks'][0]['acting']['collect_memory']['action']
    assert action.shape[-1] == 4 and action.dtype == torch.float and 0 < action.abs().max() <= 1

    monkeypatch.setattr(ENTRY, 'write_report', lambda *_: None)
    learn = MoWPolicy._forward_learn

    def learn_until(self, data):
        if self._updates == 4:
            raise Stopped
        return learn(self, data)

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(MoWPolicy, '_forward_learn', learn_until)
        train(config_of(tmp_path / 'stopped'))
    train(config_of(tmp_path / 'stopped'), resume=str(tmp_path / 'stopped'))
    assert differences(load(tmp_path / 'stopped'), state) == []


class GoalGame:
    """Replaces the simulator: the reward is the index of the goal."""
    screen = np.zeros((64, 64, 3), dtype=np.uint8)

    def reset(self, seed, goal):
        self.goal = goal
        return np.random.default_rng(seed)

    def step(self, action):
        return float(self.goal), False, {'success': self.goal % 2 == 0, 'success_now': False}

    def observe(self):
        return self.screen.transpose(2, 0, 1)

    def close(self):
        """Nothing to free."""


@pytest.mark.unittest
@pytest.mark.parametrize('manager', ['base', 'subprocess'])
def test_every_evaluation_plays_all_its_goals_once(tmp_path, monkeypatch, manager):
    from lzero_mow.entry.run.run_config import compile_run, resolve
    from lzero_mow.entry.run.workers import build_workers
    monkeypatch.setattr(MetaWorldMoWEnv, '_new_game', lambda self: GoalGame())  # processes that are forked have it too
    config = config_of(tmp_path)
    config['env'].update(evaluator_env_num=2, evaluation_episodes=6, max_episode_steps=1)
    config['create']['env_manager']['type'] = manager
    config = resolve(*lightzero_configs(change(config)), 0, 96)
    with closing(build_workers(compile_run(config), config['create'], str(tmp_path))) as workers:
        for _ in range(2):
            episodes = workers.evaluator.eval_tasks(0, 0)
            assert np.sort(episodes['return']).tolist() == [[0, 1, 2, 3, 4, 5]] * 2
            assert episodes['success_any'].mean() == 0.5 and episodes['success_last'].shape == (2, 6)


@pytest.mark.unittest
def test_the_benchmark_measures_with_and_without_pictures():
    options = ['--processes', '2', '--steps', '2', '--repeats', '1']
    command = [sys.executable, '-m', 'lzero_mow.studies.bench.metaworld_speed', *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.findall(r'(none|fast|full)\W+[1-9]', done.stdout) == ['none', 'fast', 'full']


@pytest.mark.unittest
@pytest.mark.timeout(120)
def test_the_benchmark_does_not_wait_for_a_process_that_died():
    with pytest.raises(SystemExit, match='no-task, fast pictures: one of 2 processes died'):
        steps_per_second('no-task', 'fast', processes=2, steps=1)


DYING = """
import os, signal, sys
from pathlib import Path
import lzero_mow.entry
from lzero_mow.envs.rendering import Renderer
from test_metaworld_run import config_of, train
folder, death = sys.argv[1:]
render, calls = Renderer.render, []
def render_until(self, data):
    calls.append(data)
    if len(calls) == 20 and death == 'killed':  # as by a driver that crashes
        os.kill(os.getpid(), signal.SIGKILL)
    if len(calls) == 20:
        raise RuntimeError('the GL context is lost')
    return render(self, data)
Renderer.render = render_until
config = config_of(Path(folder) / 'run')
config['create']['env_manager']['type'] = 'subprocess'
train(config)
"""


@pytest.mark.unittest
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    'death, message', [
        ('killed', r'environment \d \(task (reach|drawer-close)\) died: its process ended with exit code -9'),
        ('broken', '(reach|drawer-close) can no longer be drawn: the GL context is lost'),
    ]
)
def test_a_renderer_that_dies_in_its_process_is_named(tmp_path, death, message):
    """From a process that has not rendered, because one forked after rendering cannot render."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(map(os.path.abspath, ('.', 'tests'))))
    command = [sys.executable, '-c', DYING, str(tmp_path), death]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 1 and re.search(f'EnvironmentFailure: .*{message}', done.stderr), done.stderr[-2000:]


@pytest.mark.unittest
@pytest.mark.parametrize(
    'method, overrides, games, message', [
        ('mow', ['policy.model.continuous_action_space=false'], (), 'metaworld_mow has continuous actions'),
        ('mow', ['policy.model.action_space_size=5'], (), 'metaworld_mow has 4 actions'),
        ('mow', [], ('reach', 'Pong'), 'env.tasks names Pong, a task of atari_mow: '),
        ('scalezero', ['policy.num_sampled_actions=1'], (), 'policy.num_sampled_actions must be at least 2, got 1'),
    ]
)
def test_unworkable_settings_are_refused(method, overrides, games, message):
    with pytest.raises(ValueError) as raised:
        validate(build_config('debug', games, overrides=overrides, suite='metaworld', method=method))
    assert message in str(raised.value) and '\n' not in str(raised.value)
