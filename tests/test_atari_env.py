"""
The Atari environment's frames, rewards, flags and masks: identical to gymnasium's preprocessing and to ALE.
"""
import copy

import ale_py
import numpy as np
import pytest
import torch
from ding.torch_utils import to_tensor
from gymnasium.wrappers import AtariPreprocessing

from helpers.atari_play import make_env, roll
from lzero_mow.config.atari import ATARI_100K, ale_id


def make_reference(task, frame_skip=4, noop_max=30, repeat_action_probability=0.):
    env = ale_py.AtariEnv(
        ale_id(task), frameskip=1, repeat_action_probability=repeat_action_probability, full_action_space=True
    )
    return AtariPreprocessing(
        env, frame_skip=frame_skip, noop_max=noop_max, screen_size=64, grayscale_obs=False, scale_obs=False
    )


@pytest.mark.unittest
@pytest.mark.parametrize(
    'task, cfg', [
        ('Pong', {}),
        ('Breakout', {}),
        ('Qbert', {}),
        ('KungFuMaster', {}),
        ('Breakout', dict(repeat_action_probability=0.25)),
        ('Boxing', dict(noop_max=0)),
        ('Asterix', dict(frame_skip=1)),
        ('Gopher', dict(frame_skip=2, repeat_action_probability=0.5)),
    ]
)
def test_frames_rewards_and_ends_are_those_of_atari_preprocessing(task, cfg):
    env, reference, rng = make_env(task, **cfg), make_reference(task, **cfg), np.random.default_rng(0)
    steps, ends, points = 0, 0, 0.
    while steps < 500 or (task == 'Breakout' and ends == 0):  # Breakout: through the end of a game and beyond
        env.seed(steps, dynamic_seed=False)
        obs, (frame, _), done = env.reset(), reference.reset(seed=steps), False
        assert np.array_equal(obs['observation'], frame.transpose(2, 0, 1))
        while not done and (steps < 500 or task == 'Breakout'):
            action = int(rng.integers(18))
            timestep, (frame, reward, terminated, _, _) = env.step(action), reference.step(action)
            assert np.array_equal(timestep.obs['observation'], frame.transpose(2, 0, 1))
            assert timestep.reward == reward
            assert timestep.info['terminated'] == terminated
            done, steps, points = timestep.done, steps + 1, points + abs(reward)
        ends += done
    assert points > 0


@pytest.mark.unittest
def test_timesteps_have_the_shapes_and_types_of_the_spaces():
    env = make_env('Pong', seed=0)
    obs = env.reset()
    assert set(obs) == {'observation', 'action_mask', 'to_play', 'timestep'}
    assert obs['observation'].shape == (3, 64, 64) and obs['observation'].dtype == np.uint8
    assert obs['observation'].flags['C_CONTIGUOUS']
    assert obs['action_mask'].shape == (18, ) and obs['action_mask'].dtype == np.int8
    assert obs['to_play'] == -1 and obs['timestep'] == 0
    timestep = env.step(np.int64(2))
    assert timestep.obs['timestep'] == 1
    assert timestep.reward.shape == () and timestep.reward.dtype == np.float32
    assert env.observation_space['observation'].contains(timestep.obs['observation'])
    assert env.action_space.n == 18 and env.reward_space.shape == ()
    assert all(isinstance(timestep.info[key], bool) for key in ('terminated', 'truncated', 'life_loss'))
    assert to_tensor(timestep.obs, dtype=torch.float32)['observation'].max() > 1  # the evaluators convert like this
    assert repr(env) == 'AtariMoWEnv(Pong)'


@pytest.mark.unittest
def test_an_observation_is_not_overwritten_by_later_steps():
    env = make_env('Breakout', seed=0)
    first = env.reset()
    kept = copy.deepcopy(first)
    first['action_mask'][:] = 0
    for _ in range(30):
        timestep = env.step(1)
    assert np.array_equal(first['observation'], kept['observation'])
    assert not np.array_equal(timestep.obs['observation'], kept['observation'])
    assert timestep.obs['action_mask'].all()


@pytest.mark.unittest
def test_life_loss_is_flagged_exactly_when_lives_drop_and_ends_nothing():
    env, rng, lost = make_env('Breakout', seed=3), np.random.default_rng(0), 0
    env.reset()
    lives, done = env._game.ale.lives(), False
    while not done:
        timestep = env.step(int(rng.integers(18)))
        now = env._game.ale.lives()
        assert timestep.info['life_loss'] == (now < lives)
        lost, lives, done = lost + timestep.info['life_loss'], now, timestep.done
        assert done == (now == 0)
    assert lost == 5


class ScriptedLives:
    """An ``ALEInterface`` whose count of lives follows a script, one number per frame."""

    def __init__(self, ale, lives):
        self._ale, self._lives = ale, iter(lives)

    def __getattr__(self, name):
        return getattr(self._ale, name)

    def lives(self):
        return next(self._lives)


@pytest.mark.unittest
@pytest.mark.parametrize(
    'lives, expected',
    [
        ([3, 3, 3, 3], False),
        ([3, 3, 2, 2], True),
        ([3, 4, 4, 4], False),  # an extra life
        ([2, 3, 3, 3], True),  # lost and won back within one step
    ]
)
def test_life_loss_looks_at_every_frame_and_only_at_losses(lives, expected):
    env = make_env('Pong', seed=0)
    env.reset()
    env._game.lives = 3
    env._game.ale = ScriptedLives(env._game.ale, lives)
    assert env.step(0).info['life_loss'] is expected


@pytest.mark.unittest
def test_a_game_that_ends_is_terminated_and_reports_its_raw_return():
    env, rng, total = make_env('Breakout', seed=1), np.random.default_rng(1), 0.
    env.reset()
    while True:
        timestep = env.step(int(rng.integers(18)))
        total += float(timestep.reward)
        if timestep.done:
            break
        assert 'eval_episode_return' not in timestep.info
    assert timestep.info['terminated'] and not timestep.info['truncated']
    assert timestep.info['eval_episode_return'] == total and isinstance(total, float)
    with pytest.raises(RuntimeError, match='Breakout is in progress: call reset'):
        env.step(0)


@pytest.mark.unittest
def test_a_game_that_ends_on_the_last_allowed_step_is_terminated_and_not_truncated():
    steps = [step for step in roll(make_env('Breakout', seed=1), 1000) if not isinstance(step, np.ndarray)]
    length = next(number for number, step in enumerate(steps, start=1) if step.done)
    last = roll(make_env('Breakout', seed=1, max_episode_steps=length), length)[length]
    assert last.info['terminated'] and not last.info['truncated']


@pytest.mark.unittest
def test_rewards_are_neither_clipped_nor_scaled():
    rewards = [
        float(step.reward) for step in roll(make_env('Asterix', seed=0), 300) if not isinstance(step, np.ndarray)
    ]
    assert max(rewards) >= 50


@pytest.mark.unittest
def test_the_step_limit_truncates_and_does_not_terminate():
    env = make_env('Pong', seed=0, max_episode_steps=7)
    for _ in range(2):
        env.reset()
        timesteps = [env.step(0) for _ in range(7)]
        assert [timestep.done for timestep in timesteps] == [False] * 6 + [True]
        assert timesteps[-1].info['truncated'] and not timesteps[-1].info['terminated']
        assert timesteps[-1].info['eval_episode_return'] == sum(float(timestep.reward) for timestep in timesteps)


@pytest.mark.unittest
def test_all_games_start_and_step_with_the_action_masks_of_ale():
    for task in ATARI_100K:
        env = make_env(task, seed=0, action_space='minimal')
        mask = env.reset()['action_mask']
        reference = ale_py.AtariEnv(ale_id(task))
        assert np.flatnonzero(mask).tolist() == [action.value for action in reference.ale.getMinimalActionSet()]
        assert len(np.flatnonzero(mask)) == reference.action_space.n
        for _ in range(3):
            timestep = env.step(env.random_action())
            assert np.array_equal(timestep.obs['action_mask'], mask) and timestep.obs['observation'].any()
        env.close()


@pytest.mark.unittest
def test_full_action_space_allows_everything_and_minimal_refuses_the_rest():
    env = make_env('Freeway', seed=0)
    assert env.reset()['action_mask'].all()
    env.step(17)
    env = make_env('Freeway', seed=0, action_space='minimal')
    env.reset()
    assert {env.random_action() for _ in range(50)} == {0, 2, 5}
    with pytest.raises(ValueError, match=r'action 17 is illegal in Freeway: the legal actions are \[0, 2, 5\]'):
        env.step(17)


@pytest.mark.unittest
@pytest.mark.parametrize('action', [18, -1, 2.5, None, np.zeros(2)])
def test_invalid_actions_are_refused(action):
    env = make_env('Pong', seed=0)
    env.reset()
    with pytest.raises(ValueError, match='Pong'):
        env.step(action)


@pytest.mark.unittest
def test_enable_save_replay_writes_a_video_of_every_episode(tmp_path):
    imageio = pytest.importorskip('imageio')
    env = make_env('Boxing', seed=0, dynamic_seed=True, max_episode_steps=8)
    env.enable_save_replay(str(tmp_path / 'videos'))
    for _ in range(2):
        env.reset()
        while not env.step(0).done:
            pass
    env.close()
    videos = sorted((tmp_path / 'videos').iterdir())
    assert [video.name for video in videos] == ['Boxing_episode_0.mp4', 'Boxing_episode_1.mp4']
    frames = imageio.mimread(videos[1])
    assert len(frames) == 9 and frames[0].shape == (210, 160, 3)


@pytest.mark.unittest
def test_a_closed_environment_starts_again():
    env = make_env('Pong', seed=0)
    first = env.reset()['observation']
    env.close()
    env.close()
    assert np.array_equal(env.reset()['observation'], first)
