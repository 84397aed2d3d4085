"""
The Atari environment's configuration, and its life in DI-engine's environment managers.
"""
import copy
from functools import partial

import numpy as np
import pytest
from ding.envs import create_env_manager
from ding.envs.env_manager import BaseEnvManager, SyncSubprocessEnvManager
from ding.utils import ENV_REGISTRY
from easydict import EasyDict

from helpers.atari_play import make_env
from lzero_mow.config.atari import ATARI_100K
from lzero_mow.config.minatar import MINATAR
from lzero_mow.envs.atari import AtariMoWEnv


@pytest.mark.unittest
@pytest.mark.parametrize(
    'cfg, message', [
        (dict(tasks=['Pong', 'Brekout']), "unknown game 'Brekout'.*Breakout"),
        (dict(tasks=[]), 'is empty'),
        (dict(obs_shape=(64, 64, 3)), r'env.obs_shape must be \(3, height, width\), got \[64'),
        (dict(obs_shape=64), 'env.obs_shape must be .*, got 64'),
        (dict(action_space='all'), "env.action_space must be 'full' or 'minimal', got 'all'"),
        (dict(frame_skip=0), 'env.frame_skip must be at least 1, got 0'),
        (dict(frame_skip='4'), "env.frame_skip must be a whole number, got '4'"),
        (dict(noop_max=-1), 'env.noop_max must be at least 0, got -1'),
        (dict(repeat_action_probability=1), 'env.repeat_action_probability must be less than 1, got 1'),
        (dict(max_episode_steps=0.5), 'env.max_episode_steps must be a whole number, got 0.5'),
        (dict(collector_env_num=0), 'env.collector_env_num must be at least 1'),
        (dict(evaluator_env_num=True), 'env.evaluator_env_num must be a whole number, got true'),
    ]
)
def test_check_refuses_a_bad_configuration_with_one_line(cfg, message):
    with pytest.raises(ValueError, match=message) as error:
        AtariMoWEnv.check(EasyDict({'tasks': ['Pong'], **cfg}))
    assert '\n' not in str(error.value)


@pytest.mark.unittest
def test_check_refuses_a_missing_or_damaged_rom(tmp_path, monkeypatch):
    monkeypatch.setenv('ALE_ROMS_DIR', str(tmp_path))
    with pytest.raises(ValueError, match='cannot use the ROM of Pong'):
        AtariMoWEnv.check(EasyDict(tasks=['Pong']))
    (tmp_path / 'pong.bin').write_bytes(b'no game')
    with pytest.raises(ValueError, match='cannot use the ROM of Pong') as error:
        AtariMoWEnv.check(EasyDict(tasks=['Pong']))
    assert '\n' not in str(error.value)


@pytest.mark.unittest
def test_check_accepts_the_defaults_and_the_constructor_refuses_an_unknown_game():
    AtariMoWEnv.check(EasyDict(AtariMoWEnv.default_config(), tasks=list(ATARI_100K)))
    with pytest.raises(ValueError, match="unknown game 'Pung'"):
        make_env('Pung')


@pytest.mark.unittest
def test_environment_configs_are_ordered_by_task_and_do_not_change_their_source():
    cfg = EasyDict(tasks=['Pong', 'Boxing'], collector_env_num=2, evaluator_env_num=1, max_episode_steps=99)
    before = copy.deepcopy(cfg)
    collect, evaluate = AtariMoWEnv.create_collector_env_cfg(cfg), AtariMoWEnv.create_evaluator_env_cfg(cfg)
    assert cfg == before
    assert [(c.task, c.task_id) for c in collect] == [('Pong', 0), ('Pong', 0), ('Boxing', 1), ('Boxing', 1)]
    assert [(c.task, c.task_id) for c in evaluate] == [('Pong', 0), ('Boxing', 1)]
    assert all(c.max_episode_steps == 99 and c.frame_skip == 4 for c in collect + evaluate)
    collect[0].frame_skip = 1
    assert collect[1].frame_skip == 4


@pytest.mark.unittest
def test_the_environment_is_registered_and_knows_its_reference_scores():
    assert ENV_REGISTRY.get('atari_mow') is AtariMoWEnv
    assert AtariMoWEnv.reference_scores(dict(tasks=['Pong', 'Boxing'])) == [(-20.7, 14.6), (0.1, 12.1)]


@pytest.mark.unittest
def test_games_that_are_cut_short_lie_on_no_scale_of_whole_games():
    games = ['Pong', 'Boxing']
    assert AtariMoWEnv.reference_scores(dict(tasks=games, max_episode_steps=4499)) == [None, None]
    cut = dict(tasks=['Breakout'], max_episode_steps=500)
    assert MINATAR.reference_scores(cut) == [MINATAR.references.of('Breakout')]


def play(manager, cfgs, steps):
    manager.seed(3)
    manager.launch()
    try:
        frames, mask = [], {}
        for _ in range(steps):
            ready = manager.ready_obs
            assert sorted(ready) == list(range(len(cfgs)))
            mask.update({env_id: obs['action_mask'].sum() for env_id, obs in ready.items()})
            timesteps = manager.step({env_id: 0 for env_id in ready})
            assert all('life_loss' in timestep.info for timestep in timesteps.values())
            frames.append([timesteps[env_id].obs['observation'] for env_id in sorted(timesteps)])
        return np.array(frames), [mask[env_id] for env_id in sorted(mask)]
    finally:
        manager.close()


@pytest.mark.unittest
def test_works_in_di_engines_base_and_subprocess_managers():
    cfg = EasyDict(tasks=['Pong', 'Freeway'], collector_env_num=2, action_space='minimal')
    cfgs = AtariMoWEnv.create_collector_env_cfg(cfg)
    env_fn = [partial(AtariMoWEnv, cfg=c) for c in cfgs]
    base = create_env_manager(EasyDict(BaseEnvManager.default_config(), type='base'), env_fn)
    subprocess = create_env_manager(
        EasyDict(SyncSubprocessEnvManager.default_config(), type='subprocess', **AtariMoWEnv.config['manager']), env_fn
    )
    frames, masks = play(base, cfgs, steps=12)
    assert frames.shape == (12, 4, 3, 64, 64) and masks == [6, 6, 3, 3]
    other_frames, other_masks = play(subprocess, cfgs, steps=12)
    assert np.array_equal(frames, other_frames) and masks == other_masks
