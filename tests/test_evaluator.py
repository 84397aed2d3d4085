"""Returns of every task, in task order, whatever the order in which episodes end."""
from functools import partial

import numpy as np
import pytest
import torch
from ding.envs import BaseEnvManager, create_env_manager, get_vec_env_setting
from easydict import EasyDict
from lzero.worker import MuZeroEvaluator

from helpers.collection import make_evaluator
from helpers.two_task_env import TASKS
from helpers.workers import Mode, make_eval_mode, make_manager, make_policy_config

pytestmark = pytest.mark.usefixtures('in_tmp_path')  # where LightZero writes its log files


def evaluated_return(env_id, length, episode=1):
    """Of the script's second episode: the evaluator resets environments that were reset when they were launched."""
    return sum(env_id + episode / 64 + timestep / 4096 for timestep in range(length))


@pytest.mark.unittest
@pytest.mark.parametrize('lengths', [(9, 2, 5, 1, 7, 3), (1, 2, 3, 4, 5, 6), (6, 5, 4, 3, 2, 1), (2, 2, 2, 2, 2, 2)])
def test_returns_by_task(lengths):
    scripts = [((3, 'truncated', ()), (length, 'terminated', ()), (3, 'truncated', ())) for length in lengths]
    evaluator = make_evaluator(make_manager(6, scripts=scripts), make_policy_config(evaluator_env_num=2))
    returns = evaluator.eval_tasks(train_iter=3, envstep=40)['return']
    assert returns.shape == (3, 2) and returns.dtype == np.float64
    assert np.allclose(returns.ravel(), [evaluated_return(env_id, length) for env_id, length in enumerate(lengths)])


@pytest.mark.unittest
def test_several_episodes_of_unequal_length_are_as_many_in_every_environment():
    lengths = 9, 2, 4, 1
    scripts = [((3, 'truncated', ()), *[(length, 'truncated', ())] * 6) for length in lengths]
    evaluator = make_evaluator(make_manager(4, scripts=scripts), make_policy_config(evaluator_env_num=2), each=3)
    expected = [
        [evaluated_return(env_id, length, episode) for episode in (1, 2, 3)] for env_id, length in enumerate(lengths)
    ]
    assert np.allclose(evaluator.eval_tasks(train_iter=0, envstep=0)['return'], np.reshape(expected, (2, 6)))


@pytest.mark.unittest
def test_several_episodes_in_an_environment_are_its_tasks():
    scripts = [((3, 'truncated', ()), *[(4, 'truncated', ())] * 6)] * 4
    evaluator = make_evaluator(make_manager(4, scripts=scripts), make_policy_config(evaluator_env_num=2), each=3)
    returns = evaluator.eval_tasks(train_iter=0, envstep=0)['return']
    expected = [[evaluated_return(env_id, 4, episode) for episode in (1, 2, 3)] for env_id in range(4)]
    assert np.allclose(returns, np.reshape(expected, (2, 6)))


def two_task_manager(evaluator_env_num):
    tasks = ['Shifted', 'Direct']
    cfg = EasyDict(type='two_task_mow', tasks=tasks, collector_env_num=1, evaluator_env_num=evaluator_env_num)
    env_class, _, configs = get_vec_env_setting(cfg)
    assert [(c.task, c.task_id) for c in configs] == [(tasks[i], i) for i in range(2) for _ in range(evaluator_env_num)]
    manager_cfg = EasyDict({**BaseEnvManager.default_config(), 'type': 'base'})
    manager = create_env_manager(manager_cfg, [partial(env_class, cfg=c) for c in configs])
    manager.seed(5, dynamic_seed=False)
    return manager


def corner_mode(config, shift):
    """Plays the action that is right in a task whose actions are shifted by `shift` from the corner of the square."""

    def forward(data, action_mask, to_play, *, ready_env_id, timestep):
        bright = torch.nn.functional.avg_pool2d(data.amax(1), 32).reshape(len(data), 4)
        actions = (bright.argmax(1) + shift) % 4
        return {
            env_id: dict(
                action=int(action), visit_count_distributions=[1.0], visit_count_distribution_entropy=0.,
                searched_value=0., predicted_value=0., timestep=0
            )
            for env_id, action in zip(ready_env_id, actions)
        }

    return Mode(forward, lambda *_, **__: None, lambda name: config)


@pytest.mark.unittest
def test_two_task_environment_has_its_known_optimum():
    config = make_policy_config(evaluator_env_num=3)
    manager = two_task_manager(3)
    for shift, task in ((TASKS[name][1], name) for name in ('Shifted', 'Direct')):
        episodes = make_evaluator(two_task_manager(3), config, corner_mode(config, shift)).eval_tasks(0, 0)
        returns = episodes['return']
        best, other = (0, 1) if task == 'Shifted' else (1, 0)
        assert (returns[best] == 16).all() and (returns[other] == 0).all()


@pytest.mark.unittest
def test_evaluations_repeat():
    """Seeded without dynamic seeds, every evaluation plays the same episodes, and so do two evaluators."""
    config = make_policy_config(evaluator_env_num=4)

    def always_first(data, action_mask, to_play, *, ready_env_id, timestep):
        return {
            env_id: dict(
                action=0, visit_count_distributions=[1.0], visit_count_distribution_entropy=0., searched_value=0.,
                predicted_value=0.
            )
            for env_id in ready_env_id
        }

    mode = Mode(always_first, lambda *_, **__: None, lambda name: config)
    evaluator = make_evaluator(two_task_manager(4), config, mode)
    first = evaluator.eval_tasks(0, 0)['return']
    assert len(np.unique(first)) > 1
    assert np.array_equal(first, evaluator.eval_tasks(1, 1)['return'])
    assert np.array_equal(first, make_evaluator(two_task_manager(4), config, mode).eval_tasks(0, 0)['return'])


@pytest.mark.unittest
@pytest.mark.parametrize('env_num, stack', [(1, 3), (22, 1)])
def test_the_policy_sees_what_lightzeros_evaluator_shows_it(env_num, stack):
    """The same frames in the same order, which decides who draws which random numbers, while episodes end."""
    config = make_policy_config(model=dict(frame_stack_num=stack))
    scripts = [((40 - 3 * env_id % 37, 'terminated', ()), ) for env_id in range(env_num)]
    seen, forward = [], make_eval_mode(config).forward

    def watch(data, action_mask, to_play, *, ready_env_id, timestep):
        seen.append((data.clone(), list(ready_env_id), np.array(action_mask).tolist(), [int(t) for t in timestep]))
        return forward(data, action_mask, to_play, ready_env_id=ready_env_id, timestep=timestep)

    mode = Mode(watch, lambda *_, **__: None, lambda name: config)
    make_evaluator(make_manager(env_num, scripts=scripts), config, mode).eval_tasks(0, 0)
    ours, seen[:] = list(seen), []
    make_evaluator(make_manager(env_num, scripts=scripts), config, mode, MuZeroEvaluator).eval()
    assert len(ours) == len(seen) == 40
    for (data, *rest), (other, *others) in zip(ours, seen):
        assert torch.equal(data, other) and data.dtype == other.dtype and rest == others


@pytest.mark.unittest
def test_lightzeros_own_evaluation_is_still_there():
    config = make_policy_config()
    _, info = make_evaluator(make_manager(2), config).eval()
    assert np.isfinite(info['eval_episode_return']).all()
