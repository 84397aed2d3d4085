"""A suite is one folder and one YAML file: the whole of a run with one that the package knows nothing of."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lzero_mow.config import suites
from lzero_mow.config.build import build_config
from lzero_mow.config.tree import get
from lzero_mow.config.validate import validate
from lzero_mow.report.tables.results import read_results
from lzero_mow.utils import paths

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
        (['create.env.suite=lzero_mow.config.atari.ATARI'], 'the record of atari_mow, but create.env.type is toy_mow'),
        (['create.env.type=atari_mow'], 'the record of toy_mow, but create.env.type is atari_mow'),
    ]
)
def test_bad_values_are_refused_in_one_line(tmp_path, arguments, message):
    done = run('train', '--suite', SUITE, '--preset', 'debug', *arguments, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count('\n') == 1, done.stderr


@pytest.mark.unittest
def test_a_suite_file_that_is_not_there(tmp_path):
    done = run('train', '--suite', 'nowhere.yaml', cwd=tmp_path)
    assert done.returncode == 2 and "there is no suite 'nowhere.yaml'" in done.stderr, done.stderr


@pytest.mark.unittest
def test_its_own_reference_player_in_an_experiment_with_its_only_preset(tmp_path):
    done = run('experiment', SUITE, '--methods', 'script', 'random', '--random-episodes', '2', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = read_results(str(tmp_path / 'data_mow' / 'experiment' / 'toy' / 'script.csv'))
    assert list(rows.task) == ['Same', 'Next'] and set(rows.episode_return) == {16.0}
    assert set(rows.normalised) == {1.0}, 'as its record says'


MISSING = object()


@pytest.mark.unittest
@pytest.mark.parametrize(
    'key, value, message', [
        ('suites', MISSING, 'suites is missing'),
        ('defaults', MISSING, 'defaults is missing'),
        ('presets', MISSING, 'presets is missing'),
        ('presets', {}, 'presets must be non-empty, got {}'),
        ('presets', [1], 'presets must be a dict {NAME: VALUE}, got [1]'),
        ('presets.debug', None, 'presets.debug must be a group of keys, got null'),
        ('presets.debug.games', MISSING, 'presets.debug.games is missing'),
        ('presets.debug.games', 3, 'presets.debug.games must be a list of names, such as [A, B], got 3'),
        ('suites.both', 'Same', "suites.both must be a list of names, such as [A, B], got 'Same'"),
        ('suites', {5: ['Same']}, 'suites must have names as keys, got the key 5'),
        ('defaults.seed', MISSING, 'defaults.seed is missing'),
        ('defaults.policy', MISSING, 'defaults.policy is missing'),
        ('defaults.create.env.suite', MISSING, 'defaults.create.env.suite is missing'),
        ('defaults.create.env.suite', None, 'defaults.create.env.suite must be text, got null'),
        ('defaults.create.env.type', MISSING, 'defaults.create.env.type is missing'),
        ('defaults.create.evaluator', MISSING, 'defaults.create.evaluator is missing'),
    ]
)
def test_a_malformed_suite_file_is_refused_in_one_line(tmp_path, key, value, message):
    content, path = yaml.safe_load(Path(SUITE).read_text()), tmp_path / 'toy.yaml'
    group, _, name = key.rpartition('.')
    group = get(content, group) if group else content
    if value is MISSING:
        del group[name]
    else:
        group[name] = value
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError) as raised:
        suites.load_suite(str(path))
    assert str(raised.value) == f'{path}: {message}'


@pytest.mark.unittest
@pytest.mark.parametrize(
    'text, message', [
        ('{a: [', 'cannot read .*toy.yaml: '),
        ('[1, 2]', r'toy.yaml must be a group of keys, got \[1, 2\]'),
        ('', 'toy.yaml must be a group of keys, got null'),
    ]
)
def test_a_suite_file_that_is_no_group_of_keys(tmp_path, text, message):
    (tmp_path / 'toy.yaml').write_text(text)
    with pytest.raises(ValueError, match=message) as raised:
        suites.load_suite(str(tmp_path / 'toy.yaml'))
    assert '\n' not in str(raised.value)


@pytest.mark.unittest
def test_a_broken_suite_in_the_config_folder_does_not_break_others(tmp_path, monkeypatch):
    folder = shutil.copytree(paths.CONFIG_FOLDERS[1], tmp_path / 'config')
    content = yaml.safe_load(Path(SUITE).read_text())
    content['defaults']['create']['env']['suite'] = 'nowhere.TOY'
    (folder / 'elsewhere.yaml').write_text(yaml.safe_dump(content))
    (folder / 'broken.yaml').write_text('{a: [')
    for module in (suites, paths):
        monkeypatch.setattr(module, 'CONFIG_FOLDERS', (folder, ))
    monkeypatch.setattr(suites, 'known_records', suites.known_records.__wrapped__)
    validate(build_config('debug', suite='minatar'))
    assert len(suites.known_records()) == 3
    for suite in ('elsewhere', 'broken'):
        with pytest.raises(ValueError, match='cannot be imported|cannot read'):
            build_config('debug', suite=suite)
