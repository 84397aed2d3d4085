"""Configurations: how layers combine, and one clear line for everything that cannot work."""
import copy
import runpy
from pathlib import Path

import pytest

from lzero_mow.config.atari import ATARI, ATARI_100K
from lzero_mow.config.build import (
    build_config,
    change,
    lightzero_configs,
    load_suite,
    parse_overrides,
    resolve_games,
    settle,
)
from lzero_mow.config.common import LightZeroKeys, LightZeroModelKeys
from lzero_mow.config.keys import DERIVED_KEYS
from lzero_mow.config.mow import MOW_CONFIG
from lzero_mow.config.saved import load_run_config, save_config
from lzero_mow.config.tree import leaves, merge
from lzero_mow.config.validate import run_identity, validate

ROOT = Path(__file__).resolve().parent.parent
PRESETS = list(load_suite()['presets'])


def checked(*overrides, preset='laptop', games=(), layers=()):
    config = build_config(preset, games, layers, overrides)
    validate(config)
    return config


@pytest.mark.unittest
@pytest.mark.parametrize('preset', PRESETS)
def test_presets_are_valid(preset):
    config = checked(preset=preset)
    assert set(config) == {'exp_name', 'method', 'seed', 'max_env_step', 'env', 'policy', 'create'}
    assert set(config['policy']) == set(MOW_CONFIG), 'a preset adds no keys'


@pytest.mark.unittest
def test_presets_are_what_they_say():
    paper, storm, laptop = (build_config(preset) for preset in ('paper', 'storm', 'laptop'))
    assert paper['env']['tasks'] == list(ATARI_100K) and paper['max_env_step'] == 100000
    sizes = {
        'num_experts': 12,
        'experts_per_task': 2,
        'num_clusters': 12,
        'width': 512,
        'num_layers': 2,
        'max_length': 64
    }
    assert {key: paper['policy']['model'][key] for key in sizes} == sizes
    model, policy = storm['policy']['model'], storm['policy']
    assert (model['num_experts'], model['num_clusters'], model['task_embedding_dim'],
            model['task_head']) == (0, 1, 0, False)
    assert (policy['task_weighting'], policy['batch_size'], len(storm['env']['tasks'])) == ('sum', 16, 1)
    assert laptop['env']['tasks'] == ['CrazyClimber', 'Krull', 'Boxing', 'Frostbite']


@pytest.mark.unittest
def test_later_layers_win():
    before = copy.deepcopy(MOW_CONFIG)
    layers = [dict(policy=dict(batch_size=12, log_freq=7)), dict(policy=dict(batch_size=16), seed=4)]
    config = build_config('laptop', layers=layers, overrides=['policy.batch_size=20'])
    assert config['policy']['batch_size'] == 20 and config['policy']['log_freq'] == 7 and config['seed'] == 4
    assert config['exp_name'] == 'data_mow/laptop_seed4'
    assert build_config('laptop', overrides=['seed=5'])['exp_name'] == 'data_mow/laptop_seed5'
    assert MOW_CONFIG == before, 'the defaults are left alone'


@pytest.mark.unittest
def test_games():
    suites = load_suite()['suites']
    assert suites['atari26'] == list(ATARI_100K)
    assert resolve_games(['Pong,Boxing', 'Hero'], suites) == ['Pong', 'Boxing', 'Hero']
    assert resolve_games('laptop', suites) == ['CrazyClimber', 'Krull', 'Boxing', 'Frostbite']
    assert resolve_games(['MT10'], load_suite('metaworld')['suites'])[:2] == ['reach', 'push']
    config = build_config('laptop', ['Hero', 'Pong'])
    assert config['env']['tasks'] == config['policy']['tasks'] == ['Hero', 'Pong']
    assert config['policy']['model']['num_tasks'] == 2


@pytest.mark.unittest
def test_overrides_are_read_in_the_type_of_the_default():
    assert parse_overrides(['a.b=3', 'a.c=[x, y]', 'd=null']) == {'a': {'b': 3, 'c': ['x', 'y']}, 'd': None}
    config = build_config(
        'laptop', overrides=['policy.learning_rate=1e-3', 'policy.grad_clip=5', 'env.obs_shape=[3,32,32]']
    )
    assert config['policy']['learning_rate'] == 1e-3
    assert type(config['policy']['grad_clip']
                ) is float and config['policy']['model']['observation_shape'] == (3, 32, 32)
    assert change(config, overrides=['policy.device=cuda'])['policy']['cuda'] is True


@pytest.mark.unittest
@pytest.mark.parametrize(
    'override, message', [
        ('policy.batch_sise=8', "unknown key 'policy.batch_sise': did you mean 'policy.batch_size'?"),
        ('batch_size=8', "unknown key 'batch_size': did you mean 'policy.batch_size'?"),
        ('policy.model.num_expert=8', "did you mean 'policy.model.num_experts'?"),
        ('env.task=[Pong]', "did you mean 'env.tasks'?"),
        ('polcy.batch_size=8', "did you mean"),
        ('policy.xyzzy=1', '`python -m lzero_mow config` prints every key'),
        ('policy.batch_size=many', "policy.batch_size must be a whole number, got 'many'"),
        ('policy.batch_size=2.5', 'policy.batch_size must be a whole number, got 2.5'),
        ('policy.batch_size=true', 'policy.batch_size must be a whole number, got true'),
        ('policy.learning_rate=fast', "policy.learning_rate must be a number, got 'fast'"),
        ('policy.model.task_head=1', 'policy.model.task_head must be true or false, got 1'),
        ('policy.model=3', 'policy.model must be a group of keys, got 3'),
        ('env.tasks=Pong', "env.tasks must be a list of names, such as [A, B], got 'Pong'"),
        ('policy.batch_size', "'policy.batch_size' is not of the form KEY=VALUE"),
        ('policy.batch_size=[', 'cannot read policy.batch_size=['),
        ('policy.batch_size=${nothing}', 'cannot read policy.batch_size='),
    ] + [(f'{key}=1', f'{key} follows from {origin}') for key, origin in DERIVED_KEYS.items()] +
    [(f'policy.{key}=3.5', f'policy.{key} must be ') for key in LightZeroKeys.model_fields] +
    [(f'policy.model.{key}=9', f'policy.model.{key} must be ') for key in LightZeroModelKeys.model_fields]
)
def test_wrong_keys_and_values(override, message):
    with pytest.raises(ValueError) as raised:
        build_config('laptop', overrides=[override])
    assert message in str(raised.value) and '\n' not in str(raised.value)


@pytest.mark.unittest
@pytest.mark.parametrize('preset, method, expected', [('debug', 'mow', 3), ('debug', 'storm_multitask', 1)])
def test_an_assignment_says_how_many_clusters_there_are(tmp_path, preset, method, expected):
    path = tmp_path / 'groups.yaml'
    path.write_text('{Pong: 0, Boxing: 7, Breakout: 1, Gopher: 0}')
    games = ['Pong', 'Boxing', 'Breakout', 'Gopher']
    config = build_config(preset, games, [], [f'policy.clustering={path}'], method=method)
    assert config['policy']['model']['num_clusters'] == expected
    assert config['policy']['clustering'] == '{Pong: 0, Boxing: 1, Breakout: 2, Gopher: 0}'


@pytest.mark.unittest
@pytest.mark.parametrize(
    'name, message', [
        ('lptop', "unknown preset 'lptop': did you mean 'laptop'?"),
        ('zzz', "unknown preset 'zzz': there are paper, paper_small_batch, laptop, overnight, storm, debug"),
    ]
)
def test_unknown_preset(name, message):
    with pytest.raises(ValueError) as raised:
        build_config(name)
    assert str(raised.value) == message


@pytest.mark.unittest
@pytest.mark.parametrize(
    'overrides, message', [
        ('env.tasks=[]', 'env.tasks is empty'),
        ('seed=-1', 'seed must be at least 0, got -1'),
        ('seed=4294967296', 'seed must be at most 4294967295, got 4294967296'),
        ('env.tasks=[pong]', "unknown game 'pong': did you mean Pong"),
        ('env.tasks=[Pong,Breakot]', "unknown game 'Breakot': did you mean Breakout"),
        ('env.tasks=[Pong,Pong]', 'Pong twice'),
        ('env.action_space=all', "env.action_space must be 'full' or 'minimal', got 'all'"),
        ('env.obs_shape=[3.0,64,64]', 'env.obs_shape must be (3, height, width), got [3.0, 64, 64]'),
        ('env.manager.shared_memory=3', 'env.manager.shared_memory must be true or false, got 3'),
        ('env.manager.shared_memory=null', 'env.manager.shared_memory must be true or false, got null'),
        ('policy.multi_gpu=true', 'policy.multi_gpu must be false, its only choice, got true'),
        ('env.collector_env_num=0', 'env.collector_env_num must be at least 1, got 0'),
        ('env.noop_max=-1', 'env.noop_max must be at least 0, got -1'),
        ('env.obs_shape=[3,48,48]', 'env.obs_shape is [3, 48, 48]: the networks take square frames of 16, 32, 64, 128'),
        ('env.obs_shape=[3,64,32]', 'env.obs_shape is [3, 64, 32]: the networks take square frames'),
        ('policy.model.observation_shape=[1,64,64]', 'policy.model.observation_shape follows from env.obs_shape'),
        ('policy.model.action_space_size=6', 'action_space_size is 6: atari_mow has 18 actions'),
        ('policy.model.unimix=0.0', 'policy.model.unimix must be more than 0, got 0.0'),
        ('policy.context_length=1', 'policy.context_length must be at least 2, got 1'),
        ('policy.log_freq=0', 'policy.log_freq must be at least 1, got 0'),
        ('exp_name=5', 'exp_name must be text, got 5'),
        (
            'policy.model.num_clusters=5',
            'policy.model.num_clusters is 5, more than there are tasks: set at most 4'
        ),
        ('policy.warmup_steps=-1', 'policy.warmup_steps must be at least 0, got -1'),
        (
            'policy.clustering=gradient policy.warmup_steps=0',
            "policy.clustering is 'gradient' but policy.warmup_steps is 0"
        ),
        ('policy.clustering=colour', "policy.clustering is 'colour': no file, and none of gradient, auto, random"),
        ('policy.device=tpu', "policy.device must be 'auto', 'cpu' or 'cuda', got 'tpu'"),
        ('policy.model.experts_per_task=40', 'policy.model.experts_per_task is 40 but policy.model.num_experts is'),
        ('policy.model.experts_per_task=0', 'policy.model.experts_per_task is 0: set 1 to '),
        (
            'policy.model.num_experts=0 policy.model.experts_per_task=0 policy.model.shared_transformer=false',
            'no dynamics'
        ),
        ('policy.model.width=130', 'policy.model.width 130 is not divisible by policy.model.num_heads 4'),
        ('policy.model.task_embedding_dim=0', 'policy.model.task_embedding_dim is 0'),
        ('policy.model.norm=instance', "policy.model.norm must be 'batch', 'group' or 'layer', got 'instance'"),
        (
            'policy.batch_length=17',
            'policy.batch_length is 17 but the transformers end at policy.model.max_length = 16'
        ),
        ('policy.horizon=30', 'policy.context_length + policy.horizon is 33 but the transformers end at'),
        ('policy.acting_window=40', 'policy.acting_window is 40 but the transformers end at'),
        ('policy.context_length=32 policy.horizon=0', 'policy.horizon must be at least 1, got 0'),
        ('policy.batch_length=9', 'policy.context_length + policy.horizon is 10 but policy.batch_length 9: later'),
        ('policy.acting_window=12', 'policy.acting_window is 12 but policy.batch_length 10: later positions are never'),
        ('policy.batch_length=3', 'policy.context_length is 3: it must be less than policy.batch_length'),
        ('policy.batch_size=3', 'policy.batch_size is 3 for 4 tasks'),
        ('policy.imagine_batch_size=3', 'policy.imagine_batch_size is 3 for 4 tasks'),
        ('policy.imagine_batch_size=7', "policy.imagine_source is 'batch' and policy.imagine_batch_size 7 less than"),
        (
            'policy.replay_buffer_size=9 env.collector_env_num=1 policy.batch_size=4',
            'policy.batch_length is 10 but the replay keeps 9 steps'
        ),
        ('policy.replay_buffer_size=18 env.collector_env_num=2', 'but the replay keeps 9 steps of an environment'),
        (
            'policy.replay_buffer_size=19 env.collector_env_num=1',
            'a batch holds 20 steps per task but the replay only 19'
        ),
        ('policy.train_start_after_envsteps=40', 'policy.train_start_after_envsteps is 40: too few steps'),
        ('max_env_step=100', 'max_env_step is 100 but training starts after'),
        ('policy.replay_ratio=0.0', 'policy.replay_ratio must be more than 0, got 0.0'),
        ('policy.discount_factor=1.5', 'policy.discount_factor must be at most 1, got 1.5'),
        ('policy.learning_rate=.nan', 'policy.learning_rate must be a finite number, got nan'),
    ]
)
def test_unworkable_settings_are_refused(overrides, message):
    with pytest.raises(ValueError) as raised:
        checked('policy.batch_size=8', *overrides.split(' '))
    assert message in str(raised.value) and '\n' not in str(raised.value)


@pytest.mark.unittest
def test_saved_configuration_reads_back(tmp_path):
    config = checked()
    save_config(config, str(tmp_path / 'total_config.yaml'))
    saved = load_run_config(str(tmp_path))
    assert run_identity(saved) == run_identity(config), 'tuples and lists count as equal'
    validate(change(saved, [dict(max_env_step=5000)]))
    assert list(leaves(saved)) == list(leaves(config))
    with pytest.raises(ValueError, match='is no run folder'):
        load_run_config(str(tmp_path / 'elsewhere'))


@pytest.mark.unittest
@pytest.mark.parametrize(
    'text, message', [('', 'cannot be read'), ('{a: [', 'cannot be read'), ('seed: 1', 'it has no create, env')]
)
def test_a_damaged_configuration_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / 'total_config.yaml').write_text(text)
    with pytest.raises(ValueError, match=message) as raised:
        load_run_config(str(tmp_path))
    assert '\n' not in str(raised.value)


@pytest.mark.unittest
@pytest.mark.parametrize('method, key', [('mow', 'continuous_action_space'), ('scalezero', 'router_norm')])
def test_a_run_from_before_a_key_existed_is_refused_in_one_line(method, key):
    config = build_config('debug', method=method)
    del config['policy']['model'][key]
    with pytest.raises(ValueError, match=f'^policy.model.{key} is missing: continue this run with the version'):
        change(config)


@pytest.mark.unittest
def test_merge_leaves_its_arguments_alone():
    base = {'a': {'b': 1, 'c': (1, 2)}, 'd': None}
    assert merge(base, {'a': {'b': 2, 'c': [3]}, 'd': 'x'}) == {'a': {'b': 2, 'c': [3]}, 'd': 'x'}
    assert base == {'a': {'b': 1, 'c': (1, 2)}, 'd': None}


@pytest.mark.unittest
def test_lightzero_form_and_the_script():
    main_config, create_config = lightzero_configs(build_config('debug'))
    assert main_config.env.tasks == ['Pong', 'Boxing'] and main_config.policy.model.width == 32
    assert create_config.policy.type == 'mow' and 'policy' not in create_config.policy
    script = runpy.run_path(str(ROOT / 'zoo' / 'atari' / 'config' / 'mow_multitask.py'))
    assert len(script['main_config'].env.tasks) == 26 and script['main_config'].exp_name == 'data_mow/paper_seed0'
    assert script['create_config'].env.type == 'atari_mow'


@pytest.mark.unittest
def test_frames_of_the_environment_fit_the_networks():
    assert ATARI.keys.defaults()['obs_shape'] == MOW_CONFIG['model']['observation_shape']


@pytest.mark.unittest
def test_a_preset_has_no_more_clusters_than_there_are_tasks():
    for games, K in ((['Pong'], 1), (['Pong', 'Boxing'], 2), ('atari26', 12)):
        config = build_config('paper', [games] if isinstance(games, str) else games)
        assert config['policy']['model']['num_clusters'] == K
        validate(config)
    for arguments in (dict(overrides=['policy.model.num_clusters=12']),
                      dict(layers=[dict(policy=dict(model=dict(num_clusters=12)))])):
        with pytest.raises(ValueError, match='more than there are tasks: set at most 1'):
            validate(build_config('paper', ['Pong'], **arguments))


@pytest.mark.unittest
@pytest.mark.parametrize('key', ['batch_size', 'learning_rate', 'discount_factor'])
def test_values_of_a_wrong_type_that_no_override_has_gone_through(key):
    config = build_config('debug')
    config['policy'][key] = 'many'
    with pytest.raises(ValueError, match=f"policy.{key} must be a (whole )?number, got 'many'"):
        settle(config)
