import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lzero_mow.utils.paths import config_file

ROOT = Path(__file__).resolve().parent.parent

# All that `pip check` may say. LightZero 0.2.0 pins an old gymnasium and declares four packages that no module of it
# imports; DI-engine 0.5.3 pins a setuptools older than torch's minimum.
PIP_CHECK = {
    'lightzero 0.2.0 requires line-profiler, which is not installed.',
    'lightzero 0.2.0 requires minigrid, which is not installed.',
    'lightzero 0.2.0 requires moviepy, which is not installed.',
    'lightzero 0.2.0 requires openai, which is not installed.',
    'lightzero 0.2.0 has requirement gymnasium[atari]==0.28.0, but you have gymnasium 1.4.0.',
    'di-engine 0.5.3 has requirement setuptools<=66.1.1, but you have setuptools 84.2.1.',
}


def run_python(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)


def locked_requirements() -> list:
    lines = (ROOT / 'requirements.lock').read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith('#')]


def setup_argument(name: str):
    """An argument in setup.py, read without running it."""
    for node in ast.walk(ast.parse((ROOT / 'setup.py').read_text())):
        if isinstance(node, ast.keyword) and node.arg == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f'setup.py has no {name}')


def declared_requirements() -> list:
    """What the package imports: all of install_requires, and the extras of single commands and suites."""
    extras = setup_argument('extras_require')
    imported = (extras[name] for name in ('eval', 'minatar', 'metaworld', 'slurm'))
    lines = [*setup_argument('install_requires'), *(line for lines in imported for line in lines)]
    return [Requirement(line) for line in lines]


def normal(name: str) -> str:
    return re.sub('[-_.]+', '-', name).lower()


@pytest.mark.unittest
def test_import_is_light_and_the_modules_of_a_create_config_register_everything(tmp_path):
    """As in any program on DI-engine: a configuration names modules, DI-engine imports them."""
    (tmp_path / 'plugin').mkdir()
    (tmp_path / 'plugin' / '__init__.py').write_text('import lzero_mow\n')
    (tmp_path / 'plugin' / 'main.py').write_text(
        """
import sys
assert not {'torch', 'ding', 'lzero'} & set(sys.modules)
from lzero_mow.config import build_config, lightzero_configs
main_config, create_config = lightzero_configs(build_config('debug'))
from ding.envs import get_env_cls
from ding.policy import get_policy_cls
from ding.utils import SERIAL_EVALUATOR_REGISTRY, MODEL_REGISTRY, import_module
from ding.worker.collector.base_serial_collector import get_serial_collector_cls
from ding.worker.replay_buffer.base_buffer import get_buffer_cls
import_module(create_config.evaluator.import_names)
for found in (
    get_env_cls(create_config.env), get_policy_cls(create_config.policy),
    get_serial_collector_cls(create_config.collector), get_buffer_cls(create_config.replay_buffer),
    SERIAL_EVALUATOR_REGISTRY.get(create_config.evaluator.type), MODEL_REGISTRY.get('MoWModel')
):
    assert found.__module__.startswith('lzero_mow.'), found
"""
    )
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    command = [sys.executable, '-m', 'plugin.main']
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.unittest
def test_heavy_packages_are_imported_without_banners():
    modules = 'lzero_mow.entry, lzero_mow.policy.mow, lzero_mow.policy.scalezero, lzero_mow.envs.atari'
    done = run_python('-c', f'import {modules}')
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


@pytest.mark.unittest
def test_quiet_imports_hide_deprecations_and_leave_logging_and_errors_alone():
    code = """
import logging, sys, warnings
from lzero_mow.utils.quiet import quiet_imports
with quiet_imports():
    warnings.warn('old', DeprecationWarning)
    logging.warning('install pyecharts')
    warnings.simplefilter('once', DeprecationWarning)
    warnings.warn('slow', RuntimeWarning)
    logging.error('broken')
    print('trouble', file=sys.stderr)
assert not logging.getLogger().handlers
assert logging.root.isEnabledFor(logging.WARNING)
warnings.warn('older', FutureWarning)
"""
    done = run_python('-c', code)
    assert done.returncode == 0, done.stderr
    shown = [word for word in ('old\n', 'pyecharts', 'slow', 'broken', 'trouble', 'older') if word in done.stderr]
    assert shown == ['slow', 'broken', 'trouble', 'older'], done.stderr


@pytest.mark.unittest
@pytest.mark.parametrize(
    'arguments', [
        ('-m', 'lzero_mow', '--help'), ('-m', 'lzero_mow', 'summary', '--help'),
        ('-m', 'lzero_mow', 'experiment', '--help'),
        ('zoo/atari/config/mow_multitask.py', '--help')
    ]
)
def test_command_lines_answer_without_torch(arguments):
    done = run_python('-X', 'importtime', *arguments)
    assert done.returncode == 0 and 'usage' in done.stdout.lower(), done.stderr
    imported = {line.rsplit('|', 1)[-1].strip().split('.')[0] for line in done.stderr.splitlines()}
    assert 'lzero_mow' in imported
    assert not imported & {'torch', 'ding', 'lzero', 'gymnasium', 'matplotlib'}


@pytest.mark.unittest
@pytest.mark.parametrize(
    'name, option', [
        ('env_speed', '--game'), ('metaworld_speed', '--processes'), ('model_size', '--tasks'),
        ('update_speed', '--device'), ('decision_speed', '--preset'), ('replay_size', '--suite')
    ]
)
def test_benchmarks_can_be_started(name, option):
    done = run_python('-m', f'lzero_mow.studies.bench.{name}', '--help')
    assert done.returncode == 0 and option in done.stdout, done.stderr


@pytest.mark.unittest
def test_benchmarks_of_models_measure_what_they_say():
    """Tiny, and really run: a row for each method and module."""
    small = ('--preset', 'debug', '--tasks', '2')
    done = run_python('-m', 'lzero_mow.studies.bench.decision_speed', *small, '--repeats', '1')
    assert done.returncode == 0, done.stderr
    assert all(method in done.stdout for method in ('mow', 'unizero_multitask_dense', 'scalezero')), done.stdout
    done = run_python('-m', 'lzero_mow.studies.bench.model_size', *small, '--method', 'scalezero')
    assert done.returncode == 0 and 'shared expert' in done.stdout and 'heads of a task' in done.stdout, done.stderr
    done = run_python('-m', 'lzero_mow.studies.bench.replay_size', '--tasks', '1', '--steps', '70', '--repeats', '1')
    assert done.returncode == 0 and 'Alien' in done.stdout and '26 tasks x 100,000 steps' in done.stdout, done.stderr


@pytest.mark.unittest
@pytest.mark.parametrize(
    'arguments, message', [
        (('model_size', '--method', 'foo'), "unknown method 'foo'"),
        (('decision_speed', '--preset', 'foo'), "unknown preset 'foo'"),
        (('decision_speed', '--device', 'foo'), 'device'),
        (('replay_size', '--suite', 'foo'), "unknown suite 'foo'"),
        (('update_speed', '--repeats', '0'), '--repeats must be at least 1, got 0'),
    ]
)
def test_benchmarks_refuse_impossible_arguments_in_one_line(arguments, message):
    done = run_python('-m', f'lzero_mow.studies.bench.{arguments[0]}', *arguments[1:])
    assert done.returncode == 2 and message in done.stderr and 'Traceback' not in done.stderr, done.stderr


@pytest.mark.unittest
def test_missing_lightzero_is_one_clear_error(tmp_path):
    (tmp_path / 'lzero.py').write_text("raise ModuleNotFoundError(\"No module named 'lzero'\", name='lzero')")
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, '-m', 'lzero_mow', 'train', '--preset', 'debug', '--exp-name', str(tmp_path / 'run')]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert "needs LightZero and DI-engine, but there is no module 'lzero': install requirements.lock" in done.stderr


@pytest.mark.unittest
def test_config_files_are_found_and_a_missing_one_is_named():
    assert config_file('atari.yaml').is_file()
    with pytest.raises(FileNotFoundError, match='no nothing.yaml in .*_config'):
        config_file('nothing.yaml')


@pytest.mark.unittest
def test_pip_check_only_complains_about_known_metadata():
    if Path(sys.prefix).resolve() != ROOT / '.venv':
        pytest.skip('holds for the environment that make makes')
    done = run_python('-m', 'pip', '--disable-pip-version-check', 'check')
    assert set(done.stdout.splitlines()) == PIP_CHECK


@pytest.mark.unittest
def test_lock_pins_every_package_and_fits_what_setup_declares():
    locked = {normal(requirement.name): requirement for requirement in locked_requirements()}
    assert all(re.fullmatch(r'==[^*,]+', str(requirement.specifier)) for requirement in locked.values())
    for declared in declared_requirements():
        if declared.name == 'torch':  # installed before the lock, by the Makefile
            version = re.search(r'^TORCH := torch==(\S+)$', (ROOT / 'Makefile').read_text(), re.MULTILINE).group(1)
        else:
            version = str(locked[normal(declared.name)].specifier).removeprefix('==')
        assert declared.specifier.contains(version), declared


@pytest.mark.unittest
def test_setup_declares_every_package_we_import():
    imported = set()
    for path in (ROOT / 'lzero_mow').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.add(node.module.split('.')[0])
    third_party = imported - set(sys.stdlib_module_names) - {'lzero_mow', 'ding', 'ditk', 'lzero'}
    declared = set()
    for requirement in declared_requirements():
        declared |= {Path(file.parts[0]).stem for file in importlib.metadata.files(requirement.name)}
    assert third_party - declared == set()


@pytest.mark.unittest
def test_zoo_holds_scripts_only():
    # With an __init__.py, our zoo would stand before LightZero's package of the same name.
    assert list((ROOT / 'zoo').rglob('*.py'))
    assert not list((ROOT / 'zoo').rglob('__init__.py'))


def make(folder: Path, goal: str, python_version: str) -> subprocess.CompletedProcess:
    """Run a copy of our Makefile in an empty folder, with a Python that says it is of the given version."""
    for name in ('Makefile', 'requirements.lock', 'setup.py'):
        shutil.copy(ROOT / name, folder)
    python = folder / 'python'
    python.write_text(f'#!/bin/sh\necho {python_version}\n')
    python.chmod(0o755)
    # These tests may themselves run below a `make`, whose variables are not meant for this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(('MAKE', 'MFLAGS'))}
    command = ['make', goal, f'PYTHON={python}']
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.unittest
@pytest.mark.skipif(shutil.which('make') is None, reason='no make')
@pytest.mark.parametrize('goal', ['train', 'test'])
def test_make_refuses_another_python_in_one_line(tmp_path, goal):
    done = make(tmp_path, goal, python_version='3.12')
    assert done.returncode != 0
    lines = (done.stdout + done.stderr).splitlines()
    assert len(lines) == 1, lines
    assert 'Python 3.10 or 3.11 is needed' in lines[0] and f"{tmp_path / 'python'} is 3.12" in lines[0]
    assert not (tmp_path / '.venv').exists()


@pytest.mark.unittest
@pytest.mark.skipif(shutil.which('make') is None, reason='no make')
def test_make_leaves_an_environment_alone_that_it_did_not_make(tmp_path):
    (tmp_path / '.venv').mkdir()
    (tmp_path / '.venv' / 'precious').touch()
    done = make(tmp_path, 'test', python_version='3.11')
    assert done.returncode != 0 and '.venv was not made by make' in done.stderr
    assert (tmp_path / '.venv' / 'precious').exists()
