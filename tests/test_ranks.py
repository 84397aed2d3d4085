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

from lzero_mow.entry.run import checkpoint, run_config
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
    a gradient of rounding errors, such as that of a key's bias, into steps of its own, so that MoW's losses, though not
    their first values, drift apart by and by.
    """
    for number in (1, 2):
        code, output = run(number, str(TESTS / 'helpers' / 'rank_updates.py'), str(tmp_path), method, norm, cwd=TESTS)
        assert code == 0, output
    one, first, second = (torch.load(tmp_path / f'{name}.pt', weights_only=True) for name in ('1_0', '2_0', '2_1'))
    assert all(torch.equal(value, second['model'][name]) for name, value in first['model'].items())
    assert first['logs'] == second['logs'] and len(first['logs']) == 20
    for update, (alone, shared) in enumerate(zip(one['logs'], first['logs'])):
        loss = pytest.approx(alone['world_model/loss'], rel=1e-5 if update == 0 or method == 'scalezero' else 1e-2)
        assert alone.keys() == shared.keys() and shared['world_model/loss'] == loss
    for name, value in one['logs'][0].items():
        assert first['logs'][0][name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
    assert one['logs'][-1]['world_model/loss'] < one['logs'][0]['world_model/loss']


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
def test_what_cannot_be_shared_out_is_refused(monkeypatch):
    monkeypatch.setattr(run_config, 'world_size', lambda: 3)
    with pytest.raises(ValueError, match='torchrun has started 3 processes for 2 tasks'):
        run_config.check_ranks(dict(env=dict(tasks=['a', 'b']), policy={}))
    with pytest.raises(ValueError, match='policy.upstream_compat is True'):
        run_config.check_ranks(dict(env=dict(tasks=['a', 'b', 'c']), policy=dict(upstream_compat=True)))
    with pytest.raises(ValueError, match='policy.micro_batch_tasks is 1 and 3 processes share 4 tasks unevenly'):
        run_config.check_ranks(dict(env=dict(tasks=['a', 'b', 'c', 'd']), policy=dict(micro_batch_tasks=1)))
    run_config.check_ranks(dict(env=dict(tasks=['a', 'b', 'c']), policy=dict(upstream_compat=False, micro_batch_tasks=1)))


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
