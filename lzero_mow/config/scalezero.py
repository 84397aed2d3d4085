"""Every key of the `scalezero` policy with its default: LightZero's configuration for Atari. Light: imports no torch.

`ScaleZeroPolicy.config` is `SCALEZERO_CONFIG`. Presets (`config/*.yaml`) and the command line change leaves of it.
"""
from typing import Annotated, Dict, Literal, Optional

from pydantic import Field

from .common import ModelKeys, PolicyKeys, check_frames, check_heads, check_replay
from .fields import FIXED, Count, Dropout, Keys, Positive, Share, Weight, Whole, numbers

Support = numbers(
    3, '[low, high, step], with low < high and their difference a multiple of step', lambda low, high, step:
    step > 0 and low < high and abs((high - low) / step - round((high - low) / step)) < 1e-6
)
Bounds = numbers(2, '[low, high] with 0 < low <= high', lambda low, high: 0 < low <= high)
Shares = numbers(2, 'two shares from 0 to 1', lambda *shares: all(0 <= share <= 1 for share in shares))


class ScaleZeroModelKeys(ModelKeys):
    """The networks."""
    # ------------------------------------------------------------------ encoder
    # (str) 'vit' (ScaleZero) or 'resnet' (UniZero).
    encoder: Literal['vit', 'resnet'] = 'vit'
    # (int) Side of a patch of the ViT, in pixels: 64 patches at 64 x 64.
    patch_size: Count = 8
    # (int) Width of the ViT's tokens, its layers, heads, the width of a head, and the hidden width of its MLPs.
    # LightZero also names a larger size (12 layers, 12 heads, 3072), which its configs never reach.
    vit_width: Count = 768
    vit_layers: Count = 6
    vit_heads: Count = 6
    vit_head_width: Count = 64
    vit_mlp_width: Count = 2048
    # (float) Dropout inside the ViT.
    vit_dropout: Dropout = 0.1
    # (bool) Compute the ViT's activations again for the gradients instead of keeping them: less memory, more work.
    vit_checkpoint: bool = False
    # (int) Channels of the ResNet's last feature map, and its residual blocks at 8 x 8.
    resnet_channels: Count = 256
    resnet_blocks: Count = 2
    # (int) Width D of a latent and of the backbone's tokens.
    embed_dim: Count = 768
    # (str) Normalisation of latents, encoded or predicted: 'layer' (ScaleZero) or 'sim' (UniZero's SimNorm).
    latent_norm: Literal['layer', 'sim'] = 'layer'
    # ------------------------------------------------------------------ backbone
    # (int) Layers and heads of the transformer.
    num_layers: Count = 4
    num_heads: Count = 24
    # (int) Longest sequence in steps, of two tokens each: in training, and in a search context and path together.
    # Filled in from `policy.num_unroll_steps`: positions that training does not reach mean nothing in a search.
    max_steps: Count = 10
    # (float) Dropout inside the backbone.
    dropout: Dropout = 0.1
    # (int) Hidden width of the dense feed-forward layer, and of each expert.
    feed_forward_width: Count = 3072
    # (int) Routed experts in each feed-forward layer, 0 for the dense layer (multi-task UniZero); those that a token
    # uses, the top k of its router; and the width, in experts, of the shared one that every token uses, 0 for none.
    num_experts: Whole = 8
    experts_per_token: Whole = 1
    num_shared_experts: Whole = 1
    # (str) Weights of the chosen experts: 'all', their share of the softmax over all experts, or 'topk', the softmax
    # over the chosen ones (LightZero); with one expert a token that is always 1 and its router never learns.
    router_norm: Literal['all', 'topk'] = 'all'
    # ------------------------------------------------------------------ heads
    # (tuple) Atoms of the value and reward distributions in compressed space: lowest, highest, step.
    value_support: Support = (-50, 50, 1)
    reward_support: Support = (-50, 50, 1)
    # ------------------------------------------------------------------ dynamic parameter scaling
    # (int) Stages S + 1: the base weights, then one adapter each; 1 for none.
    stages: Count = 1
    # (int) Rank of an adapter, which (float) counts alpha / rank, and dropout on what it reads.
    adapter_rank: Whole = 64
    adapter_alpha: Positive = 32.0
    adapter_dropout: Dropout = 0.1
    # (bool) Whether the ViT's layers have adapters too, as those of the attention and of the experts.
    adapt_encoder: bool = False


class ScaleZeroLossWeights(Keys):
    """Weight of each term of a task's loss, see `scalezero_terms`. The entropy's is learned."""
    latent: Weight = 10.0
    reward: Weight = 1.0
    value: Weight = 0.5
    policy: Weight = 1.0


class ScaleZeroKeys(PolicyKeys):
    """The policy."""
    # (str) Registered name of the policy, and (dict) its networks.
    type: Literal['scalezero'] = 'scalezero'
    model: ScaleZeroModelKeys = ScaleZeroModelKeys()
    # ------------------------------------------------------------------ data
    # (int) Sequences in a training batch, shared out over the tasks.
    batch_size: Count = 512
    # (int or None) Sequences that go through the networks at once, for less memory; None for the whole batch. Gradients
    # add up to those of the batch.
    micro_batch_size: Optional[Count] = None
    # (int) Steps that are learned from in a sequence, and further ones for the value targets.
    num_unroll_steps: Annotated[Count, FIXED] = 10
    td_steps: Annotated[Count, FIXED] = 5
    # (bool) Learn from the sign of rewards, as LightZero does in Atari: the supports are made for that. Evaluations
    # tell raw returns.
    clip_rewards: bool = True
    # (int) Steps that LightZero's collector gathers in a segment, no fewer than the two together.
    game_segment_length: Annotated[Count, FIXED] = 20
    # ------------------------------------------------------------------ search
    # (int) Simulations from each root while collecting, and in evaluation.
    num_simulations: Count = 50
    eval_simulations: Count = 50
    # (int) Actions that a search chooses from in each node, drawn from the policy, where they are numbers.
    num_sampled_actions: Annotated[int, Field(ge=2), FIXED] = 20
    # (int) Real steps that a search starts from: the present one, and one before or more.
    context_length: Annotated[int, Field(ge=2), FIXED] = 4
    # (float) Concentration and share of the noise at the roots, while collecting.
    root_dirichlet_alpha: Positive = 0.3
    root_noise_weight: Share = 0.25
    # (float) Constants of PUCT.
    pb_c_base: Positive = 19652.0
    pb_c_init: Positive = 1.25
    # (float) Smallest range of values that is stretched to 0..1 in the search.
    value_delta_max: Positive = 0.01
    # (float) While collecting, an action is drawn by its visits to the power of 1 / temperature.
    temperature: Positive = 0.25
    # (float) Share of a batch's sequences whose steps are searched anew, with the slowly moving copy, before the policy
    # learns from them: for it, their searches from when they were played are old.
    reanalyze_ratio: Share = 0.0
    # (int) Once in so many collections, 0 for never, (int) so many sequences of `num_unroll_steps` steps, shared out
    # over the tasks, are searched anew, and the results replace the old ones in the replay. LightZero's
    # `buffer_reanalyze_freq` is 1 / reanalyze_freq.
    reanalyze_freq: Whole = 0
    reanalyze_batch_size: Count = 160
    # (float) Discount of rewards.
    discount_factor: Share = 0.997
    # ------------------------------------------------------------------ learning
    # (float) Learning rate and weight decay of AdamW, and largest gradient norm.
    learning_rate: Positive = 1e-4
    weight_decay: Weight = 1e-4
    grad_clip: Positive = 5.0
    # (dict) Weights of the terms of the loss.
    loss_weights: ScaleZeroLossWeights = ScaleZeroLossWeights()
    # (float) Share of reward and value targets that is spread over all atoms.
    label_smoothing: Share = 0.1
    # (float) What the slowly moving copy takes over of the model at each update.
    target_momentum: Share = 0.05
    # (tuple) Entropy that the policies are kept at, as a share of the way from the least to the greatest there is (see
    # `entropy_range` in lzero_mow/model/common/distributions.py; the least of discrete actions is 0): at the start, and
    # at the end, (int) so many updates later; linear between the two.
    entropy_target: Shares = (0.98, 0.1)
    entropy_target_updates: Count = 150000
    # (float) Learning rate of the entropy's weight, and (tuple) its bounds; where they are equal, it is fixed.
    entropy_learning_rate: Positive = 1e-3
    entropy_weight_bounds: Bounds = (5e-3, 10.0)
    # ------------------------------------------------------------------ dynamic parameter scaling (model.stages > 1)
    # (dict) Task -> mean return of an evaluation from which on it is solved: then it is neither collected nor trained,
    # only evaluated. A task without one is never solved.
    solved_returns: Optional[Dict[str, float]] = None
    # (int) Evaluations in a row after which a task counts as solved, or as no longer solved.
    solved_patience: Count = 2
    # (int) Updates that stage 0 lasts at least, and a later one at most; it ends before if its share of the tasks is
    # solved.
    stage_min_updates: Count = 50000
    stage_max_updates: Count = 20000
    # ------------------------------------------------------------------ comparison with LightZero
    # (bool) Learn as LightZero's ScaleZero does, its mistakes included: see docs/upstream.md.
    upstream_compat: Annotated[bool, FIXED] = False


SCALEZERO_MODEL_CONFIG, SCALEZERO_CONFIG = ScaleZeroModelKeys.defaults(), ScaleZeroKeys.defaults()

SIM_GROUP = 8  # as `lzero_mow.model.scalezero.norms` has it, which imports torch


def check_scalezero(config: dict) -> None:
    """Check that the keys of ScaleZero fit each other; ValueError in one line for the first that do not."""
    policy = config['policy']
    check_frames(config)
    if policy['model']['continuous_action_space'] and policy['upstream_compat']:
        raise ValueError(
            "policy.upstream_compat is True: it copies LightZero's policy of discrete actions, these are continuous"
        )
    context, unroll, td = policy['context_length'], policy['num_unroll_steps'], policy['td_steps']
    if context >= unroll:
        raise ValueError(
            f'policy.context_length is {context}: the search continues from there, set it below '
            f'policy.num_unroll_steps = {unroll}'
        )
    if unroll + td > policy['game_segment_length']:
        raise ValueError(
            f"policy.num_unroll_steps + policy.td_steps is {unroll + td}: LightZero's collector needs segments as "
            f"long, policy.game_segment_length is {policy['game_segment_length']}"
        )
    check_replay(config, unroll + td, 'policy.num_unroll_steps + policy.td_steps', ('batch_size', ))
    _check_networks(policy['model'])


def _check_networks(model: dict) -> None:
    check_heads(model, 'embed_dim')
    size, patch = model['observation_shape'][1], model['patch_size']
    if model['encoder'] == 'vit' and size % patch:
        raise ValueError(f'policy.model.patch_size is {patch}: frames of {size} pixels are no multiple of it')
    if model['latent_norm'] == 'sim' and model['embed_dim'] % SIM_GROUP:
        raise ValueError(f"policy.model.embed_dim is {model['embed_dim']}: SimNorm needs a multiple of {SIM_GROUP}")
    experts, used = model['num_experts'], model['experts_per_token']
    if experts and not 1 <= used <= experts:
        raise ValueError(f'policy.model.experts_per_token is {used}: choose 1 to policy.model.num_experts = {experts}')
    if model['stages'] > 1 and model['adapter_rank'] < 1:
        raise ValueError(
            f"policy.model.stages is {model['stages']} but policy.model.adapter_rank is {model['adapter_rank']}: a "
            'stage beyond the first trains an adapter, whose rank is at least 1'
        )
