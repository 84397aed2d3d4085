"""What the `scalezero` policy's configuration has to fulfil. Light: imports no torch."""
from typing import Sequence

from .checks import are_numbers, check_frames, check_replay, is_number

SIM_GROUP = 8  # as `lzero_mow.model.scalezero.norms` has it, which imports torch


def check_scalezero(config: dict) -> None:
    """
    Overview:
        Check the keys of ScaleZero against each other.
    Errors:
        ``ValueError`` in one line for the first thing that cannot work.
    """
    policy = config['policy']
    check_frames(config)
    if policy['model']['continuous_action_space']:
        _check_continuous(policy)
    _check_lengths(policy)
    length = policy['num_unroll_steps'] + policy['td_steps']
    check_replay(config, length, 'policy.num_unroll_steps + policy.td_steps', ('batch_size', ))
    _check_networks(policy['model'])
    _check_entropy(policy)
    _check_scaling(policy)


def _check_continuous(policy: dict) -> None:
    if policy['num_sampled_actions'] < 2:
        raise ValueError(
            f"policy.num_sampled_actions is {policy['num_sampled_actions']}: a search needs at least 2 to choose from"
        )
    if policy['upstream_compat']:
        raise ValueError(
            "policy.upstream_compat is True: it copies LightZero's policy of discrete actions, these are continuous"
        )


def _check_lengths(policy: dict) -> None:
    unroll, td = policy['num_unroll_steps'], policy['td_steps']
    if policy['context_length'] < 2:
        raise ValueError(
            f"policy.context_length is {policy['context_length']}: expected at least 2, the present step and one before"
        )
    if policy['context_length'] >= unroll:
        raise ValueError(
            f"policy.context_length is {policy['context_length']}: a search needs room behind it, below "
            f'policy.num_unroll_steps = {unroll}'
        )
    if unroll + td > policy['game_segment_length']:
        raise ValueError(
            f"policy.num_unroll_steps + policy.td_steps is {unroll + td}: LightZero's collector needs segments as "
            f"long, policy.game_segment_length is {policy['game_segment_length']}"
        )


def _check_networks(model: dict) -> None:
    if model['embed_dim'] % model['num_heads']:
        raise ValueError(
            f"policy.model.embed_dim {model['embed_dim']} is not divisible by policy.model.num_heads "
            f"{model['num_heads']}"
        )
    size, patch = model['observation_shape'][1], model['patch_size']
    if model['encoder'] == 'vit' and size % patch:
        raise ValueError(f'policy.model.patch_size is {patch}: frames of {size} pixels are no multiple of it')
    if model['latent_norm'] == 'sim' and model['embed_dim'] % SIM_GROUP:
        raise ValueError(f"policy.model.embed_dim is {model['embed_dim']}: SimNorm needs a multiple of {SIM_GROUP}")
    if model['num_experts'] and not 1 <= model['experts_per_token'] <= model['num_experts']:
        raise ValueError(
            f"policy.model.experts_per_token is {model['experts_per_token']}: choose 1 to policy.model.num_experts = "
            f"{model['num_experts']}"
        )
    for key in ('value_support', 'reward_support'):
        if not _is_support(model[key]):
            raise ValueError(
                f'policy.model.{key} is {list(model[key])}: expected its lowest and highest atom and their distance, '
                'of which the range is a multiple'
            )


def _is_support(atoms: Sequence[float]) -> bool:
    if not are_numbers(atoms, 3) or atoms[0] >= atoms[1] or atoms[2] <= 0:
        return False
    steps = (atoms[1] - atoms[0]) / atoms[2]
    return abs(steps - round(steps)) < 1e-6


def _check_entropy(policy: dict) -> None:
    low_high, shares = policy['entropy_weight_bounds'], policy['entropy_target']
    if not are_numbers(low_high, 2) or not 0 < low_high[0] <= low_high[1]:
        raise ValueError(f'policy.entropy_weight_bounds is {list(low_high)}: expected low and high, above 0')
    if not are_numbers(shares, 2) or not all(0 <= share <= 1 for share in shares):
        raise ValueError(f'policy.entropy_target is {list(shares)}: expected two shares from 0 to 1')


def _check_scaling(policy: dict) -> None:
    model, targets = policy['model'], policy['solved_returns']
    if model['stages'] > 1 and model['adapter_rank'] < 1:
        raise ValueError(
            f"policy.model.stages is {model['stages']} but policy.model.adapter_rank is {model['adapter_rank']}: a "
            'stage beyond the first trains an adapter, whose rank is at least 1'
        )
    for task, value in (targets or {}).items():
        if not isinstance(task, str):
            raise ValueError(f'policy.solved_returns has {task!r}: expected the names of tasks')
        if not is_number(value):
            raise ValueError(f'policy.solved_returns.{task} is {value!r}: expected a number')
