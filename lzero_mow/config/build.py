"""
Configurations: suites and presets from ``config/*.yaml``, overrides from the command line. Light: imports no torch.

A configuration is one tree of plain values with the top-level keys ``exp_name``, ``method``, ``seed``,
``max_env_step``, ``env``, ``policy`` and ``create``. It is built in layers, each of which may only change keys that the
layers below have:

    defaults (the environment's, the policy's, config/<suite>.yaml) <- preset <- method
        <- layers (a script's, options) <- overrides (policy.batch_size=8)

``settle`` then brings the values into their types and fills in the keys that follow from others, once. What does not
fit together is found by ``lzero_mow.config.validate``.
"""
import copy
import os
from typing import Any, Dict, List, Sequence, Tuple

import yaml
from easydict import EasyDict
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from .algorithms import ALGORITHMS
from .clusters import inlined, is_assignment, read_assignment
from .common import UnknownPolicyKeys
from .envs import UnknownEnvKeys
from .fields import Part, RunKeys, typed
from .keys import DERIVED_KEYS, WHOLE
from .suites import (
    DEFAULT_METHOD,
    DEFAULT_SUITE,
    algorithm_of,
    load_suite,
    method_layer,
    record_of,
    suite_name,
    suite_record,
)
from .tree import did_you_mean, leaves, merge


def build_config(
        preset: str = 'paper', games: Sequence[str] = (), layers: Sequence[dict] = (), overrides: Sequence[str] = (),
        suite: str = DEFAULT_SUITE, method: str = DEFAULT_METHOD
) -> dict:
    """
    Overview:
        Build the configuration of a new run.
    Arguments:
        - preset (:obj:`str`): Name of a preset.
        - games (:obj:`Sequence[str]`): Task names, or the name of a list of them; none for the preset's own.
        - layers (:obj:`Sequence[dict]`): Trees of changed keys; a later one wins.
        - overrides (:obj:`Sequence[str]`): Changed leaves in the form ``policy.batch_size=8``.
        - suite (:obj:`str`): Name of a suite, or the path of its YAML file.
        - method (:obj:`str`): A method of ``config/methods.yaml``.
    Returns:
        - config (:obj:`dict`): The configuration, settled. A preset's clusters beyond the number of tasks are left out,
            unless a layer or an override asks for them.
    Raises:
        - ValueError: in one line for an unknown suite, preset, method or key and for a value that cannot be.
    """
    shared, algorithm = load_suite(suite), ALGORITHMS[algorithm_of(method)]
    if preset not in shared['presets']:
        raise ValueError(f"unknown preset '{preset}'{did_you_mean(preset, list(shared['presets']))}")
    defaults, layer = shared['defaults'], dict(shared['presets'][preset])
    tasks = resolve_games(games or layer['games'], shared['suites'])
    own = {name: layer.pop(name, {}) for name in ALGORITHMS}[algorithm_of(method)]
    for key in ('about', 'games'):  # not of the configuration
        layer.pop(key, None)
    create = {**defaults['create'], **algorithm.create}
    config = dict(
        defaults, method=method, env=suite_record(suite).keys.defaults(),
        policy=merge(algorithm.keys.defaults(), defaults['policy']), create=create
    )
    changed = [*layers, parse_overrides(overrides)]
    _refuse_derived(changed)
    _refuse_other_policies(changed, algorithm_of(method))
    for changes in (layer, {'policy': own}, method_layer(method), {'env': {'tasks': tasks}}, *changed):
        config = merge(config, changes)
    if config['exp_name'] is None:
        named = [name for name in (suite_name(suite), method) if name not in (DEFAULT_SUITE, DEFAULT_METHOD)]
        config['exp_name'] = os.path.join('data_mow', '_'.join([*named, preset, f"seed{config['seed']}"]))
    config = settle(config)
    model, asked_for = config['policy']['model'], {key for layer in changed for key in leaves(layer)}
    if 'num_clusters' in model and 'policy.model.num_clusters' not in asked_for:
        model['num_clusters'] = min(model['num_clusters'], max(1, model['num_tasks']))
    return config


def change(config: dict, layers: Sequence[dict] = (), overrides: Sequence[str] = ()) -> dict:
    """
    A run's configuration with changed keys laid over it (see ``build_config``), settled again. ValueError in one line
    as there, and if the run was begun before a key existed.
    """
    changed = [*layers, parse_overrides(overrides)]
    _refuse_derived(changed)
    policy = config['create']['policy']['type']
    if policy in ALGORITHMS:
        _refuse_other_policies(changed, policy)
        there = set(leaves(config))
        for key in leaves(ALGORITHMS[policy].keys.defaults(), 'policy.'):
            if key not in there and key not in WHOLE:
                raise ValueError(f'{key} is missing: continue this run with the version of lzero_mow that began it')
    for layer in changed:
        config = merge(config, layer)
    return settle(config)


def settle(config: dict) -> dict:
    """
    A new tree with every value in its type, and with the keys that follow from others: those of ``DERIVED_KEYS``, the
    content of a file of clusters in place of its name, and how many clusters it has. Keys of a known policy and of a
    known suite's environments may be missing; of others only the keys that they share with ours are looked at.
    ValueError in one line for the first key that is unknown or whose value cannot be.
    """
    run = {key: value for key, value in config.items() if key not in ('env', 'policy', 'create')}
    run = typed(RunKeys, run, '')
    create = {name: typed(Part, part, f'create.{name}.', complete=False) for name, part in config['create'].items()}
    suite, algorithm = record_of(create['env']), ALGORITHMS.get(create['policy']['type'])
    env = typed(suite.keys if suite else UnknownEnvKeys, config['env'], 'env.', complete=suite is not None)
    policy_keys = algorithm.keys if algorithm else UnknownPolicyKeys
    policy = typed(policy_keys, config['policy'], 'policy.', complete=algorithm is not None)
    _derive(env, policy)
    return dict(run, env=env, policy=policy, create=create)


def _derive(env: dict, policy: dict) -> None:
    model = policy['model']
    policy['collector_env_num'], policy['evaluator_env_num'] = env['collector_env_num'], env['evaluator_env_num']
    policy['cuda'] = policy['device'].startswith('cuda')
    policy['tasks'] = list(env['tasks'])
    model['num_tasks'] = len(env['tasks'])
    if 'obs_shape' in env:
        model['observation_shape'] = env['obs_shape']
    if 'max_steps' in model:
        model['max_steps'] = policy['num_unroll_steps']
    if 'clustering' in policy:
        policy['clustering'] = inlined(policy['clustering'], policy['tasks'])
        if is_assignment(policy['clustering']) and model['num_clusters'] > 1:
            model['num_clusters'] = max(read_assignment(policy['clustering'], policy['tasks'])) + 1


def resolve_games(games: Any, suites: Dict[str, List[str]]) -> List[str]:
    """Names, as written, from ``'Pong,Boxing'``, ``['Pong', 'Boxing']`` or a list's name (in capitals too: MT10)."""
    names = games.split(',') if isinstance(games, str) else [name for game in games for name in game.split(',')]
    names = [name.strip() for name in names if name.strip()]
    return [task for name in names for task in suites.get(name.lower(), [name])]


def parse_overrides(overrides: Sequence[str]) -> dict:
    """Parse ``['policy.batch_size=8']`` into a tree; values are read as YAML."""
    for override in overrides:
        if '=' not in override:
            raise ValueError(f"'{override}' is not of the form KEY=VALUE, such as policy.batch_size=8")
        for key in WHOLE:
            if override.startswith(f'{key}.'):
                raise ValueError(f"'{override}' is a part of {key}: give the whole, such as '{key}={{Pong: 20}}'")
    try:
        return OmegaConf.to_container(OmegaConf.from_dotlist(list(overrides)), resolve=True)
    except (OmegaConfBaseException, yaml.YAMLError) as error:
        raise ValueError(f"cannot read {' '.join(overrides)}: {' '.join(str(error).split())}") from error


def _refuse_derived(layers: Sequence[dict]) -> None:
    for layer in layers:
        for key in leaves(layer):
            if key in DERIVED_KEYS:
                raise ValueError(f'{key} follows from {DERIVED_KEYS[key]}: set that instead')


def _refuse_other_policies(layers: Sequence[dict], policy: str) -> None:
    """Refuse keys that another policy has, and not this one."""
    keys_of = {name: set(leaves(algorithm.keys.defaults(), 'policy.')) for name, algorithm in ALGORITHMS.items()}
    for key in (key for layer in layers for key in leaves(layer) if key not in keys_of[policy]):
        owners = [name for name, keys in keys_of.items() if key in keys]
        if owners:
            raise ValueError(f'{key} is a key of the policy {owners[0]}, and this run has the policy {policy}')


def refuse_own_keys(method: str, changes: dict) -> None:
    """Refuse changes (a tree of keys) to what makes a method what its name says."""
    own = set(leaves(method_layer(method)))
    for key in leaves(changes):
        if key in own:
            raise ValueError(f"{key} is what makes the method '{method}': change it in another method, or in none")


def lightzero_configs(config: dict) -> Tuple[EasyDict, EasyDict]:
    """Split a configuration into LightZero's ``main_config`` (exp_name, method, env, policy) and ``create_config``."""
    config = copy.deepcopy(config)
    main_config = {key: config[key] for key in ('exp_name', 'method', 'env', 'policy')}
    return EasyDict(main_config), EasyDict(config['create'])
