"""
Which episodes a seed gives, and going on exactly from a saved environment.
"""
import io

import numpy as np
import pytest
import torch

from helpers.atari_play import make_env, roll, same_timestep, same_trace


@pytest.mark.unittest
@pytest.mark.parametrize(
    'task, repeat_action_probability',
    [
        ('Assault', 0.),  # ALE's own reset depends on what was played before
        ('Qbert', 0.),
        ('Qbert', 0.25),
    ]
)
def test_a_fixed_seed_repeats_the_episode_whatever_was_played_before(task, repeat_action_probability):
    cfg = dict(seed=5, repeat_action_probability=repeat_action_probability)
    env, other = make_env(task, **cfg), make_env(task, **cfg)
    roll(other, 333, seed=9)
    assert same_trace(roll(env, 60), roll(other, 60))
    assert same_trace(roll(env, 60), roll(other, 60))
    other.seed(6, dynamic_seed=False)
    assert not same_trace(roll(env, 60), roll(other, 60))


@pytest.mark.unittest
@pytest.mark.parametrize('repeat_action_probability', [0., 0.25])
def test_a_dynamic_seed_gives_new_episodes_that_depend_on_seed_and_number_only(repeat_action_probability):
    cfg = dict(seed=5, dynamic_seed=True, repeat_action_probability=repeat_action_probability, max_episode_steps=30)
    env, other = make_env('Breakout', **cfg), make_env('Breakout', **cfg)
    episodes = [roll(env, 29) for _ in range(4)]
    others = []
    for number in range(4):
        others.append(roll(other, 29))
        roll(make_env('Breakout', seed=8), number)  # another environment in between changes nothing
    assert all(same_trace(left, right) for left, right in zip(episodes, others))
    assert not any(same_trace(episodes[0], episode) for episode in episodes[1:])


@pytest.mark.unittest
@pytest.mark.parametrize(
    'task, cfg',
    [
        ('Pong', {}),
        ('Qbert', {}),  # ALE's own states fail here
        ('Breakout', dict(repeat_action_probability=0.25)),  # and here
        ('Boxing', dict(max_episode_steps=150, action_space='full')),
    ]
)
def test_a_saved_environment_continues_exactly_in_a_new_object(task, cfg):
    env, rng = make_env(task, seed=11, dynamic_seed=True, **cfg), np.random.default_rng(2)
    env.reset()
    for _ in range(230):
        if env.step(int(rng.integers(18))).done:
            env.reset()
    env.random_action()

    state = {key: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for key, v in env.state_dict().items()}
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    other = make_env(task, seed=4, **cfg)
    obs = other.load_state_dict(torch.load(file, weights_only=True))

    assert np.array_equal(obs['observation'], env.observe()['observation'])
    assert obs['timestep'] == env.observe()['timestep']
    assert [env.random_action() for _ in range(5)] == [other.random_action() for _ in range(5)]
    for _ in range(200):
        action = int(rng.integers(18))
        left, right = env.step(action), other.step(action)
        assert same_timestep(left, right)
        if left.done:
            assert np.array_equal(env.reset()['observation'], other.reset()['observation'])
    assert env.state_dict()['episode'] == other.state_dict()['episode']


@pytest.mark.unittest
def test_a_saved_environment_that_cannot_continue_is_refused():
    env = make_env('Pong', seed=0)
    with pytest.raises(RuntimeError, match='Pong has not been reset'):
        env.state_dict()
    roll(env, 50)
    with pytest.raises(ValueError, match='of Pong cannot continue as Boxing'):
        make_env('Boxing').load_state_dict(env.state_dict())
    with pytest.raises(ValueError, match='Pong does not continue as saved'):
        make_env('Pong', frame_skip=3).load_state_dict(env.state_dict())
