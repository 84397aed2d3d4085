"""
What stands in the ``config`` folder: suites of tasks with their presets (``<suite>.yaml``), and the methods that are
compared on them (``methods.yaml``). Light: imports no torch.
"""
from typing import Dict, List

import yaml

from lzero_mow.utils.paths import CONFIG_FOLDERS, config_file
from .tree import did_you_mean

METHODS = 'methods'
DEFAULT_SUITE, DEFAULT_METHOD = 'atari', 'mow'
# Reference players, by name, in words. They stand beside the methods in tables; nothing is trained, so they are none of
# methods.yaml.
RANDOM, EXPERT = 'random', 'expert'
REFERENCES = {RANDOM: 'random play', EXPERT: 'scripted experts'}


def suite_names() -> List[str]:
    """The suites there are."""
    files = next(files for files in (sorted(folder.glob('*.yaml')) for folder in CONFIG_FOLDERS) if files)
    return [file.stem for file in files if file.stem != METHODS]


def load_suite(name: str = DEFAULT_SUITE) -> dict:
    """
    Overview:
        Read ``config/<name>.yaml``: a dict of ``suites``, ``env_defaults``, ``defaults`` and ``presets``.
    Raises:
        - ValueError: that names the nearest suite if there is none of that name.
    """
    if name not in suite_names():
        raise ValueError(f"unknown suite '{name}'{did_you_mean(name, suite_names())}")
    return _read(name)


def method_names() -> List[str]:
    """The methods there are."""
    return list(_read(METHODS)['methods'])


def method_layer(name: str) -> dict:
    """
    Overview:
        The keys that a method changes, as a tree.
    Raises:
        - ValueError: that names the nearest method if there is none of that name.
    """
    methods: Dict[str, dict] = _read(METHODS)['methods']
    if name not in methods:
        raise ValueError(f"unknown method '{name}'{did_you_mean(name, list(methods))}")
    return methods[name]


def algorithm_of(method: str) -> str:
    """
    The policy that a method is one of (see ``lzero_mow.config.algorithms``); MoW unless ``algorithms`` says otherwise.
    """
    algorithms: Dict[str, List[str]] = _read(METHODS)['algorithms']
    return next((name for name, methods in algorithms.items() if method in methods), DEFAULT_METHOD)


def check_player(suite: str, player: str) -> None:
    """
    Overview:
        Check that a suite has a reference player: all have random play, experts where ``config/<suite>.yaml`` says so.
    Raises:
        - ValueError: in one line if it has not.
    """
    if player == EXPERT and not load_suite(suite).get('experts', False):
        raise ValueError(f'there are no {REFERENCES[EXPERT]} for {suite}')


def one_model_per_task(method: str) -> bool:
    """Whether a method is an ensemble of models that know one task each."""
    return method in _read(METHODS)['one_model_per_task']




def _read(name: str) -> dict:
    with open(config_file(f'{name}.yaml')) as file:
        return yaml.safe_load(file)
