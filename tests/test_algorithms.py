"""Configurations of MoW and ScaleZero side by side: from one base, nothing but the method differs."""
import runpy
from pathlib import Path

import pytest

from lzero_mow.config import build_config, load_suite
from lzero_mow.policy.common_config import COMMON_CONFIG
from lzero_mow.suites import suite_names
from lzero_mow.validate import validate

ROOT = Path(__file__).resolve().parent.parent
ZOO = ROOT / 'zoo'
OTHERS = ('scalezero', 'scalezero_dps', 'unizero_multitask_dense')
SUITES_AND_PRESETS = [
    (suite, preset) for suite in suite_names() for preset in load_suite(suite)['presets'] if preset != 'storm'
]


@pytest.mark.unittest
@pytest.mark.parametrize('suite, preset', SUITES_AND_PRESETS)
def test_all_but_the_method_is_the_same(suite, preset):
    mow = build_config(preset, suite=suite)
    for method in OTHERS:
        other = build_config(preset, suite=suite, method=method)
        validate(other)
        for key in ('seed', 'max_env_step', 'env'):
            assert other[key] == mow[key], key
        for key in COMMON_CONFIG:
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
