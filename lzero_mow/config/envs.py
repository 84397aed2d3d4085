"""
The part ``env`` of a configuration: the keys that all suites share, what a suite is, one copy of the keys for each
environment. Light: imports no game.
"""
import copy
from typing import Annotated, Any, Callable, Collection, Dict, List, Literal, NamedTuple, Optional, Type

from easydict import EasyDict

from .fields import MAY_CHANGE, Count, Frame, Keys, Names, typed
from .references import Reference, References
from .tree import nearest


class ManagerKeys(Keys, extra='allow'):
    """Keys of DI-engine's environment manager, which has more of them."""
    # (bool) Its subprocess manager cannot share the memory of observations that are dicts.
    shared_memory: bool = False


class EnvKeys(Keys):
    """Keys of every suite's environments. Only what is marked MAY_CHANGE may differ when a run is resumed."""
    # (list) Names of the tasks.
    tasks: Annotated[Names, MAY_CHANGE] = []  # compared by themselves
    # (tuple) Channels, height and width of an observation: RGB, uint8.
    obs_shape: Frame = (3, 64, 64)
    # (str) Every task has the suite's whole set of actions. 'full': all of them are legal in every task. 'minimal': the
    # action mask leaves only those that do something in the task.
    action_space: Literal['full', 'minimal'] = 'full'
    # (int) Steps after which an episode is truncated.
    max_episode_steps: Count = 27000
    # (int) Environments per task that collect, and that evaluate.
    collector_env_num: Count = 1
    evaluator_env_num: Annotated[Count, MAY_CHANGE] = 5
    # (dict) DI-engine's environment manager.
    manager: Annotated[ManagerKeys, MAY_CHANGE] = ManagerKeys()


class UnknownEnvKeys(EnvKeys, extra='allow'):
    """Of an environment that belongs to no suite: what it has of the keys above is checked, the rest is its own."""


class Suite(NamedTuple):
    """What a configuration needs to know of a suite; ``config/<suite>.yaml`` names it in ``create.env.suite``."""
    env_type: str  # registered name of its environment
    keys: Type[EnvKeys]
    check_task: Callable[[str], Any]  # raises ValueError for a name that is none of its tasks
    num_actions: int  # or of how many numbers an action consists; the same in every task
    continuous: bool = False  # whether actions are numbers
    check_keys: Callable[[dict], None] = lambda env: None  # raises ValueError for keys that do not fit each other
    players: Dict[str, str] = {}  # other reference players than random play: what tables call them
    references: Optional[References] = None  # returns between which scores lie; without them there are no scores

    def check(self, env: dict) -> None:
        """
        Refuse keys (the part ``env`` of a configuration) that no environment can be built from, unknown and repeated
        tasks among them; keys that are missing have their defaults, and those of DI-engine's own are left alone.
        """
        env = typed(self.keys, {key: env[key] for key in self.keys.model_fields if key in env}, 'env.')
        check_tasks(env['tasks'], self.check_task)
        self.check_keys(env)

    def reference_scores(self, env: dict) -> List[Optional[Reference]]:
        """
        For each task of the part ``env`` of a configuration the raw returns of random play and of the suite's reference
        player; None in a suite without, and where episodes are cut before theirs were.
        """
        if self.references is None or self.references.cut(env):
            return [None] * len(env['tasks'])
        return [self.references.of(task) for task in env['tasks']]


def check_tasks(tasks: List[str], check_task: Callable[[str], Any] = lambda task: None) -> None:
    """Refuse a list of tasks with no task, with one that ``check_task`` refuses or with one that is there twice."""
    if not tasks:
        raise ValueError('env.tasks is empty: name at least one task')
    for position, task in enumerate(tasks):
        check_task(task)
        if task in tasks[:position]:
            raise ValueError(f'env.tasks names {task} twice: tasks must be unique')


def refuse_unknown(task: str, known: Collection[str], kind: str = 'task', hint: str = '') -> None:
    """Refuse a name that is none of the known ones, in one line that names the nearest ones."""
    if task not in known:
        likely = ', '.join(nearest(task, known))
        raise ValueError(f'env.tasks names the unknown {kind} {task!r}: did you mean {likely}?{hint}')


def evaluation_episodes(cfg: dict) -> int:
    """How many episodes per task an evaluation has: one in each environment, unless the suite has a key for it."""
    return cfg.get('evaluation_episodes', 0) or cfg['evaluator_env_num']


def episodes_key(cfg: dict) -> str:
    """The key that decides how many there are."""
    return 'evaluation_episodes' if 'evaluation_episodes' in cfg else 'evaluator_env_num'


def with_defaults(defaults: dict, cfg: dict) -> EasyDict:
    """A copy of a configuration in which missing keys have their defaults."""
    return EasyDict(copy.deepcopy({**defaults, **cfg}))


def task_configs(defaults: dict, cfg: dict, count_key: str) -> List[EasyDict]:
    """One configuration per environment, task by task, each with its ``task`` (name) and ``task_id``."""
    cfg = with_defaults(defaults, cfg)
    return [
        EasyDict(copy.deepcopy(dict(cfg)), task=task, task_id=task_id) for task_id, task in enumerate(cfg.tasks)
        for _ in range(cfg[count_key])
    ]
