"""Policy configurations and policies for the benchmarks: a preset at any number of tasks."""
import argparse
import time
from typing import Callable

import numpy as np
import torch
from ding.policy import Policy
from easydict import EasyDict

from lzero_mow.config.build import DEFAULT_METHOD, build_config


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The command line; a number, device, preset or method that cannot be is one line."""
    args = parser.parse_args()
    given = vars(args)
    for name in ('tasks', 'repeats'):
        if given.get(name, 1) < 1:
            parser.error(f'--{name} is {given[name]}: expected at least 1')
    try:
        torch.zeros(1, device=given.get('device', 'cpu'))
        policy_config(given.get('preset', 'paper'), given.get('tasks', 1), given.get('method', DEFAULT_METHOD))
    except (ValueError, RuntimeError, AssertionError) as error:  # torch's, where there is no such device or no CUDA
        parser.error(str(error).splitlines()[0])
    return args


def policy_config(preset: str, num_tasks: int, method: str = DEFAULT_METHOD) -> EasyDict:
    """The preset's policy configuration for `num_tasks` tasks without names that matter."""
    cfg = EasyDict(build_config(preset, method=method)['policy'])
    cfg.tasks = [f'task {k}' for k in range(num_tasks)]
    cfg.model.num_tasks = num_tasks
    if 'clustering' in cfg:
        cfg.clustering, cfg.warmup_steps = 'order', 0
    return cfg


def decision(policy: Policy, num_tasks: int) -> Callable[[], None]:
    """A call that chooses one action for each task, each in one environment of its own, from frames of noise."""
    C, H, W = policy.cfg.model.observation_shape
    frames, ids = torch.randint(0, 256, (num_tasks, C, H, W), dtype=torch.uint8), list(range(num_tasks))
    legal = np.ones((num_tasks, policy.cfg.model.action_space_size))
    return lambda: policy.collect_mode.forward(frames, legal, 1.0, ids, 0.0, ready_env_id=ids, timestep=ids)


def timed(call: Callable[[], None], device: torch.device) -> float:
    """Seconds that a call takes, the device's work included."""
    synchronize = torch.cuda.synchronize if device.type == 'cuda' else lambda: None
    synchronize()
    start = time.perf_counter()
    call()
    synchronize()
    return time.perf_counter() - start
