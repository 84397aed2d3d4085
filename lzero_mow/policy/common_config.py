"""What every policy has: LightZero's fixed keys, those of data and of the schedule. Light: imports nothing."""

# Keys that LightZero's collectors, evaluators and segments read; our workers and replays need these values.
LIGHTZERO_MODEL_CONFIG = dict(frame_stack_num=1, image_channel=3, model_type='conv')
LIGHTZERO_CONFIG = dict(
    env_type='not_board_games',
    action_type='fixed_action_space',
    sampled_algo=False,
    gumbel_algo=False,
    use_ture_chance_label_in_chance_encoder=False,
    collect_with_pure_policy=False,
    use_priority=False,
    priority_prob_alpha=0.6,
    priority_prob_beta=0.4,
    use_wandb=False,
    ignore_done=False,
    gray_scale=False,
    transform2string=False,
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
    # (int) Environments a task while collecting and while evaluating. Filled in from `env`.
    collector_env_num=1,
    evaluator_env_num=5,
    # (int) Steps a task that the replay keeps.
    replay_buffer_size=100000,
    # (bool) Whether a life loss is learned as an end: by MoW's continuation head, by ScaleZero's value targets.
    life_loss_as_termination=True,
    # (int) Steps a task of random play before the first update.
    train_start_after_envsteps=1024,
    # (float) Updates for each environment step of one task.
    replay_ratio=1.0,
    # ------------------------------------------------------------------ schedule
    # (int) Environment steps a task between evaluations, checkpoints and reports (videos, router map, curves).
    eval_freq=5000,
    checkpoint_freq=5000,
    report_freq=20000,
    # (int) Updates between two writes of the training curves.
    log_freq=50,
)
