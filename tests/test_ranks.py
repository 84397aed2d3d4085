"""Several processes by torchrun: the same learning as in one, and a run that ends, fails and resumes as one."""
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from helpers.policies import tiny_policy
from lzero_mow import __main__ as commands
from lzero_mow import cli
from lzero_mow.config.validate import check_processes
from lzero_mow.entry.run import checkpoint
from lzero_mow.entry.run.run_config import on_device
from lzero_mow.report.tables.results import read_results
from lzero_mow.utils import ranks

TESTS = Path(__file__).resolve().parent
SUITE = str(TESTS / 'helpers' / 'toy.yaml')
TORCHRUN = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node']


def start(number, *arguments, cwd):
    """A program in so many processes."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(TESTS), str(TESTS.parent)]), OMP_NUM_THREADS='1')
    return subprocess.Popen(
        [*TORCHRUN, str(number), *arguments], text=True, env=environment, cwd=cwd, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT
    )


def run(number, *arguments, cwd):
    process = start(number, *arguments, cwd=cwd)
    output, _ = process.communicate(timeout=240)
    return process.returncode, output


def train(number, *arguments, cwd):
    return run(number, '-m', 'lzero_mow', 'train', *arguments, cwd=cwd)


@pytest.mark.unittest
@pytest.mark.parametrize('number', [1, 2, 3, 7])
def test_every_task_has_one_rank(number, monkeypatch):
    monkeypatch.setattr(ranks, 'world_size', lambda: number)
    shares = []
    for rank in range(number):
        monkeypatch.setattr(ranks, 'rank', lambda: rank)
        shares.append(ranks.own_tasks(7))
    assert [task for share in shares for task in share] == list(range(7))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.unittest
@pytest.mark.parametrize('method, norm', [('mow', 'batch'), ('mow', 'group'), ('scalezero', 'none')])
def test_two_ranks_learn_what_one_learns(method, norm, tmp_path):
    """
    20 updates without dropout and draws, a cluster's tasks on two ranks: only sums are rounded differently. Adam turns
    a gradient of rounding errors, such as that of a key's bias, into steps of its own, so that some weights, though
    hardly the losses, drift apart by and by.
    """
    for number in (1, 2):
        code, output = run(number, str(TESTS / 'helpers' / 'rank_updates.py'), str(tmp_path), method, norm, cwd=TESTS)
        assert code == 0, output
    one, first, second = (torch.load(tmp_path / f'{name}.pt', weights_only=True) for name in ('1_0', '2_0', '2_1'))
    assert all(torch.equal(value, second['model'][name]) for name, value in first['model'].items())
    assert first['logs'] == second['logs'] and len(first['logs']) == 20
    for update, (alone, shared) in enumerate(zip(one['logs'], first['logs'])):
        loss = pytest.approx(alone['world_model/loss'], rel=1e-6 if update == 0 else 1e-4)
        assert alone.keys() == shared.keys() and shared['world_model/loss'] == loss
    alone, shared = (torch.cat([x.float().flatten() for x in found['model'].values()]) for found in (one, first))
    assert (shared - alone).norm() < 1e-3 * alone.norm()
    for name, value in one['logs'][0].items():
        assert first['logs'][0][name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
    assert one['logs'][-1]['world_model/loss'] < one['logs'][0]['world_model/loss']


@pytest.mark.unittest
def test_ranks_decide_alike_and_draw_differently(tmp_path):
    for number in (1, 2):
        code, output = run(number, str(TESTS / 'helpers' / 'rank_traps.py'), str(tmp_path), cwd=TESTS)
        assert code == 0, output
    one, first, second = (torch.load(tmp_path / f'{name}.pt', weights_only=True) for name in ('1_0', '2_0', '2_1'))
    clusters, _ = one['clusters']
    assert clusters[0] == clusters[1] != clusters[2]
    for found in (first, second):
        assert found['clusters'] == first['clusters'] and found['clusters'][0] == clusters
        active, stage, weights = found['resting']
        assert active == one['resting'][0] == [1, 2] and stage == one['resting'][1] == 1
        assert all(torch.equal(value, first['resting'][2][name]) for name, value in weights.items())
        assert found['not_finite'] == one['not_finite'] and 'task blue' in found['not_finite']
    for name, value in one['resting'][2].items():
        torch.testing.assert_close(first['resting'][2][name], value, rtol=1e-2, atol=5e-3, msg=name)
    assert one['drawn'] == first['drawn'] != second['drawn']


@pytest.mark.unittest
def test_each_process_computes_on_its_own_gpu(monkeypatch):
    policy = tiny_policy()
    policy._cuda = True
    monkeypatch.setattr(torch.cuda, 'current_device', lambda: 1)
    assert policy._device == 'cuda:1'
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '3')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    with pytest.raises(ValueError, match='torchrun starts 3 processes on a machine with 2 GPUs'):
        on_device(dict(policy=dict(device='auto')))
    assert on_device(dict(policy=dict(device='cpu')))['policy']['device'] == 'cpu'


@pytest.mark.unittest
def test_a_run_resumes_with_as_many_ranks_exactly_and_with_others(tmp_path):
    whole, halves, other = (str(tmp_path / name) for name in ('whole', 'halves', 'other'))
    for run_dir, steps in ((whole, 96), (halves, 64)):
        code, output = train(2, '--suite', SUITE, '--exp-name', run_dir, '--max-env-step', str(steps), cwd=tmp_path)
        assert code == 0 and output.count('finished at environment step') == 1, output
    rows = read_results(os.path.join(whole, 'results.csv'))
    assert list(rows.task[:2]) == ['Same', 'Next'] and rows.env_step.iloc[-1] == 96
    shutil.copytree(halves, other)
    for run_dir, number, steps in ((halves, 2, 96), (other, 1, 96), (other, 2, 128)):
        code, output = train(number, '--resume', run_dir, '--max-env-step', str(steps), cwd=tmp_path)
        assert code == 0, output
        assert read_results(os.path.join(run_dir, 'results.csv')).env_step.iloc[-1] == steps
    states = [checkpoint.load_run(run_dir) for run_dir in (whole, halves)]
    weights = [state['policy']['model'] for state in states]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert states[0]['train_iter'] == states[1]['train_iter'] > 0


@pytest.mark.unittest
def test_what_cannot_be_shared_out_is_refused():
    check = lambda tasks, **policy: check_processes(dict(env=dict(tasks=list(tasks)), policy=policy), 3)
    with pytest.raises(ValueError, match='torchrun starts 3 processes, and there are 2 tasks'):
        check('ab')
    with pytest.raises(ValueError, match='policy.upstream_compat is True'):
        check('abc', upstream_compat=True)
    with pytest.raises(ValueError, match='policy.micro_batch_tasks is 1 and 3 processes share 4 tasks unevenly'):
        check('abcd', micro_batch_tasks=1)
    check('abc', upstream_compat=False, micro_batch_tasks=1)


@pytest.mark.unittest
def test_a_mistake_is_one_line_of_the_first_process(monkeypatch, capsys):
    monkeypatch.setenv('WORLD_SIZE', '3')
    for number, lines in (('0', 1), ('1', 0)):
        monkeypatch.setenv('RANK', number)
        assert cli.train(['--preset', 'debug'], suite='atari') == 2
        with pytest.raises(SystemExit) as ended:
            commands.main(['evaluate', 'anywhere'])
        assert ended.value.code == 2
        error = capsys.readouterr().err
        assert error.count('torchrun starts 3 processes, and there are 2 tasks') == lines
        assert error.count('it runs in one process: start it without torchrun') == lines


@pytest.mark.unittest
def test_all_end_when_one_does_and_the_run_goes_on(tmp_path):
    run_dir = tmp_path / 'run'
    arguments = ('--suite', SUITE, '--exp-name', str(run_dir), '--max-env-step', '5000')
    process = start(2, '-m', 'lzero_mow', 'train', *arguments, cwd=tmp_path)
    try:
        until = time.monotonic() + 120
        while not (run_dir / 'ckpt' / 'latest.pth.tar').exists():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.2)
        children = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1 and 'go on from the checkpoint of step' in output, output
    assert 'another process of this run has ended' in output, output
    code, output = train(2, '--resume', str(run_dir), '--max-env-step', '96', cwd=tmp_path)
    reached = checkpoint.load_run(str(run_dir))['env_step']
    assert code == 0 or 'is at environment step' in output and reached > 96, output
