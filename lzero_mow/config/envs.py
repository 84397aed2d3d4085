"""
The part ``env`` of a configuration, as far as all suites share it: defaults, what values may be, one copy an
environment. Light: imports no game.
"""
import copy
from typing import Any, Callable, Dict, List, Tuple

from easydict import EasyDict

SHARED_CONFIG = dict(
    # (list) Names of the tasks.
    tasks=[],
    # (tuple) Channels, height and width of an observation: RGB, uint8.
    obs_shape=(3, 64, 64),
    # (str) Every task has the suite's whole set of actions. 'full': all of them are legal in every task. 'minimal': the
    # action mask leaves only those that do something in the task.
    action_space='full',
    # (int) Steps after which an episode is truncated.
    max_episode_steps=27000,
    # (int) Environments per task that collect.
    collector_env_num=1,
    # (int) Environments per task that evaluate.
    evaluator_env_num=5,
    # (dict) DI-engine's subprocess manager cannot share the memory of observations that are dicts.
    manager=dict(shared_memory=False),
)


def is_count(value: Any, least: int) -> bool:
    """Whether a value is a whole number of at least ``least``."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


# key: (what its value must be, in words; whether a value is that)
Rules = Dict[str, Tuple[str, Callable[[Any], bool]]]
SHARED_RULES: Rules = {
    'obs_shape': (
        '(3, height, width)', lambda value: isinstance(value, (list, tuple)) and len(value) == 3 and value[0] == 3 and
        all(is_count(size, 1) for size in value)
    ),
    'action_space': ("'full' or 'minimal'", lambda value: value in ('full', 'minimal')),
    'max_episode_steps': ('a whole number of at least 1', lambda value: is_count(value, 1)),
    'collector_env_num': ('a whole number of at least 1', lambda value: is_count(value, 1)),
    'evaluator_env_num': ('a whole number of at least 1', lambda value: is_count(value, 1)),
}


def check_values(cfg: dict, rules: Rules) -> None:
    """
    Overview:
        Refuse values that make no sense.
    Raises:
        - ValueError: one line that names the key.
    """
    for key, (wanted, accepts) in {**SHARED_RULES, **rules}.items():
        if not accepts(cfg[key]):
            raise ValueError(f"env.{key} is {cfg[key]!r}: it must be {wanted}")


def evaluation_episodes(cfg: dict) -> int:
    """How many episodes per task an evaluation consists of: one in each environment, unless the suite says otherwise."""
    return cfg.get('evaluation_episodes', 0) or cfg['evaluator_env_num']


def episodes_key(cfg: dict) -> str:
    """The key that decides how many they are."""
    return 'evaluation_episodes' if 'evaluation_episodes' in cfg else 'evaluator_env_num'


def check_tasks(tasks: List[str], check_task: Callable[[str], Any]) -> None:
    """
    Overview:
        Refuse a list of tasks that no run can be built from.
    Arguments:
        - tasks (:obj:`List[str]`): Their names.
        - check_task (:obj:`Callable`): Raises ``ValueError`` for a name that the suite does not know.
    Raises:
        - ValueError: one line, if there is no task, if one is unknown or named twice.
    """
    if not tasks:
        raise ValueError('env.tasks is empty: name at least one task')
    if not isinstance(tasks, (list, tuple)):
        raise ValueError(f'env.tasks is {tasks!r}: it must be a list of tasks, such as [{tasks}]')
    for position, task in enumerate(tasks):
        check_task(task)
        if task in tasks[:position]:
            raise ValueError(f'env.tasks names {task} twice: every task of a run must be another one')


def with_defaults(defaults: dict, cfg: dict) -> EasyDict:
    """A copy of a configuration in which missing keys have their defaults."""
    return EasyDict(copy.deepcopy({**defaults, **cfg}))


def task_configs(defaults: dict, cfg: dict, count_key: str) -> List[EasyDict]:
    """
    Overview:
        One configuration per environment.
    Arguments:
        - defaults (:obj:`dict`), cfg (:obj:`dict`): The part ``env`` of a run's configuration; left as it is.
        - count_key (:obj:`str`): The key that says how many environments a task has.
    Returns:
        - cfgs (:obj:`List[EasyDict]`): Task by task, each with its ``task`` (name) and ``task_id``.
    """
    cfg = with_defaults(defaults, cfg)
    return [
        EasyDict(copy.deepcopy(dict(cfg)), task=task, task_id=task_id) for task_id, task in enumerate(cfg.tasks)
        for _ in range(cfg[count_key])
    ]
