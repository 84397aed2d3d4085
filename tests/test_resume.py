"""A run that is stopped and resumed equals one that was not, bit for bit, wherever it was stopped."""
import importlib
import logging
import multiprocessing
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from helpers.tiny_run import Stopped, differences, load, tiny_config, train
from lzero_mow.buffer.game_buffer_mow import MoWGameBuffer
from lzero_mow.config.build import build_config
from lzero_mow.entry.run import checkpoint
from lzero_mow.policy.mow import MoWPolicy

ENTRY = importlib.import_module('lzero_mow.entry.train_multitask')


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp('uninterrupted') / 'run'
    train(tiny_config(run_dir))
    return run_dir


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch):
    """Pictures take longer than these runs; only `uninterrupted`, and the test that asks for them, draws any."""
    with monkeypatch.context() as patch:
        patch.setattr(ENTRY, 'write_report', lambda *_: None)
        yield patch


def replay(run_dir) -> dict:
    folder = run_dir / 'ckpt' / 'replay'
    arrays = {}
    for name in sorted(os.listdir(folder)):
        with np.load(folder / name, allow_pickle=False) as shard:
            stream, start, _ = name.split('_')
            arrays.update({(stream, int(start), key): shard[key] for key in shard.files})
    return arrays


def assert_same_run(left, right):
    assert differences(load(left), load(right)) == []
    for table in ('results.csv', 'diagnostics.csv'):
        assert (left / table).read_text() == (right / table).read_text()
    shards, others = replay(left), replay(right)
    assert shards.keys() == others.keys() and all(np.array_equal(shards[key], others[key]) for key in shards)


@pytest.mark.unittest
def test_two_runs_of_one_seed_are_the_same(tmp_path, uninterrupted):
    train(tiny_config(tmp_path / 'run'))
    assert_same_run(tmp_path / 'run', uninterrupted)
    assert load(uninterrupted)['env_step'] >= 96 and load(uninterrupted)['train_iter'] == 8


@pytest.mark.unittest
def test_another_seed_is_another_run(tmp_path, uninterrupted):
    train(tiny_config(tmp_path / 'run', seed=1))
    assert differences(load(tmp_path / 'run')['policy'], load(uninterrupted)['policy'])


@pytest.mark.unittest
@pytest.mark.parametrize('update', [1, 4, 7])
def test_stopped_between_two_checkpoints(tmp_path, uninterrupted, monkeypatch, update):
    learn = MoWPolicy._forward_learn

    def learn_until(self, data):
        if self._updates == update - 1:
            raise Stopped
        return learn(self, data)

    monkeypatch.setattr(MoWPolicy, '_forward_learn', learn_until)
    with pytest.raises(Stopped):
        train(tiny_config(tmp_path / 'run'))
    monkeypatch.undo()
    assert load(tmp_path / 'run')['train_iter'] < update
    train(tiny_config(tmp_path / 'run'), resume=str(tmp_path / 'run'))
    assert_same_run(tmp_path / 'run', uninterrupted)


def assert_same_state(one, other, but=None):
    """Whether two checkpoints go on alike: what they cost may differ."""
    assert differences(one['policy'], other['policy']) == []
    (one, ), (other, ) = one['ranks'], other['ranks']
    for part in {'acting', 'collector', 'random', 'replay'} - {but}:
        assert differences(one[part], other[part]) == [], part


@pytest.mark.unittest
def test_stopped_at_the_end_and_extended(tmp_path, uninterrupted):
    train(tiny_config(tmp_path / 'run'), max_env_step=48)
    train(tiny_config(tmp_path / 'run'), resume=str(tmp_path / 'run'))
    ends, whole = load(tmp_path / 'run'), load(uninterrupted)
    assert_same_state(ends, whole)
    with pytest.raises(ValueError, match='is at environment step 96 already: --max-env-step is 72'):
        train(tiny_config(tmp_path / 'run'), resume=str(tmp_path / 'run'), max_env_step=72)


@pytest.mark.unittest
def test_evaluations_and_reports_leave_no_trace_in_the_training(tmp_path, uninterrupted, without_pictures):
    without_pictures.undo()
    policy = dict(eval_freq=12, report_freq=24, checkpoint_freq=96)
    train(tiny_config(tmp_path / 'run', policy=policy))
    often, seldom = load(tmp_path / 'run'), load(uninterrupted)
    assert_same_state(often, seldom, but='replay')  # saved as often


SAVING_MOMENTS = {
    'shards written': (checkpoint, 'write_atomically', lambda state, path: path.endswith('latest.pth.tar')),
    'checkpoint half written': (
        checkpoint._Recorded, 'write', lambda file, data: 'latest' in file._file.name and len(data) > 1000
    ),
    'checkpoint written': (MoWGameBuffer, 'prune', lambda *_: True),
}


@pytest.mark.unittest
@pytest.mark.parametrize('moment', SAVING_MOMENTS)
def test_stopped_while_saving(tmp_path, uninterrupted, monkeypatch, moment):
    """Two checkpoints are complete; the third save stops at one of its moments."""
    complete = []
    save_run = checkpoint.save_run
    monkeypatch.setattr(checkpoint, 'save_run', lambda *run: (save_run(*run), complete.append(1)))
    owner, name, matches = SAVING_MOMENTS[moment]
    function = getattr(owner, name)

    def stop(*arguments):
        if len(complete) == 2 and matches(*arguments):
            raise Stopped
        return function(*arguments)

    monkeypatch.setattr(owner, name, staticmethod(stop) if name == 'prune' else stop)
    with pytest.raises((Stopped, RuntimeError)):  # torch's writer masks what stopped it
        train(tiny_config(tmp_path / 'run'))
    monkeypatch.undo()
    train(tiny_config(tmp_path / 'run'), resume=str(tmp_path / 'run'))
    assert_same_run(tmp_path / 'run', uninterrupted)


@pytest.mark.unittest
@pytest.mark.parametrize('seconds', [0.0, 0.15, 0.4])
def test_killed_at_any_moment(tmp_path, uninterrupted, seconds):
    """SIGKILL, some time after the first checkpoint is there."""
    latest = tmp_path / 'run' / 'ckpt' / 'latest.pth.tar'
    process = multiprocessing.get_context('fork').Process(target=train, args=(tiny_config(tmp_path / 'run'), ))
    process.start()
    while not latest.exists() and process.is_alive():
        time.sleep(0.01)
    time.sleep(seconds)
    process.kill()
    process.join()
    assert load(tmp_path / 'run')['env_step'] <= 96
    train(tiny_config(tmp_path / 'run'), resume=str(tmp_path / 'run'))
    assert_same_run(tmp_path / 'run', uninterrupted)


@pytest.mark.unittest
def test_environments_in_other_processes_begin_new_episodes(tmp_path, caplog):
    """Their states cannot be saved: the run says so and continues, but no longer the same bit for bit."""
    config = tiny_config(tmp_path / 'run', create=dict(env_manager=dict(type='subprocess')))
    train(config, max_env_step=48)
    stopped = load(tmp_path / 'run')
    with caplog.at_level(logging.INFO):
        train(config, resume=str(tmp_path / 'run'))
    assert 'every environment starts a new episode' in caplog.text
    assert load(tmp_path / 'run')['env_step'] >= 96 > stopped['env_step']
    assert load(tmp_path / 'run')['train_iter'] > stopped['train_iter']


@pytest.mark.unittest
def test_another_task_list_or_other_shapes_are_refused(tmp_path, uninterrupted):
    run_dir = shutil.copytree(uninterrupted, tmp_path / 'run')
    before = differences(load(run_dir), load(uninterrupted))
    for changes, message in (
        (dict(env=dict(tasks=['Shifted', 'Direct'])),
         'another task list: it was started with Direct, Shifted, now Shifted'),
        (dict(policy=dict(model=dict(width=32))), 'another policy.model.width: it was started with 16, now 32'),
        (dict(env=dict(collector_env_num=2), policy=dict(train_start_after_envsteps=40)),
         'another env.collector_env_num'),
        (dict(env=dict(frame_skip=2)), 'another env.frame_skip: it was started with 4, now 2'),
        (dict(env=dict(noop_max=0)), 'another env.noop_max'),
        (dict(env=dict(repeat_action_probability=0.25)), 'another env.repeat_action_probability'),
        (dict(env=dict(max_episode_steps=99)), 'another env.max_episode_steps'),
        (dict(policy=dict(acting_window=5)), 'another policy.acting_window'),
        (dict(policy=dict(replay_buffer_size=500)), 'another policy.replay_buffer_size'),
        (dict(seed=3), 'another seed'),
    ):
        with pytest.raises(ValueError, match=message):
            train(tiny_config(run_dir, **changes), resume=str(run_dir))
    assert before == differences(load(run_dir), load(uninterrupted)) == []


@pytest.mark.unittest
def test_a_learning_rate_may_change_on_resume(tmp_path, uninterrupted):
    run_dir = shutil.copytree(uninterrupted, tmp_path / 'run')
    config = tiny_config(run_dir, policy=dict(batch_size=6), max_env_step=120)
    train(config, resume=str(run_dir))
    assert load(run_dir)['env_step'] >= 120
    assert 'batch_size: 6' in (run_dir / 'total_config.yaml').read_text()


@pytest.mark.unittest
def test_nothing_to_resume(tmp_path, uninterrupted):
    with pytest.raises(ValueError, match='is no run folder'):
        train(tiny_config(tmp_path), resume=str(tmp_path))
    run_dir = shutil.copytree(uninterrupted, tmp_path / 'run')
    (run_dir / 'ckpt' / 'latest.pth.tar').unlink()
    with pytest.raises(checkpoint.CheckpointError, match='has no checkpoint yet'):
        train(tiny_config(run_dir), resume=str(run_dir))


@pytest.mark.unittest
def test_a_new_run_does_not_write_over_an_old_one(uninterrupted):
    before = sorted(path.stat().st_mtime_ns for path in uninterrupted.rglob('*'))
    with pytest.raises(ValueError, match='holds a run already: continue it with --resume'):
        train(tiny_config(uninterrupted))
    assert before == sorted(path.stat().st_mtime_ns for path in uninterrupted.rglob('*'))


@pytest.mark.envtest
def test_atari_resumes_exactly(tmp_path):
    """The debug preset: real games, with their emulator states in the checkpoint."""

    def run(name, **arguments):
        config = build_config('debug', layers=[dict(exp_name=str(tmp_path / name), policy=dict(device='cpu'))])
        train(config, **arguments)

    run('whole')
    run('parts', max_env_step=128)
    run('parts', resume=str(tmp_path / 'parts'))
    parts, whole = load(tmp_path / 'parts'), load(tmp_path / 'whole')
    assert_same_state(parts, whole)


@pytest.mark.unittest
def test_two_processes_cannot_train_in_one_folder(tmp_path, uninterrupted):
    run_dir = tmp_path / 'run'
    shutil.copytree(uninterrupted, run_dir)
    code = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.lockf(f, 2); print('held', flush=True); input()"
    command = [sys.executable, '-c', code, str(run_dir / 'log' / 'lock')]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b'held\n'
        with pytest.raises(ValueError, match='another process is training in'):
            train(tiny_config(run_dir), resume=str(run_dir))
        other.kill()
    train(tiny_config(run_dir), resume=str(run_dir))


@pytest.mark.unittest
def test_unknown_keys_are_also_refused_in_python(tmp_path):
    config = tiny_config(tmp_path / 'run')
    config['policy']['batchsize'] = 4
    with pytest.raises(ValueError, match="unknown key 'policy.batchsize': did you mean 'policy.batch_size'"):
        train(config)
