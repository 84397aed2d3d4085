"""
Checks of a configuration as a whole, which need neither torch nor an environment: what is wrong, where, what to do.

Every check raises ``ValueError`` with one line. They run before anything heavy is imported, so that a mistyped number
costs a second and not a minute. Types and ranges of single keys are checked where the tree is built.
"""
import os
from typing import Any, List

from .algorithms import ALGORITHMS
from .envs import Suite, UnknownEnvKeys, check_tasks
from .fields import FIXED, MAY_CHANGE
from .keys import RUN_IDENTITY
from .saved import TOTAL_CONFIG
from .suites import known_records, one_model_per_task, record_of
from .tree import get, leaves


def validate(config: dict) -> None:
    """Check that a configuration's keys fit each other; ValueError for the first thing that cannot work."""
    method, tasks, suite = config['method'], config['env']['tasks'], record_of(config['create']['env'])
    if one_model_per_task(method) and len(tasks) > 1:
        raise ValueError(
            f"method '{method}' is one model per task, and this run has {len(tasks)} tasks: name one with --games, or "
            f'train them all with `python -m lzero_mow experiment SUITE --methods {method}`'
        )
    if suite is None:
        check_tasks(tasks)
    else:
        _refuse_other_suites(suite, tasks)
        suite.check(config['env'])
        for task in config['policy'].get('solved_returns') or ():  # not all of them have to be this run's
            try:
                suite.check_task(task)
            except ValueError as error:
                raise ValueError(str(error).replace('env.tasks', 'policy.solved_returns')) from None
    policy = config['create']['policy']['type']
    if policy in ALGORITHMS:
        ALGORITHMS[policy].check(config)


def check_processes(config: dict, processes: int) -> None:
    """ValueError if a run cannot be shared out over so many processes, as torchrun starts them."""
    tasks, policy = len(config['env']['tasks']), config['policy']
    if processes > tasks:
        raise ValueError(f'torchrun starts {processes} processes, and there are {tasks} tasks: at most one for each')
    if processes > 1 and policy.get('upstream_compat'):
        raise ValueError('policy.upstream_compat is True: LightZero clips by its last task, so it needs one process')
    if policy.get('micro_batch_tasks') == 1 and tasks % processes and tasks > processes:
        raise ValueError(
            f'policy.micro_batch_tasks is 1 and {processes} processes share {tasks} tasks unevenly: set 2 or more, or '
            f'start a number of processes that divides {tasks}'
        )


def _refuse_other_suites(suite: Suite, tasks: List[str]) -> None:
    """A run's tasks share one kind of action, hence one suite."""
    for task in tasks:
        homes = [other.env_type for other in known_records().values() if _knows(other, task)]
        if homes and not _knows(suite, task):
            raise ValueError(
                f"env.tasks names {task}, a task of {' and '.join(homes)}: a run's tasks share their actions, so they "
                f'must be of one suite, here {suite.env_type}'
            )


def _knows(suite: Suite, task: str) -> bool:
    try:
        suite.check_task(task)
    except ValueError:
        return False
    return True


def check_run_folder(run_dir: str) -> None:
    """Refuse a folder for a new run with more in it than a run leaves that failed before its first evaluation."""
    if os.path.exists(run_dir) and (not os.path.isdir(run_dir) or set(os.listdir(run_dir)) - {TOTAL_CONFIG, 'log'}):
        raise ValueError(
            f"the folder '{run_dir}' holds a run already: continue it with --resume {run_dir}, or choose another "
            '--exp-name'
        )


def run_identity(config: dict) -> dict:
    """
    What a resumed run has to share with the run it resumes, by dotted key (see ``lzero_mow.config.keys``). These keys
    give the stored weights, environments and replay their shapes, and the tasks their rules.
    """
    suite = record_of(config['create']['env'])
    free = {*(suite.keys if suite else UnknownEnvKeys).marked(MAY_CHANGE), 'type', 'import_names', 'suite'}
    policy_keys = dict.fromkeys(key for algorithm in ALGORITHMS.values() for key in algorithm.keys.marked(FIXED))
    keys = [
        *RUN_IDENTITY, *(f'env.{key}' for key in config['env'] if key not in free),
        *leaves(config['policy']['model'], 'policy.model.'), *(f'policy.{key}' for key in policy_keys)
    ]
    identity = {'env.tasks': list(config['env']['tasks']), **{key: get(config, key) for key in keys}}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in identity.items()}


def check_identity(saved: dict, new: dict, what: str) -> None:
    """Compare two results of ``run_identity``; ValueError says `what` cannot be done, for the first other key."""
    for key in dict.fromkeys([*saved, *new]):
        if saved.get(key) != new.get(key):
            other = 'task list' if key == 'env.tasks' else key
            raise ValueError(
                f'cannot {what} with another {other}: it was started with {_shown(saved.get(key))}, now '
                f'{_shown(new.get(key))} is asked for; start a new run with --exp-name'
            )


def _shown(value: Any) -> str:
    return ', '.join(map(str, value)) if isinstance(value, list) else str(value)
