"""Every key of ScaleZero's networks with its default: LightZero's configuration for Atari. Light: imports nothing."""

SCALEZERO_MODEL_CONFIG = dict(
    # (tuple) Shape of one frame: channels, height, width; filled in from `env.obs_shape`. Frames are squares of 16, 32,
    # 64 or 128 pixels.
    observation_shape=(3, 64, 64),
    # (int) Number of discrete actions, shared by all tasks.
    action_space_size=18,
    # (int) Number of tasks K. Filled in from `env.tasks` when training starts.
    num_tasks=1,
    # ------------------------------------------------------------------ encoder
    # (str) 'vit' (ScaleZero) or 'resnet' (UniZero).
    encoder='vit',
    # (int) Side of a patch of the ViT, in pixels: 64 patches at 64 x 64.
    patch_size=8,
    # (int) Width of the ViT's tokens, its layers, heads, the width of a head, and the hidden width of its MLPs.
    # LightZero also names a larger size (12 layers, 12 heads, 3072), which its configs never reach.
    vit_width=768,
    vit_layers=6,
    vit_heads=6,
    vit_head_width=64,
    vit_mlp_width=2048,
    # (float) Dropout inside the ViT.
    vit_dropout=0.1,
    # (int) Channels of the ResNet's last feature map, and its residual blocks at 8 x 8.
    resnet_channels=256,
    resnet_blocks=2,
    # (int) Width D of a latent and of the backbone's tokens.
    embed_dim=768,
    # (str) Normalisation of latents, encoded or predicted: 'layer' (ScaleZero) or 'sim' (UniZero's SimNorm).
    latent_norm='layer',
    # ------------------------------------------------------------------ backbone
    # (int) Layers and heads of the transformer.
    num_layers=4,
    num_heads=24,
    # (int) Longest sequence in steps, of two tokens each: in training, and in a search context and path together.
    max_steps=10,
    # (float) Dropout inside the backbone.
    dropout=0.1,
    # (int) Hidden width of the dense feed-forward layer, and of each expert.
    feed_forward_width=3072,
    # (int) Routed experts in each feed-forward layer; 0 for the dense layer (multi-task UniZero).
    num_experts=8,
    # (int) Experts that a token uses, the top k of its router.
    experts_per_token=1,
    # (int) Width of the shared expert, which every token uses, in experts; 0 for none.
    num_shared_experts=1,
    # (str) Weights of the chosen experts: 'all', their share of the softmax over all experts, or 'topk', the softmax
    # over the chosen ones (LightZero); with one expert a token that is always 1 and its router never learns.
    router_norm='all',
    # ------------------------------------------------------------------ heads
    # (tuple) Atoms of the value and reward distributions in compressed space: lowest, highest, step.
    value_support=(-50, 50, 1),
    reward_support=(-50, 50, 1),
    # ------------------------------------------------------------------ dynamic parameter scaling
    # (int) Stages S + 1: the base weights, then one adapter each; 1 for none.
    stages=1,
    # (int) Rank of an adapter; 0 for none.
    adapter_rank=0,
    # (float) Adapters count alpha / rank.
    adapter_alpha=32.0,
    # (float) Dropout on what adapters read.
    adapter_dropout=0.1,
    # (bool) Whether the ViT's layers have adapters too, as those of the attention and of the experts.
    adapt_encoder=False,
)
