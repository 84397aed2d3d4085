"""What the `mow` policy's configuration has to fulfil. Light: imports no torch."""
from lzero_mow.clustering.assignment import check_clustering
from .checks import check_frames, check_replay


def check_mow(config: dict) -> None:
    """
    Overview:
        Check the keys of MoW against each other.
    Errors:
        ``ValueError`` in one line for the first thing that cannot work.
    """
    policy = config['policy']
    check_frames(config)
    _check_lengths(policy)
    check_replay(config, policy['batch_length'], 'policy.batch_length', ('batch_size', 'imagine_batch_size'))
    _check_networks(policy['model'])
    check_clustering(policy, config['env']['tasks'])


def _check_lengths(policy: dict) -> None:
    longest = policy['model']['max_length']
    context, horizon, length = policy['context_length'], policy['horizon'], policy['batch_length']
    if context < 2:
        raise ValueError(f'policy.context_length is {context}: expected at least 2, imagination starts from two steps')
    if length > longest:
        raise ValueError(
            f'policy.batch_length is {length} but the transformers end at policy.model.max_length = {longest} steps'
        )
    if context + horizon > longest:
        raise ValueError(
            f'policy.context_length + policy.horizon is {context + horizon} but the transformers end at '
            f'policy.model.max_length = {longest} steps'
        )
    if policy['acting_window'] > longest:
        raise ValueError(
            f"policy.acting_window is {policy['acting_window']} but the transformers end at policy.model.max_length = "
            f'{longest} steps'
        )
    if context >= length:
        raise ValueError(
            f'policy.context_length is {context}: it must be shorter than a sequence, policy.batch_length = {length}'
        )


def _check_networks(model: dict) -> None:
    if model['width'] % model['num_heads']:
        raise ValueError(
            f"policy.model.width {model['width']} is not divisible by policy.model.num_heads {model['num_heads']}"
        )
    n_experts, used = model['num_experts'], model['experts_per_task']
    if n_experts < 0 or used < 0:
        raise ValueError('policy.model.num_experts and policy.model.experts_per_task cannot be negative')
    if used > n_experts:
        raise ValueError(
            f'policy.model.experts_per_task is {used} but policy.model.num_experts is {n_experts}: a task cannot use '
            'more experts than there are'
        )
    if n_experts > 0 and used == 0:
        raise ValueError(f'policy.model.experts_per_task is 0: set 1 to {n_experts}, or policy.model.num_experts=0')
    if n_experts == 0 and not model['shared_transformer']:
        raise ValueError('policy.model.num_experts=0 without policy.model.shared_transformer leaves no dynamics model')
    if n_experts > 0 and model['task_embedding_dim'] == 0:
        raise ValueError('policy.model.task_embedding_dim is 0: the router chooses experts by the task embedding')
