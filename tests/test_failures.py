"""Failures in the middle of a run: one clear line, and the last good checkpoint to resume from."""
import importlib
import logging
import os
import signal
import threading
import time

import pytest
import torch
from ding.utils import ENV_REGISTRY

import helpers.two_task_env as two_task_env
from helpers.tiny_run import differences, load, tiny_config, train
from lzero_mow import cli
from lzero_mow.entry.run import checkpoint
from lzero_mow.entry.run.interrupts import interruptible
from lzero_mow.policy.mow import MoWPolicy
from lzero_mow.report.tables import csv_table
from lzero_mow.worker.evaluator import MoWEvaluator

ENTRY = importlib.import_module('lzero_mow.entry.train_multitask')


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch):
    monkeypatch.setattr(ENTRY, 'write_report', lambda *_: None)


@ENV_REGISTRY.register('dying_mow')
class DyingEnv(two_task_env.TwoTaskEnv):
    """The environment of the task Shifted ends its process, or raises, at step 40."""

    steps = 0

    def step(self, action):
        self.steps += 1
        if self._task == 'Shifted' and self.steps == 40:
            if os.environ['HOW_TO_DIE'] == 'raise':
                raise RuntimeError('the emulator is gone')
            os._exit(3)
        return super().step(action)


def command(run_dir, config, monkeypatch, capsys, resume=None):
    """Run a configuration as the command line does; returns the exit code and what was written to the screen."""
    monkeypatch.setattr(cli, 'set_up_screen', lambda shown: None)
    capsys.readouterr()
    code = cli._run('mow', config, resume)
    return code, capsys.readouterr().err.splitlines()


@pytest.mark.unittest
@pytest.mark.parametrize('field, poison', [('reward', 'nan'), ('terminated', 'inf')])
def test_nan_stops_the_run_and_keeps_the_checkpoint(tmp_path, monkeypatch, capsys, caplog, field, poison):
    learn = MoWPolicy._forward_learn

    def poisoned(self, data):
        if self._updates == 3:
            getattr(data['world_model'], field)[data['world_model'].task.index(1)] = float(poison)
        return learn(self, data)

    monkeypatch.setattr(MoWPolicy, '_forward_learn', poisoned)
    run_dir = tmp_path / 'run'
    with caplog.at_level(logging.INFO):
        code, lines = command(run_dir, tiny_config(run_dir), monkeypatch, capsys)
    assert code == 1 and len(lines) == 1
    assert lines[0].startswith('mow: error: task Shifted: ') and 'is not finite at update 4' in lines[0]
    assert f'with: --resume {run_dir}' in caplog.text
    assert 'FloatingPointError' in (run_dir / 'log' / 'error.txt').read_text(), 'the traceback is in the log folder'
    saved = load(run_dir)
    assert saved['train_iter'] < 4
    assert all(value.isfinite().all() for value in saved['policy']['model'].values() if value.is_floating_point())
    monkeypatch.setattr(MoWPolicy, '_forward_learn', learn)
    train(tiny_config(run_dir), resume=str(run_dir))
    assert load(run_dir)['env_step'] >= 96


@pytest.mark.unittest
@pytest.mark.parametrize('manager, how', [('subprocess', 'exit'), ('subprocess', 'raise'), ('base', 'raise')])
def test_a_dead_environment_is_named(tmp_path, monkeypatch, capfd, manager, how):
    monkeypatch.setenv('HOW_TO_DIE', how)
    run_dir = tmp_path / 'run'
    config = tiny_config(run_dir, env_type='dying_mow', create=dict(env_manager=dict(type=manager)))
    code, lines = command(run_dir, config, monkeypatch, capfd)
    assert code == 1
    # DI-engine's subprocess manager forgets which environment raised; its message, with the cause, is passed on.
    raised = (manager, how) == ('subprocess', 'raise')
    expected = 'mow: error: an environment failed' if raised else 'mow: error: environment 1 (task Shifted)'
    assert lines[-1].startswith(expected) and ('the emulator is gone' in lines[-1]) == (how == 'raise'), lines
    saved = load(run_dir)
    assert 24 <= saved['env_step'] < 40
    config['create']['env']['type'] = 'two_task_mow'
    with pytest.raises(ValueError, match='another create.env.type'):
        train(config, resume=str(run_dir))


@pytest.mark.unittest
def test_a_full_disk_while_saving(tmp_path, monkeypatch, capsys):
    save_run, run_dir = checkpoint.save_run, tmp_path / 'run'

    def open_for_writing_full(path, mode='r', **options):
        return open('/dev/full' if 'w' in mode else path, mode, **options)

    def save_until_full(folder, position, parts):
        if position['env_step'] > 40:
            monkeypatch.setattr(checkpoint, 'open', open_for_writing_full, raising=False)
        save_run(folder, position, parts)

    monkeypatch.setattr(checkpoint, 'save_run', save_until_full)
    code, lines = command(run_dir, tiny_config(run_dir), monkeypatch, capsys)
    assert code == 1 and len(lines) == 1
    assert f'cannot save {run_dir}/ckpt/latest.pth.tar: No space left on device' in lines[0]
    monkeypatch.undo()
    assert 24 <= load(run_dir)['env_step'] < 40
    monkeypatch.setattr(ENTRY, 'write_report', lambda *_: None)
    train(tiny_config(run_dir), resume=str(run_dir))
    train(tiny_config(tmp_path / 'whole'))
    assert differences(load(run_dir), load(tmp_path / 'whole')) == []


@pytest.mark.unittest
def test_a_full_disk_while_logging(tmp_path, monkeypatch, capsys):
    run_dir = tmp_path / 'run'

    def open_full(path, mode, **_):
        return open('/dev/full', mode)

    monkeypatch.setattr(csv_table, 'open', open_full, raising=False)
    code, lines = command(run_dir, tiny_config(run_dir), monkeypatch, capsys)
    assert (code, lines) == (1, [f'mow: error: No space left on device: {run_dir}/results.csv'])


@pytest.mark.unittest
def test_a_run_that_cannot_be_resumed_is_closed_and_left_as_it_was(tmp_path, monkeypatch, capsys):
    run_dir, closed = tmp_path / 'run', []
    train(tiny_config(run_dir), max_env_step=48)
    before = (run_dir / 'total_config.yaml').read_text()
    next((run_dir / 'ckpt' / 'replay').glob('*.npz')).write_bytes(b'damaged')
    monkeypatch.setattr(two_task_env.TwoTaskEnv, 'close', lambda env: closed.append(env))
    config = tiny_config(run_dir, policy=dict(batch_size=6))
    code, lines = command(run_dir, config, monkeypatch, capsys, resume=str(run_dir))
    assert code == 2 and len(lines) == 1 and 'is missing or damaged' in lines[0]
    assert len(set(closed)) == 6, 'two that collect, four that evaluate'
    assert 'is missing or damaged' in (run_dir / 'log' / 'error.txt').read_text()
    assert (run_dir / 'total_config.yaml').read_text() == before


@pytest.mark.unittest
def test_a_part_that_cannot_be_built_closes_the_environments(tmp_path, monkeypatch, capsys):
    closed = []
    monkeypatch.setattr(two_task_env.TwoTaskEnv, 'close', lambda env: closed.append(env))

    def refuse(self, **_):
        raise RuntimeError('no evaluator today')

    monkeypatch.setattr(MoWEvaluator, '__init__', refuse)
    monkeypatch.setattr(MoWEvaluator, '__del__', lambda self: None)  # the stock one closes what was never built
    code, lines = command(tmp_path / 'run', tiny_config(tmp_path / 'run'), monkeypatch, capsys)
    assert (code, lines) == (1, ['mow: error: no evaluator today'])
    assert len(set(closed)) == 2 and (tmp_path / 'run' / 'log' / 'error.txt').exists()


@pytest.mark.unittest
def test_python_callers_get_the_checks_of_the_command_line(tmp_path):
    config = tiny_config(tmp_path / 'run')
    config['policy']['model']['cluster_of_task'] = [0, 1]
    with pytest.raises(ValueError, match='policy.model.cluster_of_task follows from policy.clustering'):
        train(config)
    assert not (tmp_path / 'run').exists()


@pytest.mark.unittest
@pytest.mark.parametrize('manager', ['base', 'subprocess'])
def test_interrupted(tmp_path, monkeypatch, capfd, manager):
    """Ctrl-C goes to every process of the terminal; it may arrive inside an environment."""
    run_dir, before = tmp_path / 'run', signal.getsignal(signal.SIGINT)

    def interrupt():
        while not (run_dir / 'ckpt' / 'latest.pth.tar').exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    config = tiny_config(run_dir, max_env_step=10 ** 6, create=dict(env_manager=dict(type=manager)))
    code, lines = command(run_dir, config, monkeypatch, capfd)
    assert code == 130 and lines[-1] == 'mow: error: interrupted'
    assert signal.getsignal(signal.SIGINT) is before
    load(run_dir)


@pytest.mark.unittest
def test_an_interrupt_that_an_environment_swallowed():
    with pytest.raises(KeyboardInterrupt):
        with interruptible():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(5)
            except KeyboardInterrupt as error:
                raise RuntimeError('Env 0 step has exceeded max retries(1)') from error
    with pytest.raises(RuntimeError, match='a bug'):
        with interruptible():
            raise RuntimeError('a bug')


@pytest.mark.unittest
def test_an_interrupt_inside_an_environment_is_no_failure(tmp_path, monkeypatch):
    """DI-engine's managers turn it into a RuntimeError, which the run is not to log as its cause of death."""
    steps, step = [], two_task_env.TwoTaskEnv.step

    def interrupted_step(env, action):
        steps.append(action)
        if len(steps) == 150:
            os.kill(os.getpid(), signal.SIGINT)
        return step(env, action)

    monkeypatch.setattr(two_task_env.TwoTaskEnv, 'step', interrupted_step)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config(tmp_path / 'run', max_env_step=10 ** 6))
    assert not (tmp_path / 'run' / 'log' / 'error.txt').exists()


@pytest.mark.unittest
def test_a_missing_device_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    config = tiny_config(tmp_path / 'run', policy=dict(device='cuda'))
    code, lines = command(tmp_path / 'run', config, monkeypatch, capsys)
    assert code == 2 and 'policy.device is cuda but torch finds no usable GPU' in lines[0] and len(lines) == 1
    assert not (tmp_path / 'run').exists()
