"""
Checks that every policy needs: frames, actions and the replay. Light: imports no torch.

Each raises ``ValueError`` with one line.
"""
from math import isfinite
from typing import Any, Sequence

FRAME_SIZES = (16, 32, 64, 128)  # halvings lead to 4 x 4
# By environment: how many actions there are, or of how many numbers one consists.
ACTIONS = {'atari_mow': 18, 'minatar_mow': 6, 'metaworld_mow': 4}
CONTINUOUS = ('metaworld_mow', )


def is_number(value: Any) -> bool:
    """
    Overview:
        Whether a value is a finite number.
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def are_numbers(values: Any, count: int) -> bool:
    """
    Overview:
        Whether a value is a list of so many finite numbers.
    """
    return isinstance(values, (list, tuple)) and len(values) == count and all(map(is_number, values))


def check_frames(config: dict) -> None:
    """
    Overview:
        Check that the networks take the environments' frames and actions.
    """
    shape = config['policy']['model']['observation_shape']
    if shape[1] != shape[2] or shape[1] not in FRAME_SIZES:
        sizes = ', '.join(map(str, FRAME_SIZES))
        raise ValueError(f'env.obs_shape is {list(shape)}: the networks take square frames of {sizes} pixels')
    model, suite = config['policy']['model'], config['create']['env']['type']
    actions = model['action_space_size']
    if suite in ACTIONS and model['continuous_action_space'] != (suite in CONTINUOUS):
        raise ValueError(
            f"policy.model.continuous_action_space is {model['continuous_action_space']}: the actions of {suite} are "
            f"{'continuous' if suite in CONTINUOUS else 'discrete'}"
        )
    if suite in ACTIONS and actions != ACTIONS[suite]:
        raise ValueError(
            f'policy.model.action_space_size is {actions}: an environment of {suite} has {ACTIONS[suite]} actions'
        )


def check_replay(config: dict, length: int, named: str, batches: Sequence[str]) -> None:
    """
    Overview:
        Check that batches can be drawn from the replay when training starts.
    Arguments:
        - length (:obj:`int`): Steps in a sequence; named (:obj:`str`): The keys that it comes from.
        - batches (:obj:`Sequence[str]`): The keys of the policy that are numbers of sequences.
    """
    policy, n_envs, K = config['policy'], config['env']['collector_env_num'], len(config['env']['tasks'])
    for key in batches:
        if policy[key] < K:
            raise ValueError(
                f'policy.{key} is {policy[key]} for {K} tasks: every task needs at least one sequence, set {K} or more'
            )
    capacity = policy['replay_buffer_size'] // n_envs
    if length > capacity:
        raise ValueError(
            f'{named} is {length} but the replay keeps {capacity} steps of an environment '
            f'(policy.replay_buffer_size {policy["replay_buffer_size"]} over {n_envs} environments a task)'
        )
    batch_steps = -(-policy['batch_size'] // K) * length
    if batch_steps > policy['replay_buffer_size']:
        raise ValueError(
            f'a batch holds {batch_steps} steps a task but the replay only {policy["replay_buffer_size"]}: lower '
            'policy.batch_size or raise policy.replay_buffer_size'
        )
    start = policy['train_start_after_envsteps']
    # The collector hands a segment on once the next one is full, so the replay lags by up to two of them.
    needed = n_envs * (length + 2 * policy['game_segment_length'])
    if start < needed:
        raise ValueError(
            f'policy.train_start_after_envsteps is {start}: too few steps for a sequence of {length} from each of '
            f'{n_envs} environments a task, set {needed} or more'
        )
    if start >= config['max_env_step']:
        raise ValueError(
            f'max_env_step is {config["max_env_step"]} but training starts after '
            f'policy.train_start_after_envsteps = {start} steps: nothing would be learned'
        )
