"""
The part ``env`` of a configuration, for Atari: its defaults, what its values may be, and one copy an environment.
Light: imports no emulator.
"""
import copy
from typing import Any, List

from easydict import EasyDict

from lzero_mow.envs.games import check_games

ATARI_CONFIG = dict(
    # (list) Names of the games, one a task.
    tasks=[],
    # (tuple) Channels, height and width of an observation: RGB, uint8.
    obs_shape=(3, 64, 64),
    # (str) Always 18 actions. 'full': all of them are legal in every game. 'minimal': the action mask leaves only
    # those that do something in the game.
    action_space='full',
    # (int) Emulator frames an action is held; one environment step.
    frame_skip=4,
    # (int) An episode begins with 1 to noop_max frames of no-op; 0 for none.
    noop_max=30,
    # (float) Probability that a frame repeats the previous frame's action; 0.25 in ALE's v5 environments.
    repeat_action_probability=0.0,
    # (int) Steps after which an episode is truncated; 27000 are half an hour of play.
    max_episode_steps=27000,
    # (int) Environments a task that collect.
    collector_env_num=1,
    # (int) Environments a task that evaluate, one episode in each.
    evaluator_env_num=5,
    # (dict) DI-engine's subprocess manager cannot share the memory of observations that are dicts.
    manager=dict(shared_memory=False),
)


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


# key: (what its value must be, in words; whether a value is that)
_RULES = {
    'obs_shape': (
        '(3, height, width)', lambda value: isinstance(value, (list, tuple)) and len(value) == 3 and value[0] == 3 and
        all(_is_count(size, 1) for size in value)
    ),
    'action_space': ("'full' or 'minimal'", lambda value: value in ('full', 'minimal')),
    'frame_skip': ('a whole number of at least 1', lambda value: _is_count(value, 1)),
    'noop_max': ('a whole number of at least 0', lambda value: _is_count(value, 0)),
    'repeat_action_probability': (
        'a number from 0 to below 1', lambda value: isinstance(value, (int, float)) and 0 <= value < 1
    ),
    'max_episode_steps': ('a whole number of at least 1', lambda value: _is_count(value, 1)),
    'collector_env_num': ('a whole number of at least 1', lambda value: _is_count(value, 1)),
    'evaluator_env_num': ('a whole number of at least 1', lambda value: _is_count(value, 1)),
}


def with_defaults(cfg: dict) -> EasyDict:
    """
    Overview:
        A copy of a configuration in which missing keys have their defaults.
    """
    return EasyDict(copy.deepcopy({**ATARI_CONFIG, **cfg}))


def check_config(cfg: dict) -> None:
    """
    Overview:
        Refuse a configuration that no environment can be built from.
    Arguments:
        - cfg (:obj:`dict`): The part ``env`` of a run's configuration.
    Raises:
        - ValueError: one line, for unknown or repeated games and values that make no sense.
    """
    cfg = with_defaults(cfg)
    check_games(cfg.tasks)
    for key, (wanted, accepts) in _RULES.items():
        if not accepts(cfg[key]):
            raise ValueError(f"env.{key} is {cfg[key]!r}: it must be {wanted}")


def task_configs(cfg: dict, count_key: str) -> List[EasyDict]:
    """
    Overview:
        One configuration an environment.
    Arguments:
        - cfg (:obj:`dict`): The part ``env`` of a run's configuration; left as it is.
        - count_key (:obj:`str`): The key that says how many environments a task has.
    Returns:
        - cfgs (:obj:`List[EasyDict]`): Task by task, each with its ``task`` (name) and ``task_id``.
    """
    cfg = with_defaults(cfg)
    return [
        EasyDict(copy.deepcopy(dict(cfg)), task=task, task_id=task_id) for task_id, task in enumerate(cfg.tasks)
        for _ in range(cfg[count_key])
    ]
