"""
What stands in the ``config`` folder: suites of tasks with their presets (``<suite>.yaml``), and the methods that are
compared on them (``methods.yaml``). Light: imports no torch.
"""
import functools
import importlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Dict, List, Optional

import yaml
from pydantic import BaseModel, BeforeValidator, Field

from lzero_mow.utils.paths import CONFIG_FOLDERS, config_file
from .envs import Suite
from .fields import Names, Part, names, typed
from .tree import did_you_mean

METHODS, PEERS = 'methods', 'peers'  # files in the ``config`` folder that are no suites
DEFAULT_SUITE, DEFAULT_METHOD = 'atari', 'mow'
RANDOM = 'random'  # the reference player that every suite has


class SuitePart(Part):
    """The environment of a suite, and the dotted name of the suite's record."""
    suite: str


class CreateKeys(BaseModel, strict=True):
    """The suite's part of LightZero's create_config; the policy and its replay come from the method."""
    env: SuitePart
    env_manager: Part
    collector: Part
    evaluator: Part


class DefaultKeys(BaseModel, strict=True):
    """What a new run starts from."""
    exp_name: Optional[str]
    seed: int
    max_env_step: int
    policy: dict
    create: CreateKeys


class PresetKeys(BaseModel, strict=True):
    """A preset: words for --help, its tasks, or the name of a list of them, and changed keys."""
    about: str = ''
    games: Annotated[Any, BeforeValidator(lambda games: games if isinstance(games, str) else names(games))]


class SuiteFile(BaseModel, strict=True):
    """The content of ``config/<suite>.yaml``."""
    suites: Dict[str, Names]
    defaults: DefaultKeys
    presets: Annotated[Dict[str, PresetKeys], Field(min_length=1)]


def suite_names() -> List[str]:
    """The suites in the ``config`` folder."""
    files = next(files for files in (sorted(folder.glob('*.yaml')) for folder in CONFIG_FOLDERS) if files)
    return [file.stem for file in files if file.stem not in (METHODS, PEERS)]


def suite_name(suite: str) -> str:
    """The name of a suite that is given by name or as the path of its YAML file."""
    return Path(suite).stem if _is_path(suite) else suite


def load_suite(suite: str = DEFAULT_SUITE) -> dict:
    """
    Read a suite, ``config/<name>.yaml`` or the YAML file of a path: a dict of ``suites`` (lists of tasks by name),
    ``defaults`` and ``presets``. ValueError in one line if it is not there, with the suite nearest to an unknown name,
    and for the first thing in it that a suite cannot have.
    """
    if _is_path(suite):
        if not os.path.isfile(suite):
            raise ValueError(f"there is no suite '{suite}'")
        return _suite_file(Path(suite).resolve())
    if suite not in suite_names():
        raise ValueError(f"unknown suite '{suite}'{did_you_mean(suite, suite_names())}")
    return _suite_file(config_file(f'{suite}.yaml'))


@functools.lru_cache(None)
def _suite_file(path: Path) -> dict:
    content = read_yaml(path)
    typed(SuiteFile, content, f'{path}: ')
    return content


def suite_record(suite: str) -> Suite:
    """The record that a suite's file names."""
    return record_of(load_suite(suite)['defaults']['create']['env'])


def record_of(create_env: dict) -> Optional[Suite]:
    """
    The record of the suite that an environment (``create.env`` of a configuration) belongs to, None where no suite has
    it. ``suite``, the record's dotted name, may be missing where it is written by hand; ValueError if it names none, or
    that of other environments.
    """
    name = create_env.get('suite')
    if name is not None:
        record = _imported(name)
        if record.env_type != create_env['type']:
            raise ValueError(
                f"create.env.suite names '{name}', the record of {record.env_type}, but create.env.type is "
                f"{create_env['type']}: change both, or set create.env.suite=null for environments without a suite"
            )
        return record
    return next((record for record in known_records().values() if record.env_type == create_env['type']), None)


@functools.lru_cache(None)
def known_records() -> Dict[str, Suite]:
    """The records of the suites in the ``config`` folder by name, but for those that cannot be read."""
    records = {}
    for name in suite_names():
        with suppress(ValueError):
            records[name] = suite_record(name)
    return records


def _imported(name: str) -> Suite:
    module, _, attribute = str(name).rpartition('.')
    try:
        record = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever the module raises
        raise ValueError(
            f"create.env.suite names '{name}', which cannot be imported: {' '.join(str(error).split())}; "
            'run in the folder that holds it, or add that to PYTHONPATH'
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
    """Refuse a reference player that a suite does not have."""
    players = references(suite)
    if player not in players:
        raise ValueError(f"unknown player '{player}'{did_you_mean(player, list(players))}")
    if player != RANDOM and player not in suite_record(suite).players:
        raise ValueError(f'there are no {players[player]} for {suite}')


def references(suite: Optional[str] = None) -> Dict[str, str]:
    """
    Reference players and what tables call them: random play, and those of the ``config`` folder's suites and of
    ``suite``. They stand beside the methods in tables but are not trained, so methods.yaml has none of them.
    """
    records = [*known_records().values(), *([] if suite is None else [suite_record(suite)])]
    return {RANDOM: 'random play', **{name: words for record in records for name, words in record.players.items()}}


def one_model_per_task(method: str) -> bool:
    """Whether a method is an ensemble of models that know one task each."""
    return method in _methods()['one_model_per_task']


def _methods() -> dict:
    return read_yaml(config_file(f'{METHODS}.yaml'))


@functools.lru_cache(None)
def read_yaml(path: Path) -> dict:
    """A file's content, which nobody may change."""
    try:
        with open(path) as file:
            return yaml.load(file, getattr(yaml, 'CSafeLoader', yaml.SafeLoader))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"cannot read {path}: {' '.join(str(error).split())}") from error


def _is_path(suite: str) -> bool:
    return suite.endswith(('.yaml', '.yml'))
