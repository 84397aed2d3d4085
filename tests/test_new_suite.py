"""A suite is one folder and one YAML file: the whole of a run with one that the package knows nothing of."""
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lzero_mow.report.tables.results import read_results

TESTS = Path(__file__).resolve().parent
SUITE = str(TESTS / 'helpers' / 'toy.yaml')


def run(*arguments, cwd):
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment = dict(os.environ, PYTHONPATH=path, OMP_NUM_THREADS='1')
    return subprocess.run(
        [sys.executable, '-m', 'lzero_mow', *arguments], capture_output=True, text=True, env=environment, cwd=cwd,
        timeout=240
    )


@pytest.mark.unittest
def test_it_trains_and_evaluates_and_resumes(tmp_path):
    done = run('train', '--suite', SUITE, '--device', 'cpu', cwd=tmp_path)  # its only preset
    assert done.returncode == 0, done.stderr
    run_dir = os.path.join('data_mow', 'toy_debug_seed0')
    saved = yaml.safe_load((tmp_path / run_dir / 'total_config.yaml').read_text())
    assert saved['env']['brightness'] == 255 and saved['create']['env']['suite'] == 'helpers.toy_suite.record.TOY'
    for word, refused in (('env.brightness=200', 'another env.brightness'), ('seed=1', 'another seed')):
        done = run('train', '--resume', run_dir, word, cwd=tmp_path)
        assert done.returncode == 2 and refused in done.stderr and done.stderr.count('\n') == 1, done.stderr
    done = run('train', '--resume', run_dir, '--max-env-step', '128', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = read_results(str(tmp_path / run_dir / 'results.csv'))
    assert list(dict.fromkeys(rows.task)) == ['Same', 'Next'] and rows.env_step.iloc[-1] >= 128
    done = run('evaluate', run_dir, '--episodes', '2', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    evaluation = read_results(str(tmp_path / run_dir / 'evaluation.csv'))
    assert list(evaluation.task) == ['Same', 'Next'] and set(evaluation.episodes) == {2}


@pytest.mark.unittest
@pytest.mark.parametrize(
    'arguments, message', [
        (['env.brightness=0'], 'env.brightness must be at least 1, got 0'),
        (['env.brightness=bright'], "env.brightness must be a whole number, got 'bright'"),
        (['env.brightnes=3'], "unknown key 'env.brightnes': did you mean 'env.brightness'?"),
        (['env.max_episode_steps=-5'], 'env.max_episode_steps must be at least 1, got -5'),
        (['--games', 'Same', 'Other'], "env.tasks names the unknown task 'Other': there are Same, Next"),
        (['--games', 'Pong'], 'env.tasks names Pong, a task of atari_mow'),
        (['policy.model.action_space_size=6'], 'toy_mow has 4 actions'),
        (['create.env.suite=nowhere.TOY'], "create.env.suite names 'nowhere.TOY', which cannot be imported"),
        (['create.env.suite=lzero_mow.config.envs.EnvKeys'], 'which is no Suite of lzero_mow.config.envs'),
    ]
)
def test_bad_values_are_refused_in_one_line(tmp_path, arguments, message):
    done = run('train', '--suite', SUITE, '--preset', 'debug', *arguments, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count('\n') == 1, done.stderr


@pytest.mark.unittest
def test_a_suite_file_that_is_not_there(tmp_path):
    done = run('train', '--suite', 'nowhere.yaml', cwd=tmp_path)
    assert done.returncode == 2 and "there is no suite 'nowhere.yaml'" in done.stderr, done.stderr
