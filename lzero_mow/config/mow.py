"""Every key of the `mow` policy with its default: the sizes of the paper. Light: imports no torch.

`MoWPolicy.config` is `MOW_CONFIG`. Presets (`config/*.yaml`) and the command line change leaves of it.
"""
from typing import Annotated, List, Literal, Optional

from pydantic import Field

from .clusters import check_clustering
from .common import ModelKeys, PolicyKeys, check_frames, check_heads, check_replay
from .fields import FIXED, Count, Dropout, Keys, Positive, Share, Weight, Whole


class MoWModelKeys(ModelKeys):
    """The networks."""
    # ------------------------------------------------------------------ perception (paper section 3.2)
    # (int) Number of clusters N_m: each owns a VAE, a set of predictors and a critic.
    num_clusters: Count = 12
    # (list or None) Cluster i_k of each task; follows from `policy.clustering`. None: shared out evenly in their order.
    cluster_of_task: Optional[List[int]] = None
    # (int) Channels after the first convolution; they double with each further halving on the way to 4 x 4.
    stem_channels: Count = 32
    # (str) Normalisation inside the VAEs: 'batch' (STORM), 'group' or 'layer'.
    norm: Literal['batch', 'group', 'layer'] = 'batch'
    # (bool) Whether the VAEs see and paint only what differs from a learned picture of the task, see `Background`.
    background: bool = False
    # (int) Number of categorical variables in a latent, and classes in each.
    categories: Count = 32
    classes: Count = 32
    # (float) Share of the uniform distribution mixed into every categorical.
    unimix: Annotated[float, Field(gt=0, le=0.99)] = 0.01
    # (int) Width of the task embedding e_k, kept on the unit sphere; 0 for none.
    task_embedding_dim: Whole = 64
    # ------------------------------------------------------------------ dynamics (paper section 3.3)
    # (int) Number of expert transformers N_e, 0 for none, and of those that a task uses, n_k.
    num_experts: Whole = 12
    experts_per_task: Whole = 2
    # (str) How the prediction losses reach the router: 'straight_through' or 'none' (the letter of the paper).
    router_gradient: Literal['straight_through', 'none'] = 'straight_through'
    # (float) Temperature of the router at the start, annealed to 1 over (int) this many updates.
    temperature_start: Positive = 5.0
    temperature_steps: Count = 10000
    # (bool) Whether the shared transformer follows the experts.
    shared_transformer: bool = True
    # (int) Width D, layers and heads of every transformer (expert or shared), and its longest sequence.
    width: Count = 512
    num_layers: Count = 2
    num_heads: Count = 8
    max_length: Count = 64
    # (float) Dropout inside the transformers.
    dropout: Dropout = 0.1
    # (bool) Whether a head predicts the task from h (one head for all tasks).
    task_head: bool = True
    # (str) How predicted rewards and values are read off their bins: 'symlog' (STORM's code), which makes little of a
    # reward that is large but uncertain, or 'mean' (DreamerV3), see `TwoHot`.
    two_hot: Literal['symlog', 'mean'] = 'symlog'
    # ------------------------------------------------------------------ agent (paper section 3.5)
    # (int) Hidden layers and width of actor and critics.
    agent_layers: Count = 2
    agent_width: Count = 512


class MoWLossWeights(Keys):
    """Weight of each term of a task's loss, see `world_model_terms`."""
    # (float) Of a sum over pixels: objects of few pixels (small frames) need more, or the KL terms win and the objects
    # are never seen.
    reconstruction: Positive = 1.0
    reward: Weight = 1.0
    continuation: Weight = 1.0
    dynamics: Weight = 0.5
    representation: Weight = 0.1
    # (float) Has no effect without `model.task_head`.
    task: Weight = 1.0


class MoWAgentLossWeights(Keys):
    """Weight of each term of the agent's loss, see `agent_terms`; the entropy is a bonus."""
    actor: Weight = 1.0
    critic: Weight = 1.0
    slow_critic: Weight = 1.0
    entropy: Weight = 3e-4


class MoWKeys(PolicyKeys):
    """The policy."""
    # (str) Registered name of the policy, and (dict) its networks.
    type: Literal['mow'] = 'mow'
    model: MoWModelKeys = MoWModelKeys()
    # ------------------------------------------------------------------ data
    # (int) Sequences in a training batch, shared out over the tasks, and steps in a sequence, L.
    batch_size: Count = 52
    batch_length: Count = 64
    # (int or None) Tasks of a process whose sequences and rollouts go through the networks at a time, so that a GPU
    # need not hold the activations of all: the same gradients but for batch norm, whose statistics are then those of a
    # part, and for the order in which random numbers are drawn. None for all at once.
    micro_batch_tasks: Optional[Count] = None
    # (int) Steps that LightZero's collector gathers in a segment; `collect` returns about that many per task.
    game_segment_length: Annotated[Count, FIXED] = 16
    # (int) Fixed. Steps of the next segment that pad a segment; MoW needs none, LightZero at least these.
    num_unroll_steps: Literal[1] = 1
    td_steps: Literal[1] = 1
    # ------------------------------------------------------------------ clusters (paper section 3.6)
    # (str) How tasks come into clusters: 'gradient' (model.num_clusters groups, by their gradients after the warm-up),
    # 'auto' (the same, 2 to model.num_clusters groups, by silhouette), 'random' (groups of about equal size, drawn),
    # 'task' (one cluster per task), 'order' (shared out evenly in their order), or a YAML file {task: cluster}. With
    # model.num_clusters = 1 there is one cluster, whatever stands here.
    clustering: Annotated[str, FIXED] = 'gradient'
    # (int) Updates on random play alone, with one module set, before tasks are grouped; 0 for none.
    warmup_steps: Annotated[Whole, FIXED] = 5000
    # (bool) Whether actor and critics learn in the warm-up too. What a model imagines that knows nothing yet has wrong
    # rewards, of the size of other tasks', which a critic takes long to forget.
    warmup_agent: Annotated[bool, FIXED] = True
    # ------------------------------------------------------------------ world model
    # (float) Learning rate of Adam, (float or None) that of the VAEs if it is another one, and largest gradient norm.
    learning_rate: Positive = 1e-4
    vae_learning_rate: Optional[Positive] = None
    grad_clip: Positive = 1000.0
    # (dict) Weights of the terms of the losses.
    loss_weights: MoWLossWeights = MoWLossWeights()
    # (float) Free bits of the KL terms, dynamics and representation, in nats.
    free_bits: Weight = 1.0
    # (str) How task losses are added up: 'harmonious' (sum of L_k / sigma_k + ln(1 + sigma_k)) or 'sum'; and (float)
    # the learning rate of the weights sigma_k.
    task_weighting: Annotated[Literal['harmonious', 'sum'], FIXED] = 'harmonious'
    task_weight_learning_rate: Weight = 1e-3
    # (float) Weight of the expert-balance loss, which is one for all tasks and added to their weighted sum.
    balance_weight: Weight = 0.1
    # ------------------------------------------------------------------ imagination
    # (str) Where imagined rollouts start: 'replay' (fresh sequences, STORM) or 'batch' (latents of the training batch).
    imagine_source: Literal['replay', 'batch'] = 'replay'
    # (int) Rollouts started at each update, shared out over the tasks.
    imagine_batch_size: Count = 1040
    # (int) Real steps before imagination begins, two or more, and imagined steps.
    context_length: Annotated[int, Field(ge=2), FIXED] = 8
    horizon: Count = 16
    # (bool) Make one graph of a step of imagination, by torch.compile: a third of the launches on a GPU. Not for CPUs,
    # where it saves a tenth of imagination and is compiled anew whenever tasks change their experts.
    compile: bool = False
    # ------------------------------------------------------------------ agent
    # (float) Discount and lambda of the lambda-return.
    discount_factor: Share = 0.985
    lambda_: Share = 0.95
    # (str) Value mixed into the lambda-return: 'next' (the formula) or 'current' (STORM's code).
    lambda_bootstrap: Literal['next', 'current'] = 'next'
    # (float) Learning rate and epsilon of the agent's Adam, and largest gradient norm.
    agent_learning_rate: Positive = 3e-5
    agent_eps: Positive = 1e-5
    agent_grad_clip: Positive = 100.0
    agent_loss_weights: MoWAgentLossWeights = MoWAgentLossWeights()
    # (float) Decay of the slow critic, and of the percentiles that scale returns.
    critic_ema: Share = 0.98
    return_ema: Share = 0.99
    # (float) Smallest scale that advantages are divided by. Where a task's returns are far below it, that task hardly
    # counts in the actor that all tasks share; where rewards are very rare, a small one lets the actor follow noise.
    return_scale_floor: Positive = 1.0
    # (bool) Subtract a task's mean advantage. While its critic is still behind the returns, all advantages are
    # positive, and whatever was sampled is reinforced: the actor drifts to some arbitrary policy.
    centre_advantages: bool = False
    # (int) Longest window of past steps that an action is chosen from.
    acting_window: Annotated[Count, FIXED] = 16
    # (bool) Take the likeliest action in evaluation instead of a sample.
    eval_greedy: bool = False


MOW_MODEL_CONFIG, MOW_CONFIG = MoWModelKeys.defaults(), MoWKeys.defaults()


def check_mow(config: dict) -> None:
    """Check that the keys of MoW fit each other; ValueError in one line for the first that do not."""
    policy = config['policy']
    check_frames(config)
    longest, length, context = policy['model']['max_length'], policy['batch_length'], policy['context_length']
    if context >= length:
        raise ValueError(f'policy.context_length is {context}: it must be less than policy.batch_length = {length}')
    for named, steps in (
        ('policy.batch_length', length), ('policy.acting_window', policy['acting_window']),
        ('policy.context_length + policy.horizon', context + policy['horizon'])
    ):
        if steps > longest:
            raise ValueError(f'{named} is {steps} but the transformers end at policy.model.max_length = {longest}')
        if steps > length:
            raise ValueError(f'{named} is {steps} but policy.batch_length {length}: later positions are never trained')
    check_replay(config, length, 'policy.batch_length', ('batch_size', 'imagine_batch_size'))
    if policy['imagine_source'] == 'batch' and policy['imagine_batch_size'] < policy['batch_size']:
        raise ValueError(
            f"policy.imagine_source is 'batch' and policy.imagine_batch_size {policy['imagine_batch_size']} less than "
            f"policy.batch_size {policy['batch_size']}: some sequences, and so some tasks, would have no rollout"
        )
    _check_networks(policy['model'])
    check_clustering(policy, config['env']['tasks'])


def _check_networks(model: dict) -> None:
    check_heads(model, 'width')
    n_experts, used = model['num_experts'], model['experts_per_task']
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
