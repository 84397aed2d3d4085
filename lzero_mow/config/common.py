"""What every policy has: LightZero's fixed keys, those of data and of the schedule. Light: imports nothing."""
from math import isfinite
from typing import Any, Sequence

# Keys that LightZero's collectors, evaluators and segments read; our workers and replays need these values.
LIGHTZERO_MODEL_CONFIG = dict(frame_stack_num=1, image_channel=3, model_type='conv')
LIGHTZERO_CONFIG = dict(
    env_type='not_board_games', action_type='fixed_action_space', sampled_algo=False, gumbel_algo=False,
    use_ture_chance_label_in_chance_encoder=False, collect_with_pure_policy=False, use_priority=False,
    priority_prob_alpha=0.6, priority_prob_beta=0.4, use_wandb=False, ignore_done=False, gray_scale=False,
    transform2string=False
)

COMMON_CONFIG = dict(
    **LIGHTZERO_CONFIG,
    # (list) Names of the tasks. Filled in from `env.tasks` when training starts.
    tasks=[],
    # (bool) Train on the GPU. Set by `--device`.
    cuda=False,
    # (bool) DI-engine's switch for training on several GPUs; not supported yet, so it must stay False.
    multi_gpu=False,
    # (str) Device that LightZero's collector and evaluator put observations on. Follows `cuda`.
    device='cpu',
    # (bool) Compute in bfloat16 where it is safe on a GPU; on CPU it would be slower and is never done.
    bf16=True,
    # (bool) Data comes from a replay.
    on_policy=False,
    # ------------------------------------------------------------------ data
    # (int) Environments per task while collecting and while evaluating. Filled in from `env`.
    collector_env_num=1,
    evaluator_env_num=5,
    # (int) Steps per task that the replay keeps.
    replay_buffer_size=100000,
    # (bool) Whether a life loss is learned as an end: by MoW's continuation head, by ScaleZero's value targets.
    life_loss_as_termination=True,
    # (int) Steps a task of random play before the first update.
    train_start_after_envsteps=1024,
    # (float) Updates for each environment step of one task.
    replay_ratio=1.0,
    # ------------------------------------------------------------------ schedule
    # (int) Environment steps per task between evaluations, checkpoints and reports (videos, router map, curves).
    eval_freq=5000,
    checkpoint_freq=5000,
    report_freq=20000,
    # (int) Updates between two writes of the training curves.
    log_freq=50,
)

FRAME_SIZES = (16, 32, 64, 128)  # halvings lead to 4 x 4
# By environment: how many actions there are, or of how many numbers one consists.
ACTIONS = {'atari_mow': 18, 'minatar_mow': 6, 'metaworld_mow': 4}
CONTINUOUS = ('metaworld_mow', )


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def are_numbers(values: Any, count: int) -> bool:
    """Whether a value is a list of so many finite numbers."""
    return isinstance(values, (list, tuple)) and len(values) == count and all(map(is_number, values))


def check_frames(config: dict) -> None:
    """Check that the networks take the environments' frames and actions."""
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
            f'(policy.replay_buffer_size {policy["replay_buffer_size"]} over {n_envs} environments per task)'
        )
    batch_steps = -(-policy['batch_size'] // K) * length
    if batch_steps > policy['replay_buffer_size']:
        raise ValueError(
            f'a batch holds {batch_steps} steps per task but the replay only {policy["replay_buffer_size"]}: lower '
            'policy.batch_size or raise policy.replay_buffer_size'
        )
    start = policy['train_start_after_envsteps']
    # The collector hands a segment on once the next one is full, so the replay lags by up to two of them.
    needed = n_envs * (length + 2 * policy['game_segment_length'])
    if start < needed:
        raise ValueError(
            f'policy.train_start_after_envsteps is {start}: too few steps for a sequence of {length} from each of '
            f'{n_envs} environments per task, set {needed} or more'
        )
    if start >= config['max_env_step']:
        raise ValueError(
            f'max_env_step is {config["max_env_step"]} but training starts after '
            f'policy.train_start_after_envsteps = {start} steps: nothing would be learned'
        )
