"""Returns of every task, in task order, whatever the order in which episodes end."""
from functools import partial

import lzero.worker.muzero_evaluator as stock
import numpy as np
import pytest
import torch
from ding.envs import BaseEnvManager, create_env_manager, get_vec_env_setting
from easydict import EasyDict
from lzero.worker import MuZeroEvaluator

from helpers.collection import make_evaluator
from helpers.two_task_env import TASKS
from helpers.workers import Mode, make_eval_mode, make_manager, make_policy_config
from lzero_mow.worker.evaluator import RecentFrames

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
    assert evaluator._tb_logger.scalars['evaluator_step/reward_mean'][0] == (pytest.approx(returns.mean()), 40)


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
    assert manager.env_ref.reference_scores('Direct') == (4.0, 16.0)


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
def test_frames_of_the_episode_are_not_kept(monkeypatch):
    """LightZero keeps all float32 frames of an episode; here only what the policy sees, stacked frames included."""
    config = make_policy_config(model=dict(frame_stack_num=3))
    kept, seen, forward = [], [], make_eval_mode(config).forward
    segment_class = stock.GameSegment

    def watch(data, action_mask, to_play, **kwargs):
        seen.append(data.clone())
        return forward(data, action_mask, to_play, **kwargs)

    class Watched(segment_class):

        def append(self, *args, **kwargs):
            super().append(*args, **kwargs)
            kept.append(len(self.obs_segment))

    manager = make_manager(1, scripts=[((40, 'terminated', ()), )])
    mode = Mode(watch, lambda *_, **__: None, lambda name: config)
    evaluator = make_evaluator(manager, config, mode)
    stock_eval = make_evaluator(make_manager(1, scripts=[((40, 'terminated', ()), )]), config, mode, MuZeroEvaluator)
    evaluator.eval_tasks(0, 0)
    ours, seen[:] = list(seen), []
    assert stock.GameSegment is segment_class
    monkeypatch.setattr(stock, 'GameSegment', Watched)
    stock_eval.eval()
    assert max(kept) == 43
    assert len(ours) == len(seen) == 40 and all(torch.equal(a, b) for a, b in zip(ours, seen))
    kept.clear()
    monkeypatch.setattr('lzero_mow.worker.evaluator.RecentFrames.append', recording(kept))
    evaluator.eval_tasks(0, 0)
    assert max(kept) == 3


def recording(kept):
    append = RecentFrames.append

    def wrapper(self, *args, **kwargs):
        append(self, *args, **kwargs)
        kept.append(len(self.obs_segment))

    return wrapper
