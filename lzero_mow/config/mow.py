"""Every key of the `mow` policy with its default: the sizes of the paper. Light: imports no torch.

`MoWPolicy.config` is this dict. Presets (`config/*.yaml`) and the command line change leaves of it.
"""
from .clusters import check_clustering
from .common import COMMON_CONFIG, LIGHTZERO_MODEL_CONFIG, check_frames, check_replay

MODEL_CONFIG = dict(
    # (tuple) Shape of one frame: channels, height, width; filled in from `env.obs_shape`. Frames are squares of 16, 32,
    # 64 or 128 pixels, which two to five halvings bring to 4 x 4.
    observation_shape=(3, 64, 64),
    # (int) Number of discrete actions, or of the numbers of a continuous one, shared by all tasks.
    action_space_size=18,
    # (bool) Whether an action is that many numbers from -1 to 1, rather than one of so many.
    continuous_action_space=False,
    # (int) Number of tasks K. Filled in from `env.tasks` when training starts.
    num_tasks=1,
    # ------------------------------------------------------------------ perception (paper section 3.2)
    # (int) Number of clusters N_m: each owns a VAE, a set of predictors and a critic.
    num_clusters=12,
    # (list or None) Cluster i_k of each task; follows from `policy.clustering`. None: shared out evenly in their order.
    cluster_of_task=None,
    # (int) Channels after the first convolution; they double with each further halving on the way to 4 x 4.
    stem_channels=32,
    # (str) Normalisation inside the VAEs: 'batch' (STORM), 'group' or 'layer'.
    norm='batch',
    # (int) Number of categorical variables in a latent, and classes in each.
    categories=32,
    classes=32,
    # (float) Share of the uniform distribution mixed into every categorical.
    unimix=0.01,
    # (int) Width of the task embedding e_k, kept on the unit sphere; 0 for none.
    task_embedding_dim=64,
    # ------------------------------------------------------------------ dynamics (paper section 3.3)
    # (int) Number of expert transformers N_e; 0 for none.
    num_experts=12,
    # (int) Experts a task uses, n_k.
    experts_per_task=2,
    # (str) How the prediction losses reach the router: 'straight_through' or 'none' (the letter of the paper).
    router_gradient='straight_through',
    # (float) Temperature of the router at the start ...
    temperature_start=5.0,
    # (int) ... annealed to 1 over this many updates.
    temperature_steps=10000,
    # (bool) Whether the shared transformer follows the experts.
    shared_transformer=True,
    # (int) Width D, layers and heads of every transformer (expert or shared), and its longest sequence.
    width=512,
    num_layers=2,
    num_heads=8,
    max_length=64,
    # (float) Dropout inside the transformers.
    dropout=0.1,
    # (bool) Whether a head predicts the task from h (one head for all tasks).
    task_head=True,
    # ------------------------------------------------------------------ agent (paper section 3.5)
    # (int) Hidden layers and width of actor and critics.
    agent_layers=2,
    agent_width=512,
)

MOW_CONFIG = dict(
    **COMMON_CONFIG,
    # (str) Registered name of the policy.
    type='mow',
    # (dict) The networks.
    model=dict(**MODEL_CONFIG, **LIGHTZERO_MODEL_CONFIG),
    # ------------------------------------------------------------------ data
    # (int) Sequences in a training batch, shared out over the tasks.
    batch_size=52,
    # (int) Steps in a sequence, L.
    batch_length=64,
    # (int) Steps that LightZero's collector gathers in a segment; `collect` returns about that many a task.
    game_segment_length=16,
    # Fixed. A segment carries this many steps of the next one as padding; MoW needs none, LightZero at least these.
    num_unroll_steps=1,
    td_steps=1,
    # ------------------------------------------------------------------ clusters (paper section 3.6)
    # (str) How tasks come into clusters: 'gradient' (model.num_clusters groups, by their gradients after the warm-up),
    # 'auto' (the same, 2 to model.num_clusters groups, by silhouette), 'random' (groups of about equal size, drawn),
    # 'task' (a cluster each), 'order' (shared out evenly in their order), or a YAML file {task: cluster}. With
    # model.num_clusters = 1 there is one cluster, whatever stands here.
    clustering='gradient',
    # (int) Updates on random play alone, with one module set, before tasks are grouped; 0 for none.
    warmup_steps=5000,
    # ------------------------------------------------------------------ world model
    # (float) Learning rate of Adam, and largest gradient norm.
    learning_rate=1e-4,
    grad_clip=1000.0,
    # (float) Weight of each term of a task's loss, see `world_model_terms`. The reconstruction's is a sum over pixels:
    # objects of few pixels (small frames) need more, or the KL terms win and the objects are never seen.
    loss_weights=dict(
        reconstruction=1.0, reward=1.0, continuation=1.0, dynamics=0.5, representation=0.1,
        task=1.0  # has no effect without `model.task_head`
    ),
    # (float) Free bits of the KL terms, dynamics and representation, in nats.
    free_bits=1.0,
    # (str) How task losses are added up: 'harmonious' (sum of L_k / sigma_k + ln(1 + sigma_k)) or 'sum'.
    task_weighting='harmonious',
    # (float) Learning rate of the weights sigma_k.
    task_weight_learning_rate=1e-3,
    # (float) Weight of the expert-balance loss, which is one for all tasks and added to their weighted sum.
    balance_weight=0.1,
    # ------------------------------------------------------------------ imagination
    # (str) Where imagined rollouts start: 'replay' (fresh sequences, STORM) or 'batch' (latents of the training batch).
    imagine_source='replay',
    # (int) Rollouts started at each update, shared out over the tasks.
    imagine_batch_size=1040,
    # (int) Real steps before imagination begins, and imagined steps.
    context_length=8,
    horizon=16,
    # ------------------------------------------------------------------ agent
    # (float) Discount and lambda of the lambda-return.
    discount_factor=0.985,
    lambda_=0.95,
    # (str) Value mixed into the lambda-return: 'next' (the formula) or 'current' (STORM's code).
    lambda_bootstrap='next',
    # (float) Learning rate and epsilon of the agent's Adam, and largest gradient norm.
    agent_learning_rate=3e-5,
    agent_eps=1e-5,
    agent_grad_clip=100.0,
    # (float) Weight of each term of the agent's loss, see `agent_terms`; the entropy is a bonus.
    agent_loss_weights=dict(actor=1.0, critic=1.0, slow_critic=1.0, entropy=3e-4),
    # (float) Decay of the slow critic, and of the percentiles that scale returns.
    critic_ema=0.98,
    return_ema=0.99,
    # (float) Smallest scale that advantages are divided by. Where a task's returns are far below it, that task hardly
    # counts in the actor that all tasks share; where rewards are very rare, a small one lets the actor follow noise.
    return_scale_floor=1.0,
    # (int) Longest window of past steps that an action is chosen from.
    acting_window=16,
    # (bool) Take the likeliest action in evaluation instead of a sample.
    eval_greedy=False,
)


def check_mow(config: dict) -> None:
    """
    Overview:
        Check the keys of MoW against each other.
    Raises:
        - ValueError: in one line for the first thing that cannot work.
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
