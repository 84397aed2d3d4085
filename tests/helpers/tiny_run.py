"""A whole run in a second or two: the debug preset, smaller still, on the two-task environment."""
import os
from typing import Any, List, Sequence

import torch

import helpers.two_task_env as two_task_env
from lzero_mow.config.build import build_config, lightzero_configs, settle
from lzero_mow.config.tree import merge
from lzero_mow.entry import train_multitask

TINY = dict(
    env=dict(evaluator_env_num=2),
    policy=dict(
        device='cpu',
        batch_size=4,
        batch_length=8,
        imagine_batch_size=4,
        context_length=3,
        horizon=2,
        acting_window=3,
        game_segment_length=6,
        train_start_after_envsteps=24,
        replay_ratio=0.1,
        eval_freq=36,
        checkpoint_freq=24,
        report_freq=48,
        log_freq=2,
        model=dict(
            stem_channels=2, width=16, num_experts=2, experts_per_task=1, categories=4, classes=4, agent_width=16
        )
    )
)


class Stopped(Exception):
    """Raised where a process is killed: nothing handles it."""


def tiny_config(
        run_dir: Any, env_type: str = 'two_task_mow', tasks: Sequence[str] = tuple(two_task_env.TASKS), **changes: Any
) -> dict:
    """
    Overview:
        A configuration that trains for 96 steps per task and some seven updates.
    Arguments:
        - changes: A tree of changed keys.
    """
    config = build_config('debug', layers=[dict(exp_name=str(run_dir), max_env_step=96), TINY])
    config['env']['tasks'] = list(tasks)
    config['create']['env'] = dict(type=env_type, import_names=['helpers.two_task_env', 'helpers.planted_env'])
    return settle(merge(config, changes))


def train(config: dict, **arguments: Any) -> Any:
    """Train as the command line does."""
    arguments.setdefault('max_env_step', config['max_env_step'])
    return train_multitask(lightzero_configs(config), config['seed'], **arguments)


def load(run_dir: Any, name: str = 'latest.pth.tar') -> dict:
    return torch.load(os.path.join(run_dir, 'ckpt', name), weights_only=True)


def differences(left: Any, right: Any, path: str = '') -> List[str]:
    """The places where two checkpoints differ in any bit, except for measured times."""
    if type(left) is not type(right):
        return [f'{path}: {type(left)} and {type(right)}']
    if isinstance(left, dict):
        if set(left) != set(right):
            return [f'{path}: keys {set(left) ^ set(right)}']
        measured = ('time', 'duration', 'cost')
        keys = [key for key in left if not any(word in str(key) for word in measured)]
        return [line for key in keys for line in differences(left[key], right[key], f'{path}/{key}')]
    if isinstance(left, (list, tuple)):
        if len(left) != len(right):
            return [f'{path}: lengths {len(left)} and {len(right)}']
        return [line for i, pair in enumerate(zip(left, right)) for line in differences(*pair, f'{path}[{i}]')]
    same = torch.equal(left, right) if isinstance(left, torch.Tensor) else left == right
    return [] if same else [f'{path}: {left} and {right}']
