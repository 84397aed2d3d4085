"""Policy configurations for the benchmarks: a preset at any number of tasks."""
from easydict import EasyDict

from lzero_mow.config import build_config


def policy_config(preset: str, num_tasks: int) -> EasyDict:
    """The preset's policy configuration for `num_tasks` tasks without names that matter."""
    cfg = EasyDict(build_config(preset)['policy'])
    cfg.tasks = [f'task {k}' for k in range(num_tasks)]
    cfg.model.num_tasks = num_tasks
    cfg.clustering, cfg.warmup_steps = 'order', 0
    return cfg
