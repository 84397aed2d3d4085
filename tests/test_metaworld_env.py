"""Meta-World's environment: what a picture shows, what an episode is, and how it continues."""
import importlib.util
import multiprocessing
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from easydict import EasyDict

from helpers.metaworld import skip_without_metaworld
from lzero_mow.config.metaworld import METAWORLD, MT50
from lzero_mow.config.suites import load_suite
from lzero_mow.envs import rendering
from lzero_mow.envs.metaworld import MetaWorldMoWEnv

skip_without_metaworld()
ACTIONS = np.random.default_rng(0).uniform(-1, 1, (12, 4)).astype(np.float32)


def make(task: str = 'reach', seed: int = 3, **cfg) -> MetaWorldMoWEnv:
    env = MetaWorldMoWEnv(EasyDict(task=task, **cfg))
    env.seed(seed)
    return env


def play(env: MetaWorldMoWEnv, actions) -> list:
    """Frames and rewards of an episode that plays these actions."""
    steps = [(env.reset()['observation'], 0.0)]
    for action in actions:
        timestep = env.step(action)
        steps.append((timestep.obs['observation'], float(timestep.reward)))
    return steps


def same(left: list, right: list) -> bool:
    return len(left) == len(right) and all(np.array_equal(a[0], b[0]) and a[1] == b[1] for a, b in zip(left, right))


@pytest.mark.unittest
def test_an_episode_follows_from_its_seed_and_its_actions():
    env = make()
    assert env.action_space.shape == (4, ) and env.observation_space['observation'].shape == (3, 64, 64)
    first = play(env, ACTIONS[:4])
    assert first[0][0].dtype == np.uint8 and first[0][0].shape == (3, 64, 64) and first[0][0].std() > 20
    assert same(first, play(make(), ACTIONS[:4])) and not same(first, play(make(seed=4), ACTIONS[:4]))
    assert not same(first, play(env, ACTIONS[:4]))  # the next episode has another goal
    env.close()


@pytest.mark.unittest
@pytest.mark.parametrize(
    'camera, axis', [('corner', 2), ('corner2', 2), ('corner3', 2), ('corner4', 2), ('topview', 1)]
)
def test_what_moves_up_or_away_moves_up_in_the_picture(camera, axis):
    heights = []
    for direction in (1, -1):
        env = make(camera=camera, action_repeat=15, max_episode_steps=2)
        frame = play(env, [direction * np.eye(4, dtype=np.float32)[axis]] * 2)[-1][0].astype(int)
        red = (frame[0] > 100) & (frame[1] < 60) & (frame[2] < 60)  # the arm
        heights.append(np.nonzero(red)[0].mean())
        env.close()
    assert heights[0] < heights[1] - 1, 'rows are counted from the top'


@pytest.mark.unittest
def test_several_renderers_in_one_process_draw_their_own_scenes():
    tasks = ('reach', 'drawer-close', 'window-close')
    alone = {}
    for task in tasks:
        env = make(task)
        alone[task] = play(env, ACTIONS[:3])
        env.close()
    envs = {task: make(task) for task in tasks}
    together = {task: [(env.reset()['observation'], 0.0)] for task, env in envs.items()}
    for step, action in enumerate(ACTIONS[:3]):
        if step == 2:
            envs.pop('reach').close()  # frees its context and nobody else's
        for task, env in envs.items():
            timestep = env.step(action)
            together[task].append((timestep.obs['observation'], float(timestep.reward)))
    assert all(same(alone[task][:len(steps)], steps) for task, steps in together.items())


@pytest.mark.unittest
def test_the_first_picture_shows_the_episodes_own_goal():
    """The simulator draws the previous episode's goal until it has computed the scene again."""
    env = make('window-close')
    play(env, ACTIONS[:2])
    first = env.reset()['observation']
    fresh = make('window-close')
    fresh.reset()
    second = fresh.reset()['observation']
    assert np.array_equal(first, second)
    import mujoco
    mujoco.mj_forward(env._game._env.model, env._game._env.data)
    assert np.array_equal(env._game.observe(), first)


@pytest.mark.unittest
def test_an_expert_succeeds_and_the_last_step_says_so():
    from metaworld.policies import ENV_POLICY_MAP
    env, expert = make('drawer-close', max_episode_steps=120), ENV_POLICY_MAP['drawer-close-v3']()
    env.reset()
    done, successes, rewards = False, [], []
    while not done:
        _, reward, done, info = env.step(np.clip(expert.get_action(env.state), -1, 1))
        successes.append(info['success'])
        rewards.append(float(reward))
    assert len(successes) == 120 and any(successes) and not successes[0]
    assert info['truncated'] and not info['terminated']
    assert info['episode_info'] == {'success_any': 1.0, 'success_last': float(successes[-1])}
    assert info['eval_episode_return'] == pytest.approx(sum(rewards), rel=1e-5)


@pytest.mark.unittest
def test_rewards_are_summed_while_an_action_is_held():
    single, held = make(), make(action_repeat=2, max_episode_steps=250)
    ones = play(single, np.repeat(ACTIONS[:3], 2, axis=0))
    twos = play(held, ACTIONS[:3])
    assert np.array_equal(twos[-1][0], ones[-1][0])
    assert [reward for _, reward in twos[1:]] == pytest.approx(
        [ones[2 * i + 1][1] + ones[2 * i + 2][1] for i in range(3)], rel=1e-5
    )


@pytest.mark.unittest
def test_an_episode_continues_in_another_object():
    env, other = make(max_episode_steps=10), make(max_episode_steps=10, seed=9)
    play(env, ACTIONS[:5])
    obs = other.load_state_dict(env.state_dict())
    assert np.array_equal(obs['observation'], env.observe()['observation']) and obs['timestep'] == 5
    for action in ACTIONS[5:10]:
        ours, theirs = env.step(action), other.step(action)
        assert np.array_equal(ours.obs['observation'], theirs.obs['observation']) and ours.reward == theirs.reward
    assert ours.done and ours.info == theirs.info


@pytest.mark.unittest
def test_evaluation_walks_through_the_fixed_goals():
    cfg = EasyDict(tasks=['reach'], evaluator_env_num=2, evaluation_episodes=6, max_episode_steps=1)
    goals = []
    for env_cfg in MetaWorldMoWEnv.create_evaluator_env_cfg(cfg):
        env = MetaWorldMoWEnv(env_cfg)
        env.seed(5, dynamic_seed=True)
        for _ in range(3):
            env.reset()
            goals.append(tuple(env._game._env._target_pos))
        env.seed(5, dynamic_seed=True)
        env.reset()
        assert tuple(env._game._env._target_pos) == goals[-3]  # the next evaluation has the same ones
    assert len(set(goals)) == 6


@pytest.mark.unittest
@pytest.mark.parametrize('action', [[0, 0, 0], [0, 0, 0, 1.5], [0, 0, 0, float('nan')], 3])
def test_invalid_actions_are_refused(action):
    env = make()
    env.reset()
    with pytest.raises(ValueError, match=r'is not an action of reach: actions are 4 numbers in \[-1, 1\]'):
        env.step(action)


@pytest.mark.unittest
@pytest.mark.parametrize(
    'cfg, message', [
        (dict(tasks=['raech']), "unknown task 'raech': did you mean reach"),
        (dict(tasks=['reach', 'reach']), 'names reach twice'),
        (dict(tasks=['reach'], camera='left'), "env.camera must be 'topview', 'corner', "),
        (dict(tasks=['reach'], action_repeat=2), 'is 1000: Meta-World ends an episode after 500 steps'),
        (dict(tasks=['reach'], action_space='minimal'), "env.action_space must be 'full', its only choice, got"),
        (dict(tasks=['reach'], manager=dict(connect_timeout='abc')), 'env.manager.connect_timeout must be a number'),
        (dict(tasks=['reach'], goals='some'), "env.goals must be 'fixed' or 'free', got 'some'"),
        (dict(tasks=['reach'], evaluator_env_num=2, evaluation_episodes=5), 'no multiple of env.evaluator_env_num'),
    ]
)
def test_impossible_values_are_refused(cfg, message):
    with pytest.raises(ValueError) as raised:
        METAWORLD.check(cfg)
    assert message in str(raised.value) and '\n' not in str(raised.value)


@pytest.mark.unittest
def test_all_of_mt50_are_known():
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS
    assert tuple(name.removesuffix('-v3') for name in ALL_V3_ENVIRONMENTS) == MT50


@pytest.mark.unittest
def test_a_fork_of_a_process_that_has_rendered_says_so_and_does_not_hang():
    make().reset()
    pipe = multiprocessing.get_context('fork').Pipe()

    def draw():
        try:
            make().reset()
        except RuntimeError as error:
            pipe[1].send(str(error))

    child = multiprocessing.get_context('fork').Process(target=draw)
    child.start()
    assert pipe[0].poll(60) and 'forked from one that has already rendered' in pipe[0].recv()
    child.join()


@pytest.mark.unittest
def test_the_suites_are_the_packages():
    from metaworld.env_dict import MT10_V3, MT50_V3
    suites = load_suite('metaworld')['suites']
    for name, package in (('mt10', MT10_V3), ('mt50', MT50_V3)):
        assert suites[name] == [task.removesuffix('-v3') for task in package]


@pytest.mark.unittest
def test_an_unknown_gl_library_is_refused_without_a_probe():
    code = "import os; os.environ['MUJOCO_GL'] = 'glfw'; from lzero_mow.envs import rendering; rendering.choose_gl()"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert "ValueError: MUJOCO_GL is 'glfw', which needs a display: unset it" in done.stderr


@pytest.mark.unittest
def test_egl_is_tried_before_osmesa(monkeypatch):
    works, tried = {'osmesa'}, []

    def run(command, env, **kwargs):
        tried.append(env['MUJOCO_GL'])
        return SimpleNamespace(returncode=0 if tried[-1] in works else 1, stderr='OSError: no such library')

    monkeypatch.setenv('MUJOCO_GL', '')
    monkeypatch.setenv('PYOPENGL_PLATFORM', 'egl')
    monkeypatch.setattr(rendering, 'sys', SimpleNamespace(modules={}, executable=sys.executable))
    monkeypatch.setattr(rendering, 'subprocess', SimpleNamespace(run=run, TimeoutExpired=subprocess.TimeoutExpired))
    choose_gl = rendering.choose_gl.__wrapped__  # without the memory of what was chosen
    assert choose_gl() == 'osmesa' and tried == ['egl', 'osmesa']
    assert os.environ['MUJOCO_GL'] == 'osmesa' and 'PYOPENGL_PLATFORM' not in os.environ
    monkeypatch.setenv('MUJOCO_GL', '')
    works.clear()
    with pytest.raises(ValueError, match='apt install libegl1.*; egl: OSError: no such library; osmesa: OSError'):
        choose_gl()
    monkeypatch.setenv('MUJOCO_GL', 'EGL')
    works.add('egl')
    tried.clear()
    assert choose_gl() == 'egl' and tried == ['egl'] and os.environ['MUJOCO_GL'] == 'egl'


@pytest.mark.unittest
def test_what_is_not_installed_is_named(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None if name == 'packaging' else find_spec(name))
    with pytest.raises(ValueError, match='^Meta-World needs packaging: pip install'):
        MetaWorldMoWEnv.check(dict(tasks=['reach']))


@pytest.mark.unittest
def test_without_a_gl_library_one_line_names_the_packages(tmp_path):
    """In a separate process, because the choice is cached."""
    code = 'from lzero_mow.envs.rendering import choose_gl\nchoose_gl()'
    environment = dict(os.environ, MUJOCO_GL='osmesa', PYOPENGL_PLATFORM='', LD_LIBRARY_PATH=str(tmp_path))
    (tmp_path / 'libOSMesa.so.8').write_text('no library')
    done = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and last.startswith('ValueError: cannot render') and 'libegl1' in last
