"""A small MoW policy, and data for it."""
import copy

import torch
from easydict import EasyDict

from helpers.models import TINY, random_batch
from lzero_mow.config.mow import MOW_CONFIG
from lzero_mow.policy.mow import MoWPolicy

TASKS = ('red', 'green', 'blue')


def tiny_policy(seed: int = 0, **overrides) -> MoWPolicy:
    torch.manual_seed(seed)
    cfg = EasyDict(copy.deepcopy(MOW_CONFIG))
    cfg.update(
        tasks=list(TASKS), collector_env_num=2, evaluator_env_num=1, imagine_batch_size=9, context_length=4, horizon=5,
        acting_window=6, clustering='order', warmup_steps=0
    )
    cfg.model.update(TINY)
    cfg.model.update(overrides.pop('model', {}))
    cfg.update(overrides)
    return MoWPolicy(cfg)


def training_data(seed: int = 0):
    return dict(
        world_model=random_batch((0, 0, 1, 1, 2, 2), 8, seed=seed),
        imagine=random_batch((0, 0, 0, 1, 1, 1, 2, 2, 2), 4, seed=seed + 1)
    )
