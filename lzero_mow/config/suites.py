"""
What stands in the ``config`` folder: suites of tasks with their presets (``<suite>.yaml``), and the methods that are
compared on them (``methods.yaml``). Light: imports no torch.
"""
import functools
import importlib
import os
from pathlib import Path
from typing import Dict, List, Optional

import yaml

from lzero_mow.utils.paths import CONFIG_FOLDERS, config_file
from .envs import Suite
from .tree import did_you_mean

METHODS = 'methods'
DEFAULT_SUITE, DEFAULT_METHOD = 'atari', 'mow'
# Reference players, by name, in words. They stand beside the methods in tables, but are not trained, so methods.yaml
# has none of them.
RANDOM, EXPERT = 'random', 'expert'
REFERENCES = {RANDOM: 'random play', EXPERT: 'scripted experts'}


def suite_names() -> List[str]:
    """The suites in the ``config`` folder."""
    files = next(files for files in (sorted(folder.glob('*.yaml')) for folder in CONFIG_FOLDERS) if files)
    return [file.stem for file in files if file.stem != METHODS]


def suite_name(suite: str) -> str:
    """The name of a suite that is given by name or as the path of its YAML file."""
    return Path(suite).stem if _is_path(suite) else suite


def load_suite(suite: str = DEFAULT_SUITE) -> dict:
    """
    Read a suite, ``config/<name>.yaml`` or the YAML file of a path: a dict of ``suites`` (lists of tasks by name),
    ``defaults`` and ``presets``. ValueError in one line if it is not there, with the suite nearest to an unknown name.
    """
    if _is_path(suite):
        if not os.path.isfile(suite):
            raise ValueError(f"there is no suite '{suite}'")
        return _read(Path(suite).resolve())
    if suite not in suite_names():
        raise ValueError(f"unknown suite '{suite}'{did_you_mean(suite, suite_names())}")
    return _read(config_file(f'{suite}.yaml'))


def record_of(create_env: dict) -> Optional[Suite]:
    """
    The record of the suite that an environment (``create.env`` of a configuration) belongs to, None where no suite has
    it. ``suite``, the record's dotted name, may be missing where it is written by hand; ValueError if it names none.
    """
    if 'suite' in create_env:
        record = _imported(create_env['suite'])
        if record.env_type == create_env['type']:
            return record
    return next((record for record in known_records() if record.env_type == create_env['type']), None)


@functools.lru_cache(None)
def known_records() -> List[Suite]:
    """The records of the suites in the ``config`` folder."""
    return [_imported(load_suite(name)['defaults']['create']['env']['suite']) for name in suite_names()]


def _imported(name: str) -> Suite:
    module, _, attribute = str(name).rpartition('.')
    try:
        record = getattr(importlib.import_module(module), attribute)
    except (AttributeError, ImportError, ValueError) as error:
        raise ValueError(
            f"create.env.suite names '{name}', which cannot be imported: {error}; run in the folder that holds it, or "
            'add that to PYTHONPATH'
        ) from error
    if not isinstance(record, Suite):
        raise ValueError(f"create.env.suite names '{name}', which is no Suite of lzero_mow.config.envs")
    return record


def method_names() -> List[str]:
    """The methods there are."""
    return list(_methods()['methods'])


def method_layer(name: str) -> dict:
    """The keys that a method changes, as a tree; ValueError names the nearest method if there is none of that name."""
    methods: Dict[str, dict] = _methods()['methods']
    if name not in methods:
        raise ValueError(f"unknown method '{name}'{did_you_mean(name, list(methods))}")
    return methods[name]


def algorithm_of(method: str) -> str:
    """The policy of a method (a key of ``ALGORITHMS``); MoW unless ``algorithms`` in methods.yaml says otherwise."""
    algorithms: Dict[str, List[str]] = _methods()['algorithms']
    return next((name for name, methods in algorithms.items() if method in methods), DEFAULT_METHOD)


def check_player(suite: str, player: str) -> None:
    """Refuse a reference player that a suite does not have: all have random play, others stand in its record."""
    if player != RANDOM and player not in record_of(load_suite(suite)['defaults']['create']['env']).players:
        raise ValueError(f'there are no {REFERENCES[player]} for {suite}')


def one_model_per_task(method: str) -> bool:
    """Whether a method is an ensemble of models that know one task each."""
    return method in _methods()['one_model_per_task']


def _methods() -> dict:
    return _read(config_file(f'{METHODS}.yaml'))


@functools.lru_cache(None)
def _read(path: Path) -> dict:
    """A file's content, which nobody may change."""
    with open(path) as file:
        return yaml.load(file, getattr(yaml, 'CSafeLoader', yaml.SafeLoader))


def _is_path(suite: str) -> bool:
    return suite.endswith(('.yaml', '.yml'))
