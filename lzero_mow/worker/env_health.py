"""Environments that fail: found early, reported in one line that names environment and task.

DI-engine's managers do not do this. When the process of an environment dies, `SyncSubprocessEnvManager.step` leaves
with a bare `EOFError`; when it dies during a reset, the error ends a background thread and `ready_obs` waits for
ever.
"""
import signal
import time
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Optional

from ding.envs import BaseEnvManager
from ding.envs.env_manager.base_env_manager import EnvState

# Seconds between two looks at environments that are resetting.
POLL_SECONDS = 0.001
# Seconds given to the system to notice that a process behind a broken pipe is gone.
DEATH_NOTICE_SECONDS = 2.0
SETTLING_STATES = (EnvState.INIT, EnvState.RUN, EnvState.RESET)


def task_name(manager: BaseEnvManager, env_id: int) -> str:
    """
    Overview:
        Name of the task that an environment plays, read from the config it was built with.
    Arguments:
        - manager (:obj:`BaseEnvManager`): Manager whose env functions are ``partial(env_class, cfg=env_cfg)``.
        - env_id (:obj:`int`): Position in the manager.
    Returns:
        - task (:obj:`str`): ``env_cfg.task``, or 'unknown' for an environment without tasks.
    """
    keywords = getattr(manager._env_fn[env_id], 'keywords', {})
    return keywords.get('cfg', {}).get('task', 'unknown')


def wait_until_ready(manager: BaseEnvManager) -> Dict[int, Any]:
    """
    Overview:
        Wait until no environment is resetting, so that all of them act in one forward pass and take equally many
        steps.
    Arguments:
        - manager (:obj:`BaseEnvManager`): A launched manager.
    Returns:
        - ready_obs (:obj:`Dict[int, Any]`): Current observation of each environment.
    Raises:
        - EnvironmentFailure: an environment is dead, failed or closed; without this check the wait would never end.
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


class WaitingManager:
    """
    Overview:
        A manager for callers that look for ready environments until all are there, as LightZero's evaluator does when
        an episode ends: it waits in their place, and raises where they would look for ever.
    Arguments:
        - manager (:obj:`BaseEnvManager`): All but ``ready_obs`` is its own.
    """

    def __init__(self, manager: BaseEnvManager) -> None:
        self._manager = manager

    @property
    def ready_obs(self) -> Dict[int, Any]:
        """See ``wait_until_ready``."""
        return wait_until_ready(self._manager)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)


@contextmanager
def explained_failures(manager: BaseEnvManager) -> Iterator[None]:
    """
    Overview:
        Turn what a manager raises because an environment failed into one EnvironmentFailure with the environment's id
        and task. Errors that are no environment's fault pass through unchanged.
    Arguments:
        - manager (:obj:`BaseEnvManager`): The manager that the block steps or resets.
    """
    try:
        yield
    except EnvironmentFailure:
        raise
    except (EOFError, OSError, RuntimeError, AssertionError) as error:
        failure = _describe_failure(manager, patient=isinstance(error, (EOFError, OSError)))
        if failure is None:
            raise
        _terminate(manager)
        # The last line, which comes after the environment's own traceback.
        cause = str(error).strip().splitlines()[-1:] if isinstance(error, RuntimeError) else []
        raise EnvironmentFailure(': '.join([failure, *cause])) from error


def _describe_failure(manager: BaseEnvManager, patient: bool = False) -> Optional[str]:
    """
    Overview:
        Say which environment failed.
    Arguments:
        - manager (:obj:`BaseEnvManager`): A launched manager, of the base or of a subprocess kind.
        - patient (:obj:`bool`): A pipe is known to be broken; wait a moment for its process to be reaped.
    Returns:
        - failure (:obj:`Optional[str]`): One line, or None when every environment is well.
    """
    deadline = time.monotonic() + (DEATH_NOTICE_SECONDS if patient else 0.)
    exit_codes = _exit_codes(manager)
    while not exit_codes and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        exit_codes = _exit_codes(manager)
    for env_id, code in exit_codes.items():
        # A manager that closes terminates its processes: a terminated one is not the cause.
        if not (manager._closed and code == -signal.SIGTERM):
            return f'environment {env_id} (task {task_name(manager, env_id)}) died: its process ended with exit code ' \
                f'{code}; resume the run from its last checkpoint'
    if manager._closed:
        return 'an environment failed and its manager closed; the cause is in the log above'
    for env_id, state in manager._env_states.items():
        if state not in SETTLING_STATES:
            return f'environment {env_id} (task {task_name(manager, env_id)}) failed: its state is {state.name}'
    return None


def close_environments(manager: BaseEnvManager) -> None:
    """
    Overview:
        Close a manager, however its environments end. DI-engine tells all processes to end and then reads an answer
        from each; one that has ended by then resets the connection, which is no failure.
    Arguments:
        - manager (:obj:`BaseEnvManager`): Closed afterwards, its processes told to end.
    """
    try:
        manager.close()
    except (ConnectionResetError, BrokenPipeError, EOFError):
        _terminate(manager)


def _exit_codes(manager: BaseEnvManager) -> Dict[int, int]:
    # vars() and not getattr(): a manager passes unknown attribute names on to its environments.
    processes = vars(manager).get('_subprocesses', {})
    return {env_id: process.exitcode for env_id, process in processes.items() if not process.is_alive()}


def _terminate(manager: BaseEnvManager) -> None:
    # manager.close() would write to the pipe of the dead process and leave the others running.
    processes = vars(manager).get('_subprocesses', {})
    for process in processes.values():
        process.terminate()
    if processes:
        manager._closed = True
