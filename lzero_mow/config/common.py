"""What every policy has: LightZero's fixed keys, those of data and of the schedule. Light: imports no torch."""
from typing import Annotated, Any, Literal, Sequence, Type

from pydantic import create_model

from .fields import FIXED, Count, Frame, Keys, Names, Positive
from .suites import record_of


def _only(name: str, **values: Any) -> Type[Keys]:
    """Keys with a single choice: LightZero's collectors, evaluators and segments read them, ours need this value."""
    return create_model(name, __base__=Keys, **{key: (Literal[value], value) for key, value in values.items()})


LightZeroModelKeys = _only('LightZeroModelKeys', frame_stack_num=1, image_channel=3, model_type='conv')
LightZeroKeys = _only(
    'LightZeroKeys', env_type='not_board_games', action_type='fixed_action_space', sampled_algo=False,
    gumbel_algo=False, use_ture_chance_label_in_chance_encoder=False, collect_with_pure_policy=False,
    use_priority=False, priority_prob_alpha=0.6, priority_prob_beta=0.4, use_wandb=False, ignore_done=False,
    gray_scale=False, transform2string=False
)


class ModelKeys(LightZeroModelKeys):
    """What the networks of every policy have."""
    # (tuple) Shape of one frame: channels, height, width; filled in from `env.obs_shape`. Frames are squares of 16, 32,
    # 64 or 128 pixels.
    observation_shape: Frame = (3, 64, 64)
    # (int) Number of discrete actions, shared by all tasks; or (bool) of the numbers from -1 to 1 that are one action.
    action_space_size: Count = 18
    continuous_action_space: bool = False
    # (int) Number of tasks K. Filled in from `env.tasks`.
    num_tasks: Count = 1


class PolicyKeys(LightZeroKeys):
    """What every policy has."""
    # (list) Names of the tasks, filled in from `env.tasks`; (bool) train on the GPU, follows from `device`.
    tasks: Names = []
    cuda: bool = False
    # (bool) DI-engine's switch for several processes, which stays False: torchrun starts them, and that is enough.
    multi_gpu: Literal[False] = False
    # (str) Device of the networks and of the observations: 'cpu', 'cuda', or 'auto', a GPU where there is one.
    device: Literal['auto', 'cpu', 'cuda'] = 'cpu'
    # (bool) Compute in bfloat16 where it is safe on a GPU; on CPU it would be slower and is never done.
    bf16: bool = True
    # (bool) Data comes from a replay.
    on_policy: Literal[False] = False
    # ------------------------------------------------------------------ data
    # (int) Environments per task while collecting and while evaluating. Filled in from `env`.
    collector_env_num: Count = 1
    evaluator_env_num: Count = 5
    # (int) Steps per task that the replay keeps.
    replay_buffer_size: Annotated[Count, FIXED] = 100000
    # (bool) Compress their frames in memory, without loss; a sample is the same either way.
    replay_compression: bool = True
    # (bool) Whether a life loss is learned as an end: by MoW's continuation head, by ScaleZero's value targets.
    life_loss_as_termination: bool = True
    # (int) Steps of random play per task before the first update.
    train_start_after_envsteps: Count = 1024
    # (float) Updates for each environment step of one task.
    replay_ratio: Positive = 1.0
    # ------------------------------------------------------------------ schedule
    # (int) Environment steps per task between evaluations, checkpoints and reports (videos, router map, curves).
    eval_freq: Count = 5000
    checkpoint_freq: Count = 5000
    report_freq: Count = 20000
    # (int) Updates between two writes of the training curves.
    log_freq: Count = 50


class UnknownPolicyKeys(PolicyKeys, extra='allow'):
    """Another project's policy: those of the keys above that it has are checked, the others are left alone."""


FRAME_SIZES = (16, 32, 64, 128)  # halvings lead to 4 x 4


def check_frames(config: dict) -> None:
    """Check that the networks take the environments' frames and actions."""
    shape = config['policy']['model']['observation_shape']
    if shape[1] != shape[2] or shape[1] not in FRAME_SIZES:
        sizes = ', '.join(map(str, FRAME_SIZES))
        raise ValueError(f'env.obs_shape is {list(shape)}: the networks take square frames of {sizes} pixels')
    model, suite = config['policy']['model'], record_of(config['create']['env'])
    if suite is None:
        return
    actions, continuous = model['action_space_size'], model['continuous_action_space']
    if continuous != suite.continuous:
        kind = 'continuous' if suite.continuous else 'discrete'
        raise ValueError(f'policy.model.continuous_action_space is {continuous}: {suite.env_type} has {kind} actions')
    if actions != suite.num_actions:
        raise ValueError(
            f'policy.model.action_space_size is {actions}: {suite.env_type} has {suite.num_actions} actions'
        )


def check_heads(model: dict, width: str) -> None:
    """Check that the heads of the transformers can share the width, the model's key of that name, equally."""
    if model[width] % model['num_heads']:
        heads = f"policy.model.num_heads {model['num_heads']}"
        raise ValueError(f'policy.model.{width} {model[width]} is not divisible by {heads}')


def check_replay(config: dict, length: int, named: str, batches: Sequence[str]) -> None:
    """
    Check that batches can be drawn from the replay when training starts. Sequences have ``length`` steps, from the keys
    ``named``; ``batches`` are the policy's keys that are numbers of sequences.
    """
    policy, n_envs, K = config['policy'], config['env']['collector_env_num'], len(config['env']['tasks'])
    kept, start = policy['replay_buffer_size'], policy['train_start_after_envsteps']
    for key in batches:
        if policy[key] < K:
            raise ValueError(f'policy.{key} is {policy[key]} for {K} tasks: each needs one, set {K} or more')
    if length > kept // n_envs:
        raise ValueError(
            f'{named} is {length} but the replay keeps {kept // n_envs} steps of an environment '
            f'(policy.replay_buffer_size {kept} over {n_envs} environments per task)'
        )
    batch_steps = -(-policy['batch_size'] // K) * length
    if batch_steps > kept:
        raise ValueError(
            f'a batch holds {batch_steps} steps per task but the replay only {kept}: lower policy.batch_size or raise '
            'policy.replay_buffer_size'
        )
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
