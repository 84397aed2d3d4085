"""Configurations of MoW and ScaleZero side by side: from one base, nothing but the method differs."""
import runpy
from pathlib import Path

import pytest

from lzero_mow.config.build import build_config, load_suite
from lzero_mow.config.common import PolicyKeys
from lzero_mow.config.suites import suite_names
from lzero_mow.config.validate import validate

ROOT = Path(__file__).resolve().parent.parent
ZOO = ROOT / 'zoo'
OTHERS = ('scalezero', 'scalezero_dps', 'unizero_multitask_dense')
SUITES_AND_PRESETS = [
    (suite, preset) for suite in suite_names() for preset in load_suite(suite)['presets'] if preset != 'storm'
]


@pytest.mark.unittest
@pytest.mark.parametrize('suite, preset', SUITES_AND_PRESETS)
def test_everything_but_the_method_is_the_same(suite, preset):
    mow = build_config(preset, suite=suite)
    for method in OTHERS:
        other = build_config(preset, suite=suite, method=method)
        validate(other)
        for key in ('seed', 'max_env_step', 'env'):
            assert other[key] == mow[key], key
        for key in PolicyKeys.model_fields:
            assert other['policy'][key] == mow['policy'][key], key
        for key in set(mow['create']) - {'policy', 'replay_buffer'}:
            assert other['create'][key] == mow['create'][key], key
        assert other['policy']['model']['observation_shape'] == mow['policy']['model']['observation_shape']
        assert other['policy']['model']['action_space_size'] == mow['policy']['model']['action_space_size']


@pytest.mark.unittest
def test_the_dense_model_and_dps_differ_from_scalezero_in_what_their_names_say():
    whole, dps, dense = (build_config('laptop', suite='minatar', method=method) for method in OTHERS)
    assert dps['policy']['model'].pop('stages') == 5 and whole['policy']['model'].pop('stages') == 1
    assert dps['policy'] == whole['policy']
    assert dense['policy']['model'].pop('num_experts') == 0 and whole['policy']['model'].pop('num_experts') == 4
    dense['policy']['model'].pop('stages')
    assert dense['policy'] == whole['policy']


@pytest.mark.unittest
@pytest.mark.parametrize(
    'override, message', [
        ('policy.context_length=1', 'policy.context_length must be at least 2, got 1'),
        ('policy.context_length=10', 'policy.context_length is 10: the search continues from there'),
        ('policy.num_unroll_steps=4', 'policy.context_length is 4: the search continues from there'),
        ('policy.model.max_steps=9', 'policy.model.max_steps follows from policy.num_unroll_steps: set that instead'),
        ('policy.td_steps=12', "is 20: LightZero's collector needs segments as long, policy.game_segment_length is 16"),
        ('policy.model.num_heads=5', 'policy.model.embed_dim 64 is not divisible by policy.model.num_heads 5'),
        ('policy.model.patch_size=5', 'policy.model.patch_size is 5: frames of 16 pixels are no multiple of it'),
        ('policy.model.encoder=cnn', "policy.model.encoder must be 'vit' or 'resnet', got 'cnn'"),
        ('policy.model.num_experts=-1', 'policy.model.num_experts must be at least 0, got -1'),
        ('policy.model.num_shared_experts=-1', 'policy.model.num_shared_experts must be at least 0, got -1'),
        ('policy.model.experts_per_token=0', 'policy.model.experts_per_token is 0: choose 1 to'),
        ('policy.model.experts_per_token=5', 'policy.model.experts_per_token is 5: choose 1 to'),
        ('policy.model.value_support=[-50,50,0]', 'value_support must be [low, high, step], with low < high'),
        ('policy.model.value_support=[-5,5,0.3]', 'and their difference a multiple of step'),
        ('policy.model.value_support=[a,b,c]', "a multiple of step, got ['a', 'b', 'c']"),
        ('policy.model.reward_support=[-50,50]', 'policy.model.reward_support must be [low, high, step]'),
        ('policy.entropy_target=[0.98]', 'policy.entropy_target must be two shares from 0 to 1, got [0.98]'),
        ('policy.entropy_target=[x,y]', "policy.entropy_target must be two shares from 0 to 1, got ['x', 'y']"),
        ('policy.entropy_weight_bounds=[a,b]', "must be [low, high] with 0 < low <= high, got ['a', 'b']"),
        ('policy.entropy_weight_bounds=[10.0,0.1]', 'bounds must be [low, high] with 0 < low <= high, got [10.0, 0.1]'),
        ('policy.loss_weights.policy=-1.0', 'policy.loss_weights.policy must be at least 0, got -1.0'),
        ('policy.policy_weight=2.0', "unknown key 'policy.policy_weight': did you mean 'policy.loss_weights.policy'?"),
        ('policy.value_delta_max=0.0', 'policy.value_delta_max must be more than 0, got 0.0'),
        ('policy.solved_returns={Breakot: 3}', "policy.solved_returns names the unknown game 'Breakot'"),
        ('policy.solved_return={Breakout: 3}', "did you mean 'policy.solved_returns'?"),
        ('policy.model.value_support=[-1e308,1e308,1e-300]', 'value_support must be [low, high, step]'),
        ('policy.solved_returns={3: 3}', 'policy.solved_returns must have names as keys, got the key 3'),
        ('policy.solved_returns=5', 'policy.solved_returns must be a dict {NAME: VALUE}, got 5'),
        ('policy.solved_returns=[Breakout]', "must be a dict {NAME: VALUE}, got ['Breakout']"),
        ('policy.solved_returns={Breakout: .nan}', 'policy.solved_returns.Breakout must be a finite number, got nan'),
        ('policy.solved_returns.Breakout=2.0', 'is a part of policy.solved_returns: give the whole'),
        ('policy.solved_returns={Breakout: high}', "policy.solved_returns.Breakout must be a number, got 'high'"),
    ]
)
def test_unworkable_settings_are_refused(override, message):
    with pytest.raises(ValueError) as raised:
        validate(build_config('laptop', overrides=[override], suite='minatar', method='scalezero'))
    assert message in str(raised.value) and '\n' not in str(raised.value)


@pytest.mark.unittest
def test_what_counts_as_solved_is_replaced_as_a_whole():
    for given, expected in (('{Asterix: 3}', dict(Asterix=3)), ('null', None)):
        overrides = [f'policy.solved_returns={given}']
        config = build_config('laptop', overrides=overrides, suite='minatar', method='scalezero_dps')
        validate(config)
        assert config['policy']['solved_returns'] == expected


@pytest.mark.unittest
@pytest.mark.parametrize('script', sorted(path.relative_to(ZOO).as_posix() for path in ZOO.rglob('*_multitask.py')))
def test_scripts_hold_lightzeros_two_configs(script):
    suite, _, name = script.split('/')
    found = runpy.run_path(str(ZOO / script))
    policy = dict(mow='mow', scalezero='scalezero', unizero='scalezero')[name.split('_')[0]]
    assert found['create_config'].policy.type == policy
    assert found['main_config'].policy.type == policy and found['main_config'].env.tasks
    assert found['create_config'].env.type == f'{suite}_mow'
    assert (policy == 'mow') == ('num_clusters' in found['main_config'].policy.model)
    if name.startswith('unizero'):
        assert found['main_config'].policy.model.num_experts == 0
