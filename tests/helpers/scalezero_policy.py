"""A small ScaleZero policy, and data for it."""
import copy

import torch
from easydict import EasyDict

from helpers.policies import TASKS
from helpers.scalezero import TINY, tiny_scalezero
from lzero_mow.buffer.search_batch import SearchBatch
from lzero_mow.config.scalezero import SCALEZERO_CONFIG
from lzero_mow.policy.scalezero import ScaleZeroPolicy

L, N = 4, 2


def tiny_scalezero_policy(seed: int = 0, **overrides) -> ScaleZeroPolicy:
    torch.manual_seed(seed)
    cfg = EasyDict(copy.deepcopy(SCALEZERO_CONFIG))
    cfg.update(
        tasks=list(TASKS), collector_env_num=2, evaluator_env_num=1, num_unroll_steps=L, td_steps=N, context_length=2,
        num_simulations=5, eval_simulations=5, learning_rate=1e-3
    )
    model = dict(dropout=0.0, vit_dropout=0.0, **overrides.pop('model', {}))
    cfg.model.update(TINY, **model)
    cfg.update(overrides)
    return ScaleZeroPolicy(cfg, model=tiny_scalezero(seed, **model))


def random_search_batch(tasks=(0, 0, 1, 1, 2, 2), seed: int = 0) -> SearchBatch:
    generator = torch.Generator().manual_seed(seed)
    B, T, A = len(tasks), L + N, TINY['action_space_size']
    never = torch.zeros(B, T, dtype=torch.bool)
    return SearchBatch(
        obs=torch.randint(0, 256, (B, T, *TINY['observation_shape']), dtype=torch.uint8, generator=generator),
        action=torch.randint(0, A, (B, T), generator=generator),
        reward=torch.randint(-1, 2, (B, T), generator=generator).float(), terminated=never.clone(),
        truncated=never.clone(), life_loss=never.clone(),
        visits=(6 * torch.rand(B, L, A, generator=generator)).softmax(-1), task=tuple(tasks)
    )
