"""The commands as they are typed."""
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from lzero_mow import cli
from lzero_mow.config.atari import ATARI_100K
from lzero_mow.report.tables.results import read_results

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = [str(ROOT / 'zoo' / 'atari' / 'config' / 'mow_multitask.py')]
MODULE = ['-m', 'lzero_mow', 'train']


def run(*arguments, path=(), cwd=None):
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([*map(str, path), str(ROOT)]), OMP_NUM_THREADS='1')
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, cwd=cwd, timeout=240
    )


@pytest.fixture
def no_torch(tmp_path):
    """A folder that makes every import of torch, DI-engine or LightZero end the process."""
    for name in ('torch', 'ding', 'ditk', 'lzero'):
        (tmp_path / 'heavy' / name).mkdir(parents=True)
        (tmp_path / 'heavy' / name / '__init__.py').write_text(f'raise SystemExit("{name} was imported")')
    return tmp_path / 'heavy'


@pytest.mark.unittest
@pytest.mark.parametrize('command', [SCRIPT, MODULE])
@pytest.mark.parametrize(
    'arguments, line', [
        (['policy.batch_sise=8'], "unknown key 'policy.batch_sise': did you mean 'policy.batch_size'?"),
        (['--preset', 'lptop'], "unknown preset 'lptop': did you mean 'laptop'?"),
        (['--games', 'Pong', 'Breakot'], "unknown game 'Breakot': did you mean Breakout"),
        (['--preset', 'debug', 'policy.model.experts_per_task=9'], 'policy.model.experts_per_task is 9'),
        (['--resume', 'nowhere'], "'nowhere' is no run folder"),
        (['--resume', 'nowhere', '--preset', 'debug'], '--preset cannot go with --resume'),
        (['--sed', '3'], 'unrecognized arguments: --sed'),
        (['--clusters', '0'], 'policy.model.num_clusters must be at least 1, got 0'),
        (['--clusters', '27'], 'policy.model.num_clusters is 27, more than there are tasks'),
        (['--clusters', 'nowhere.yaml'], "policy.clustering is 'nowhere.yaml': no file, and none of gradient, auto"),
        (['--preset', 'debug', '--clusters', '2'], "policy.clustering is 'gradient' but policy.warmup_steps is 0"),
        (['--method', 'scalezero', '--clusters', '2'], "only MoW's methods have clusters, 'scalezero' has none"),
        (['--seed', 'x'], "argument --seed: invalid int value: 'x'"),
    ]
)
def test_mistakes_get_one_line_without_importing_torch(no_torch, command, arguments, line):
    done = run(*command, *arguments, path=[no_torch])
    assert done.returncode == 2 and done.stdout == ''
    assert done.stderr.count('\n') == 1 and line in done.stderr and ': error: ' in done.stderr


@pytest.mark.unittest
@pytest.mark.parametrize(
    'command, words', [
        (
            SCRIPT,
            ['--preset', '--games', '--seed', '--max-env-step', '--exp-name', '--resume', '--device', 'KEY=VALUE']
        ),
        (MODULE, ['--preset', '--resume', 'paper: 26 games', 'overnight: four games', 'default: mow']),
        ([str(ROOT / 'zoo' / 'minatar' / 'config' / 'scalezero_multitask.py')], ['default: scalezero']),
        (['-m', 'lzero_mow'], ['train', 'config', 'curves', 'summary']),
        (
            ['-m', 'lzero_mow', 'experiment'],
            ['--methods', '--seeds', '--jobs', '--runs', '--output', 'storm_multitask'],
        ),
    ]
)
def test_help_without_importing_torch(no_torch, command, words):
    done = run(*command, '--help', path=[no_torch])
    assert done.returncode == 0 and done.stderr == ''
    assert all(word in ' '.join(done.stdout.split()) for word in words)


@pytest.mark.unittest
def test_config_command_prints_every_key(no_torch, tmp_path):
    done = run('-m', 'lzero_mow', 'config', '--preset', 'debug', 'policy.log_freq=3', path=[no_torch], cwd=tmp_path)
    config = yaml.safe_load(done.stdout)
    assert config['policy']['log_freq'] == 3 and config['env']['tasks'] == ['Pong', 'Boxing']
    assert run(
        '-m', 'lzero_mow', 'config', 'x=3', path=[no_torch]
    ).stderr.startswith('python -m lzero_mow config: error: ')


@pytest.fixture
def started(monkeypatch):
    """The configurations that were about to be trained."""
    configs = []
    monkeypatch.setattr(cli, '_run', lambda prog, config, resume: configs.append(config) or 0)
    return configs


@pytest.mark.unittest
@pytest.mark.parametrize(
    'gpu, arguments, K, line', [
        (True, [], 26, ''),
        (False, [], 4, "no GPU found: running the 'laptop' preset"),
        (True, ['--device', 'cpu'], 4, "asked to use the CPU: running the 'laptop' preset"),
        (False, ['--preset', 'paper'], 26, ''),
        (True, ['--preset', 'debug'], 2, ''),
    ]
)
def test_default_preset(monkeypatch, started, capsys, gpu, arguments, K, line):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    assert cli.train(arguments, prog='x') == 0
    assert len(started[0]['env']['tasks']) == K
    said = capsys.readouterr().err
    assert said.startswith(line) and bool(said) == bool(line)


@pytest.mark.unittest
def test_arguments_in_any_order(started):
    for arguments in (
        ['--games', 'Pong', 'Hero', 'policy.log_freq=9', '--preset', 'laptop', '--seed', '3'],
        ['policy.log_freq=9', '--preset', 'laptop', '--seed', '3', '--games', 'Pong,Hero'],
        ['--seed', '3', 'policy.log_freq=9', '--games', 'Pong,Hero', '--preset', 'laptop'],
    ):
        assert cli.train(arguments, prog='x') == 0
        config = started.pop()
        assert config['env']['tasks'] == ['Pong', 'Hero'] and config['policy']['log_freq'] == 9 and config['seed'] == 3


@pytest.mark.unittest
@pytest.mark.parametrize(
    'clusters, clustering, number', [
        ('5', 'gradient', 5),
        ('auto', 'auto', 12),
        ('groups.yaml', '{' + ', '.join(f'{game}: {int(game > "H")}' for game in ATARI_100K) + '}', 2),
    ]
)
def test_clusters(tmp_path, monkeypatch, started, clusters, clustering, number):
    monkeypatch.chdir(tmp_path)
    lines = [f'{game}: {"late" if game > "H" else "early"}' for game in ATARI_100K]
    (tmp_path / 'groups.yaml').write_text('\n'.join(lines))
    assert cli.train(['--preset', 'paper', '--clusters', clusters], prog='x') == 0
    policy = started[0]['policy']
    assert (policy['clustering'], policy['model']['num_clusters']) == (clustering, number)


@pytest.mark.unittest
def test_the_command_line_wins_over_the_script(started):
    settings = dict(preset='laptop', games=['Hero'], seed=1, max_env_step=3000, env=dict(), policy=dict(log_freq=4))
    cli.train([], settings, 'x')
    cli.train(['--preset', 'debug', '--games', 'Pong', '--seed', '2', 'policy.log_freq=5'], settings, 'x')
    own, given = started
    assert (own['env']['tasks'], own['seed'], own['max_env_step'], own['policy']['log_freq']) == (['Hero'], 1, 3000, 4)
    assert (given['env']['tasks'], given['seed'], given['policy']['log_freq']) == (['Pong'], 2, 5)
    assert given['policy']['model']['width'] == 32


@pytest.mark.envtest
def test_the_whole_of_a_run(tmp_path, no_torch):
    """From the command to the pictures, then on with --resume, and what a resumed run refuses."""
    run_dir = tmp_path / 'run'
    arguments = ['--preset', 'debug', '--device', 'cpu']
    done = run(*SCRIPT, *arguments, '--exp-name', str(run_dir), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, ''), done.stderr
    lines = done.stderr.splitlines()
    assert 'mow on Pong, Boxing; 192 environment steps each' in lines[0] and 'evaluation at step 0: Pong' in done.stderr
    files = {str(path.relative_to(run_dir)) for path in run_dir.rglob('*') if path.is_file()}
    assert files >= {
        'results.csv', 'total_config.yaml', 'ckpt/latest.pth.tar', 'ckpt/ckpt_best.pth.tar', 'report/curves.png',
        'report/router.png', 'report/open_loop.png', 'report/open_loop_Pong.mp4', 'report/open_loop_Boxing.mp4'
    }
    assert sorted(os.listdir(tmp_path)) == ['heavy', 'run'], 'nothing is written outside the run folder'
    rows = read_results(str(run_dir / 'results.csv'))
    assert rows.task.tolist() == ['Pong', 'Boxing'] * 3 and rows.env_step.iloc[0] == 0 and rows.env_step.iloc[-1] >= 192

    again = run(*SCRIPT, *arguments, '--exp-name', str(run_dir), path=[no_torch])
    assert again.returncode == 2
    assert f'holds a run already: continue it with --resume {run_dir}' in again.stderr.splitlines()[-1]
    other = run(*MODULE, '--resume', str(run_dir), '--games', 'Pong', 'Hero', path=[no_torch])
    assert other.returncode == 2
    assert 'another task list: it was started with Pong, Boxing, now Pong, Hero' in other.stderr
    resumed = run(*MODULE, '--resume', str(run_dir), '--max-env-step', '224')
    assert resumed.returncode == 0, resumed.stderr
    assert read_results(str(run_dir / 'results.csv')).env_step.iloc[-1] >= 224
    drawn = run('-m', 'lzero_mow', 'curves', str(run_dir), '--output', str(tmp_path / 'curves.png'))
    assert drawn.returncode == 0 and (tmp_path / 'curves.png').stat().st_size > 1000
