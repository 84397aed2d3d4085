"""
Configurations: suites and presets from ``config/*.yaml``, overrides from the command line. Light: imports no torch.

A configuration is one tree of plain values with the top-level keys ``exp_name``, ``method``, ``seed``,
``max_env_step``, ``env``, ``policy`` and ``create``. It is built in layers, each of which may only change keys that the
layers below have:

    defaults (the environment's, the policy's, config/<suite>.yaml) <- preset <- method
        <- layers (a script's, options) <- overrides (policy.batch_size=8)

``lightzero_configs`` splits the tree into LightZero's pair of ``main_config`` and ``create_config``.
"""
import copy
import importlib
import os
from typing import Any, Dict, List, Sequence, Tuple

import yaml
from easydict import EasyDict
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from .algorithms import ALGORITHMS, FIXED_KEYS
from .clusters import inlined, is_assignment, read_assignment
from .keys import DERIVED_KEYS, WHOLE
from .suites import DEFAULT_METHOD, DEFAULT_SUITE, algorithm_of, load_suite, method_layer
from .tree import _unknown_key, did_you_mean, leaves, merge


def build_config(
        preset: str = 'paper', games: Sequence[str] = (), layers: Sequence[dict] = (), overrides: Sequence[str] = (),
        suite: str = DEFAULT_SUITE, method: str = DEFAULT_METHOD
) -> dict:
    """
    Overview:
        Build the configuration of a new run.
    Arguments:
        - preset (:obj:`str`): Name of a preset.
        - games (:obj:`Sequence[str]`): Task names, or the name of a suite of them; none for the preset's own.
        - layers (:obj:`Sequence[dict]`): Trees of changed keys; a later one wins.
        - overrides (:obj:`Sequence[str]`): Changed leaves in the form ``policy.batch_size=8``.
        - suite (:obj:`str`): The file under ``config/``.
        - method (:obj:`str`): A method of ``config/methods.yaml``.
    Returns:
        - config (:obj:`dict`): The configuration, with derived keys filled in. Clusters that a preset has beyond the
            number of tasks are left out, unless a layer or an override asks for them.
    Raises:
        - ValueError: in one line for an unknown suite, preset, method or key and for a value of the wrong type.
    """
    shared = load_suite(suite)
    if preset not in shared['presets']:
        raise ValueError(f"unknown preset '{preset}'{did_you_mean(preset, list(shared['presets']))}")
    algorithm = algorithm_of(method)
    layer = copy.deepcopy(shared['presets'][preset])
    tasks = resolve_games(games or layer['games'], shared['suites'])
    own = [layer.pop(name, {}) for name in ALGORITHMS][list(ALGORITHMS).index(algorithm)]
    del layer['games']
    defaults = shared['defaults']
    module, name = shared['env_defaults'].rsplit('.', 1)
    env = copy.deepcopy(getattr(importlib.import_module(module), name))
    create = {**defaults['create'], **copy.deepcopy(ALGORITHMS[algorithm].create)}
    policy = merge(copy.deepcopy(ALGORITHMS[algorithm].config), defaults['policy'])
    config = dict(defaults, method=method, env=env, policy=policy, create=create)
    for changes in (layer, {'policy': own}, method_layer(method), {'env': {'tasks': tasks}}):
        config = merge(config, changes)
    config = change(config, layers, overrides)
    model, changed = config['policy']['model'], [*layers, parse_overrides(overrides)]
    asked_for = {key for layer in changed for key in leaves(layer)}
    if 'num_clusters' in model and 'policy.model.num_clusters' not in asked_for:
        model['num_clusters'] = min(model['num_clusters'], model['num_tasks'])
    if config['exp_name'] is None:
        named = [name for name in (suite, method) if name not in (DEFAULT_SUITE, DEFAULT_METHOD)]
        config['exp_name'] = os.path.join('data_mow', '_'.join([*named, preset, f"seed{config['seed']}"]))
    return config


def change(config: dict, layers: Sequence[dict] = (), overrides: Sequence[str] = ()) -> dict:
    """
    Overview:
        Lay changed keys over a configuration, and fill in the keys that follow from them.
    Arguments:
        - config, layers, overrides: See ``build_config``.
    Returns:
        - config (:obj:`dict`): A new configuration.
    """
    policy = config['create']['policy']['type']
    fixed = ALGORITHMS[policy].fixed if policy in ALGORITHMS else FIXED_KEYS
    for layer in (*layers, parse_overrides(overrides)):
        for key in leaves(layer):
            if key in DERIVED_KEYS:
                raise ValueError(f'{key} follows from {DERIVED_KEYS[key]}: set that instead')
            if key in fixed:
                raise ValueError(f'{key} cannot be changed: LightZero needs it, {policy} works with its value alone')
        config = merge(config, layer)
    return fill_derived(config)


def fill_derived(config: dict) -> dict:
    """
    Set the keys of ``DERIVED_KEYS`` in place, wherever ``config`` (a tree, or LightZero's main config) has them, put
    the content of an assignment file for its name, and count its clusters.
    """
    env, policy = config['env'], config['policy']
    policy['collector_env_num'] = env['collector_env_num']
    policy['evaluator_env_num'] = env['evaluator_env_num']
    policy['cuda'] = str(policy['device']).startswith('cuda')
    policy['tasks'] = list(env['tasks'])
    policy['model']['num_tasks'] = len(env['tasks'])
    if 'obs_shape' in env:
        policy['model']['observation_shape'] = env['obs_shape']
    if 'max_steps' in policy['model']:
        policy['model']['max_steps'] = policy['num_unroll_steps']
    if 'clustering' in policy:
        policy['clustering'] = inlined(policy['clustering'], policy['tasks'])
        if is_assignment(policy['clustering']) and policy['model']['num_clusters'] > 1:
            policy['model']['num_clusters'] = max(read_assignment(policy['clustering'], policy['tasks'])) + 1
    return config


def resolve_games(games: Any, suites: Dict[str, List[str]]) -> List[str]:
    """
    Turn ``'Pong,Boxing'``, ``['Pong', 'Boxing']`` or the name of a suite (in capitals too: MT10) into a list of names,
    as they are written.
    """
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


def refuse_unknown(base: dict, layer: dict, prefix: str) -> None:
    """
    Overview:
        Refuse keys that a policy's defaults do not have, where a config was written in Python and not merged.
    Arguments:
        - base (:obj:`dict`), layer (:obj:`dict`): The defaults, and what was given.
        - prefix (:obj:`str`): Where both stand in a configuration, such as ``policy.``.
    Raises:
        - ValueError: that names the nearest right key.
    """
    known = [*leaves(base, prefix), *DERIVED_KEYS]
    for path in leaves(layer, prefix):
        is_group = any(key.startswith(path + '.') for key in known)  # an empty one
        in_leaf = any(path.startswith(key + '.') for key in known)  # whose value is a group itself
        if path not in known and not is_group and not in_leaf:
            raise _unknown_key(path, known)








def refuse_own_keys(method: str, changes: dict) -> None:
    """
    Overview:
        Refuse changes to the keys that make a method what its name says.
    Arguments:
        - changes (:obj:`dict`): A tree of changed keys.
    Raises:
        - ValueError: that names the first such key.
    """
    own = set(leaves(method_layer(method)))
    for key in leaves(changes):
        if key in own:
            raise ValueError(f"{key} is what makes the method '{method}': change it in another method, or in none")






def lightzero_configs(config: dict) -> Tuple[EasyDict, EasyDict]:
    """Split a configuration into LightZero's ``main_config`` (exp_name, method, env, policy) and ``create_config``."""
    config = copy.deepcopy(config)
    main_config = {key: config[key] for key in ('exp_name', 'method', 'env', 'policy')}
    return EasyDict(main_config), EasyDict(config['create'])
