"""Failures of environments, found early and reported in one line that names the environment and its task.

DI-engine's managers do not do this. If the process of an environment dies, `SyncSubprocessEnvManager.step` raises a
bare `EOFError`; if it dies during a reset, the error ends a background thread and `ready_obs` waits forever.
"""
import signal
import time
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Optional

from ding.envs import BaseEnvManager
from ding.envs.env_manager.base_env_manager import EnvState

POLL_SECONDS = 0.001
# How long the system may take to report the end of a process whose pipe is broken.
EXIT_SECONDS = 2.0
HEALTHY_STATES = (EnvState.INIT, EnvState.RUN, EnvState.RESET)


def task_name(manager: BaseEnvManager, env_id: int) -> str:
    """The task of an environment, from its ``partial(env_class, cfg=env_cfg)``; 'unknown' if it has none."""
    keywords = getattr(manager._env_fn[env_id], 'keywords', {})
    return keywords.get('cfg', {}).get('task', 'unknown')


def wait_until_ready(manager: BaseEnvManager) -> Dict[int, Any]:
    """
    Overview:
        Wait until no environment is resetting, so that all of them act in one forward pass and take the same number of
        steps.
    Arguments:
        - manager (:obj:`BaseEnvManager`): A launched manager.
    Returns:
        - ready_obs (:obj:`Dict[int, Any]`): Current observation of each environment.
    Raises:
        - EnvironmentFailure: If an environment is dead, failed or closed; the wait would never end.
    """
    while True:
        failure = _describe_failure(manager)
        if failure is not None:
            _terminate(manager)
            raise EnvironmentFailure(failure)
        if all(state == EnvState.RUN for state in manager._env_states.values()):
            return manager.ready_obs
        time.sleep(POLL_SECONDS)


class EnvironmentFailure(RuntimeError):
    """One line that names the environment."""


@contextmanager
def explained_failures(manager: BaseEnvManager) -> Iterator[None]:
    """
    Turn what a manager raises in this block because an environment failed into one EnvironmentFailure with the
    environment's id and task. Other errors pass through unchanged.
    """
    try:
        yield
    except EnvironmentFailure:
        raise
    except (EOFError, OSError, RuntimeError, AssertionError) as error:
        failure = _describe_failure(manager, broken_pipe=isinstance(error, (EOFError, OSError)))
        if failure is None:
            raise
        _terminate(manager)
        # The last line, after the environment's own traceback.
        cause = str(error).strip().splitlines()[-1:] if isinstance(error, RuntimeError) else []
        raise EnvironmentFailure(': '.join([failure, *cause])) from error


def _describe_failure(manager: BaseEnvManager, broken_pipe: bool = False) -> Optional[str]:
    """One line about the environment that failed, or None; after a broken pipe, waits for the end of its process."""
    deadline = time.monotonic() + (EXIT_SECONDS if broken_pipe else 0.)
    exit_codes = _exit_codes(manager)
    while not exit_codes and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        exit_codes = _exit_codes(manager)
    for env_id, code in exit_codes.items():
        # A closing manager terminates its processes: they are not the cause.
        if not (manager._closed and code == -signal.SIGTERM):
            return f'environment {env_id} (task {task_name(manager, env_id)}) died: its process ended with exit code ' \
                f'{code}; resume the run from its last checkpoint'
    if manager._closed:
        return 'an environment failed and its manager closed; see the log above for the cause'
    for env_id, state in manager._env_states.items():
        if state not in HEALTHY_STATES:
            return f'environment {env_id} (task {task_name(manager, env_id)}) failed: its state is {state.name}'
    return None


def close_environments(manager: BaseEnvManager) -> None:
    """
    Close a manager, however its environments end. DI-engine tells all processes to end and then reads an answer from
    each; one that has ended by then resets the connection, which is not a failure.
    """
    try:
        manager.close()
    except (ConnectionResetError, BrokenPipeError, EOFError):
        _terminate(manager)


def _exit_codes(manager: BaseEnvManager) -> Dict[int, int]:
    # vars() instead of getattr(): a manager passes unknown attribute names on to its environments.
    processes = vars(manager).get('_subprocesses', {})
    return {env_id: process.exitcode for env_id, process in processes.items() if not process.is_alive()}


def _terminate(manager: BaseEnvManager) -> None:
    # manager.close() would write to the dead process's pipe and leave the others running.
    processes = vars(manager).get('_subprocesses', {})
    for process in processes.values():
        process.terminate()
    if processes:
        manager._closed = True
