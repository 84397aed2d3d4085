"""MinAtar's environment: what a frame shows, what an episode is, and how it continues."""
import numpy as np
import pytest
from easydict import EasyDict

from lzero_mow.config.minatar import GAMES, MINATAR, game_and_palette

pytest.importorskip('minatar', reason='MinAtar, an optional extra, is not installed')
from lzero_mow.envs.minatar import MinAtarMoWEnv
from lzero_mow.envs.minatar_game import PALETTE


def make(task: str = 'Breakout', **cfg) -> MinAtarMoWEnv:
    env = MinAtarMoWEnv(EasyDict(task=task, obs_shape=(3, 16, 16), **cfg))
    env.seed(3)
    return env


def play(env: MinAtarMoWEnv, actions) -> list:
    """Frames, rewards and ends of an episode that plays these actions, as far as it lasts."""
    steps = [(env.reset()['observation'], 0.0, False)]
    for action in actions:
        timestep = env.step(int(action))
        steps.append((timestep.obs['observation'], float(timestep.reward), timestep.done))
        if timestep.done:
            break
    return steps


def same(left: list, right: list) -> bool:
    return len(left) == len(right) and all(
        np.array_equal(a[0], b[0]) and a[1:] == b[1:] for a, b in zip(left, right)
    )


ACTIONS = np.random.default_rng(0).integers(0, 6, 40)


@pytest.mark.unittest
@pytest.mark.parametrize('size, cell, rim', [(16, 1, 3), (32, 3, 1), (64, 6, 2)])
def test_the_board_fills_the_frame_with_whole_cells(size, cell, rim):
    env = MinAtarMoWEnv(EasyDict(task='Breakout', obs_shape=(3, size, size)))
    env.seed(0)
    frame = env.reset()['observation']
    assert frame.shape == (3, size, size) and frame.dtype == np.uint8
    bricks = frame[:, rim + cell:rim + 4 * cell, rim:rim + 10 * cell]  # rows 1 to 3 of the board
    assert (bricks == PALETTE[3][:, None, None]).all()
    assert not frame[:, :rim].any() and not frame[:, :, -rim:].any()


@pytest.mark.unittest
def test_later_channels_are_drawn_on_top():
    env = make()
    env.reset()
    state = env._game._env.env.state()
    row, column = np.argwhere(state[..., 1])[0]
    assert state[row, column, 1:].all()  # an episode begins with ball, trail and a brick on one cell
    assert (env._frame[:, 3 + row, 3 + column] == PALETTE[3]).all()


@pytest.mark.unittest
@pytest.mark.parametrize('task', list(GAMES))
def test_an_episode_is_a_function_of_its_seed_and_actions(task):
    assert same(play(make(task), ACTIONS), play(make(task), ACTIONS))
    others = [make(task) for _ in range(8)]
    for seed, other in enumerate(others):
        other.seed(seed)
    assert not all(same(play(make(task), ACTIONS), play(other, ACTIONS)) for other in others)


@pytest.mark.unittest
@pytest.mark.parametrize('task', list(GAMES))
def test_an_episode_continues_where_it_was_saved(task):
    env, other = make(task), make(task)
    env.reset()
    for action in (4, 4, 1, 0):
        env.step(action)
    other.load_state_dict(env.state_dict())
    for _ in range(30):
        action = env.random_action()
        assert other.random_action() == action
        left, right = env.step(action), other.step(action)
        assert np.array_equal(left.obs['observation'], right.obs['observation'])
        assert (left.reward, left.done) == (right.reward, right.done)
        if left.done:
            break


@pytest.mark.unittest
def test_a_saved_episode_that_the_game_does_not_repeat_is_refused():
    env = make(sticky_action_prob=0.0)
    env.reset()
    for _ in range(4):
        env.step(1)
    with pytest.raises(ValueError, match='does not continue as saved'):
        make(sticky_action_prob=1.0).load_state_dict(env.state_dict())


@pytest.mark.unittest
def test_a_copy_is_the_same_game_under_other_colours():
    plain, copy = play(make('Breakout'), ACTIONS), play(make('Breakout@2'), ACTIONS)
    assert [step[1:] for step in plain] == [step[1:] for step in copy]
    assert not same(plain, copy)
    recoloured = np.roll(PALETTE, -2, axis=0)
    for (left, *_), (right, *_) in zip(plain, copy):
        for channel in range(4):
            assert (right[:, (left == PALETTE[channel][:, None, None]).all(0)] == recoloured[channel][:, None]).all()


@pytest.mark.unittest
def test_the_mask_keeps_the_actions_with_an_effect():
    assert make('Freeway', action_space='minimal').reset()['action_mask'].tolist() == [1, 0, 1, 0, 1, 0]
    assert make('Freeway').reset()['action_mask'].all()


@pytest.mark.unittest
def test_an_episode_is_cut_at_the_limit():
    env = make('Freeway', max_episode_steps=5)
    last = play(env, [0] * 10)
    assert len(last) == 6 and last[-1][2]
    env.reset()
    info = [env.step(0).info for _ in range(5)][-1]
    assert info['truncated'] and not info['terminated'] and info['eval_episode_return'] == 0.0


@pytest.mark.unittest
@pytest.mark.parametrize(
    'cfg, words', [
        (dict(tasks=[]), 'name at least one'), (dict(tasks=['Brekout']), 'did you mean Breakout'),
        (dict(tasks='Breakout'), "must be a list of names.*, got 'Breakout'"),
        (dict(tasks=[3]), r'must be a list of names.*, got \[3\]'),
        (dict(tasks=['Breakout', 'Breakout']), 'twice'), (dict(tasks=['Breakout@0']), 'must be 1 to 9'),
        (dict(tasks=['Breakout@x']), 'must be 1 to 9'),
        (dict(tasks=['Breakout'], obs_shape=(3, 16.0, 16)), r'env.obs_shape must be \(3, size, size\) with a size'),
        (dict(tasks=['Breakout'], obs_shape=(3, 8, 8)), r'env.obs_shape must be \(3, size, size\) with a size of at'),
        (dict(tasks=['Breakout'], sticky_action_prob=2), 'env.sticky_action_prob must be at most 1, got 2'),
        (dict(tasks=['Breakout'], difficulty_ramping=1), 'env.difficulty_ramping must be true or false, got 1')
    ]
)
def test_bad_configurations_are_refused_in_one_line(cfg, words):
    with pytest.raises(ValueError, match=words) as caught:
        MINATAR.check(cfg)
    assert '\n' not in str(caught.value)


@pytest.mark.unittest
def test_names_of_copies():
    assert game_and_palette('SpaceInvaders@3') == ('space_invaders', 3)
    assert game_and_palette('Breakout') == ('breakout', 0)
