"""A failing environment ends collection or evaluation with one line that names it, and never hangs."""
import os
import signal
import time

import pytest
from ding.envs.env_manager.base_env_manager import EnvState

from helpers.collection import make_collector, make_evaluator
from helpers.workers import Mode, make_eval_mode, make_manager, make_policy_config

pytestmark = pytest.mark.usefixtures('in_tmp_path')  # where LightZero writes its log files


@pytest.mark.unittest
def test_dead_environment_process_is_named():
    collector = make_collector(3, manager=make_manager(3, subprocess=True))
    collector.collect()
    os.kill(collector._env._subprocesses[1].pid, signal.SIGKILL)
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=r'environment 1 \(task Task1\) died: its process ended with exit code -9'):
        for _ in range(3):
            collector.collect()
    assert time.monotonic() - start < 30
    collector.close()
    assert not any(process.is_alive() for process in wait_for_end(collector._env._subprocesses.values()))


def wait_for_end(processes):
    for process in processes:
        process.join(5)
    return processes


@pytest.mark.unittest
def test_environment_that_dies_in_a_reset_does_not_hang():
    """DI-engine resets in a background thread whose error nobody sees; `ready_obs` would wait forever."""
    scripts = [((1, 'terminated', ()), ), ((50, 'terminated', ()), )]
    manager = make_manager(2, subprocess=True, scripts=scripts, reset_seconds=0.3)
    collector = make_collector(2, manager=manager)
    stepped = manager.step

    def step_then_kill(actions):
        timesteps = stepped(actions)
        assert manager._env_states[0] == EnvState.RESET
        os.kill(manager._subprocesses[0].pid, signal.SIGKILL)
        return timesteps

    manager.step = step_then_kill
    with pytest.raises(RuntimeError, match=r'environment 0 \(task Task0\) died'):
        collector.collect()


@pytest.mark.unittest
def test_failing_and_abnormal_environments_are_named():
    collector = make_collector(2, manager=make_manager(2, abnormal_at=(1, 0)))
    with pytest.raises(RuntimeError, match=r'environment \d \(task Task\d\) returned an abnormal step'):
        for _ in range(5):
            collector.collect()
    collector = make_collector(2)

    def broken_step(action):
        raise KeyError('the emulator is gone')

    collector._env._envs[1].step = broken_step
    with pytest.raises(RuntimeError, match=r'environment 1 \(task Task1\) failed.*the emulator is gone'):
        collector.collect()


@pytest.mark.unittest
def test_process_that_dies_between_evaluations_is_named():
    config = make_policy_config()
    evaluator = make_evaluator(make_manager(3, subprocess=True), config)
    assert evaluator.eval_tasks(0, 0)['return'].shape == (3, 1)
    os.kill(evaluator._env._subprocesses[2].pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match=r'environment 2 \(task Task2\) died: its process ended with exit code -9'):
        evaluator.eval_tasks(1, 0)
    evaluator.close()


@pytest.mark.unittest
def test_environment_that_dies_during_evaluation_is_named():
    config = make_policy_config()
    manager = make_manager(2, subprocess=True, scripts=[((30, 'terminated', ()), )] * 2)
    forward = make_eval_mode(config).forward

    def kill_then_act(data, action_mask, to_play, **kwargs):
        if kwargs['timestep'][0] == 7:
            os.kill(manager._subprocesses[1].pid, signal.SIGKILL)
        return forward(data, action_mask, to_play, **kwargs)

    evaluator = make_evaluator(manager, config, Mode(kill_then_act, lambda *_, **__: None, lambda name: config))
    with pytest.raises(RuntimeError, match=r'environment 1 \(task Task1\) died'):
        evaluator.eval_tasks(0, 0)


@pytest.mark.unittest
def test_environment_that_dies_in_the_reset_after_an_evaluation_does_not_hang():
    config = make_policy_config()
    evaluator = make_evaluator(make_manager(2, subprocess=True, reset_seconds=0.3), config)
    evaluator.eval_tasks(0, 0)
    assert evaluator._env._env_states[1] == EnvState.RESET
    os.kill(evaluator._env._subprocesses[1].pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match=r'environment 1 \(task Task1\) died'):
        evaluator.eval_tasks(1, 0)


@pytest.mark.unittest
@pytest.mark.timeout(60)
def test_environment_that_dies_in_the_reset_between_two_episodes_of_an_evaluation_does_not_hang():
    """LightZero's evaluator polls until all environments are ready."""
    config = make_policy_config()
    manager = make_manager(2, subprocess=True, scripts=[((5, 'truncated', ()), )] * 2, reset_seconds=0.3)
    stepped = manager.step

    def step_then_kill(actions):
        timesteps = stepped(actions)
        if manager._env_states[1] == EnvState.RESET:
            os.kill(manager._subprocesses[1].pid, signal.SIGKILL)
        return timesteps

    manager.step = step_then_kill
    with pytest.raises(RuntimeError, match=r'^environment 1 \(task Task1\) died: [^:]*$'):
        make_evaluator(manager, config, each=2).eval_tasks(0, 0)


@pytest.mark.unittest
def test_errors_of_the_policy_pass_through():
    config = make_policy_config()

    def broken(*_, **__):
        raise RuntimeError('shapes do not match')

    evaluator = make_evaluator(make_manager(2), config, Mode(broken, lambda *_, **__: None, lambda name: config))
    with pytest.raises(RuntimeError, match='^shapes do not match$'):
        evaluator.eval_tasks(0, 0)


@pytest.mark.unittest
@pytest.mark.parametrize('kind', ['collector', 'evaluator'])
def test_a_process_that_has_already_ended_does_not_break_close(kind):
    manager = make_manager(2, subprocess=True)
    if kind == 'collector':
        worker = make_collector(2, manager=manager)
    else:
        worker = make_evaluator(manager, make_policy_config())
        worker.eval_tasks(0, 0)
    process = manager._subprocesses[0]
    os.kill(process.pid, signal.SIGKILL)
    process.join(5)
    worker.close()
    worker.close()
    assert not any(process.is_alive() for process in wait_for_end(manager._subprocesses.values()))
