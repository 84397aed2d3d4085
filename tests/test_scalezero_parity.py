"""LightZero's main branch and ours, with the same weights, compute the same.

Skips unless that branch is what `import lzero` finds; 0.2.0 on PyPI has no multi-task UniZero.
"""
import pytest
import torch
from easydict import EasyDict

from helpers.scalezero import TINY, random_frames
from helpers.upstream_weights import from_upstream
from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel
from lzero_mow.model.scalezero.staged_linear import StagedLinear
from lzero_mow.policy.scalezero_upstream import upstream_config

TOLERANCE = 1e-5
K, B, L, A, D = 2, 2, 4, 18, 32  # LightZero's multi-task model always has 18 actions
# Its feed-forward layers are always 4 D wide.
OURS = {
    **TINY, 'observation_shape': (3, 64, 64), 'patch_size': 16, 'num_tasks': K, 'embed_dim': D, 'action_space_size': A,
    'feed_forward_width': 4 * D, 'max_steps': L, 'value_support': (-50, 50, 1), 'reward_support': (-50, 50, 1)
}
THEIRS = dict(
    continuous_action_space=False, tokens_per_block=2, max_blocks=L, max_tokens=2 * L, context_length=2 * L,
    gru_gating=False, device='cpu', analysis_sim_norm=False, analysis_dormant_ratio_weight_rank=False,
    action_space_size=A, task_num=K, group_size=8, attention='causal', num_layers=TINY['num_layers'],
    num_heads=TINY['num_heads'], embed_dim=D, embed_pdrop=0.1, resid_pdrop=0.1, attn_pdrop=0.1, support_size=101,
    max_cache_size=100, env_num=B, num_simulations=2, latent_recon_loss_weight=0.0, perceptual_loss_weight=0.0,
    policy_entropy_weight=0.0, predict_latent_loss_type='mse', obs_type='image', gamma=1, dormant_threshold=0.025,
    rotary_emb=False, rope_theta=10000, max_seq_len=64, lora_r=0, lora_alpha=1, lora_dropout=0.0,
    lora_target_modules=['attn', 'feed_forward'], curriculum_stage_num=1, lora_scale_init=1.0, moe_use_lora=True,
    task_embed_option=None, use_task_embed=False, use_normal_head=True, use_softmoe_head=False, use_moe_head=False,
    num_experts_in_moe_head=4, moe_in_transformer=False, multiplication_moe_in_transformer=False, n_shared_experts=1,
    num_experts_per_tok=1, num_experts_of_moe_in_transformer=TINY['num_experts'], share_head=False, norm_type='LN',
    final_norm_option_in_obs_head='LayerNorm', final_norm_option_in_encoder='LayerNorm', encoder_type='resnet',
    use_priority=False
)
SIM = dict(final_norm_option_in_obs_head='SimNorm', final_norm_option_in_encoder='SimNorm')
MOE = dict(multiplication_moe_in_transformer=True)
CASES = {  # our changes, LightZero's changes, stage of the adapters
    'dense': (dict(num_experts=0), {}, 0),
    'moe': ({}, MOE, 0),
    'moe, two experts per token, twice the shared one': (
        dict(experts_per_token=2, num_shared_experts=2), dict(MOE, num_experts_per_tok=2, n_shared_experts=2), 0
    ),
    'moe, resnet, simnorm': (dict(encoder='resnet', latent_norm='sim'), dict(MOE, **SIM), 0),
    'moe, third stage': (
        dict(adapter_rank=4, adapter_alpha=8.0, stages=4), dict(MOE, lora_r=4, lora_alpha=8, curriculum_stage_num=4), 2
    ),
    'dense, last stage, encoder too': (
        dict(num_experts=0, adapter_rank=4, adapter_alpha=1.0, stages=3, adapt_encoder=True),
        dict(lora_r=4, lora_alpha=1, curriculum_stage_num=3), 2
    ),
}


@pytest.fixture(scope='module')
def upstream():
    """From LightZero main: the model, its ViT of our size for a config, and the function that sets the stage."""
    try:
        import lzero.model.unizero_world_models.moe  # noqa: F401
        from lzero.model.unizero_model_multitask import UniZeroMTModel
        from lzero.model.unizero_world_models.transformer import set_curriculum_stage
        from lzero.model.unizero_world_models.world_model_multitask import WorldModelMT
        from lzero.model.vit import ViT, ViTConfig
    except ImportError as error:
        pytest.skip(f"LightZero's main branch cannot be imported: {error}")
    # At commit 9f717c80 no multi-task model can be made: WorldModelMT reads two switches that only its parent's
    # `_initialize_config_parameters`, which it overrides, sets. These are the parent's defaults.
    for switch in {'exact_kv_window_reset', 'rebuild_kv_window_from_tokens'} - set(vars(WorldModelMT)):
        setattr(WorldModelMT, switch, False)

    def vit(cfg):
        sizes = dict(
            patch_size=OURS['patch_size'], num_classes=D, dim=OURS['vit_width'], depth=OURS['vit_layers'],
            heads=OURS['vit_heads'], dim_head=OURS['vit_head_width'], mlp_dim=OURS['vit_mlp_width']
        )
        return ViT(ViTConfig(**sizes, final_norm_option_in_encoder='LayerNorm', lora_config=cfg))

    return UniZeroMTModel, vit, set_curriculum_stage


def both_models(upstream, case):
    """The two models in eval mode with the same weights, all different from the initial ones."""
    (model_class, vit, set_curriculum_stage), (ours, theirs, stage) = upstream, CASES[case]
    torch.manual_seed(0)
    cfg = EasyDict({**THEIRS, **theirs})
    them = model_class(
        observation_shape=(3, 64, 64), action_space_size=A, num_res_blocks=TINY['resnet_blocks'],
        num_channels=TINY['resnet_channels'], norm_type='LN', world_model_cfg=cfg, task_num=K
    )
    if ours.get('encoder') != 'resnet':  # the model itself makes no ViT below 27 M parameters
        them.world_model.tokenizer.encoder[0] = vit(cfg)
    them.eval()
    with torch.no_grad():
        for parameter in them.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    config = upstream_config(EasyDict(model={**OURS, **ours}))  # as upstream_compat builds it
    us = ScaleZeroModel(**config.model).eval()
    us.load_state_dict(from_upstream(them.state_dict(), us))
    for layer in us.modules():
        if isinstance(layer, StagedLinear) and layer.adapters:
            layer.set_stage(stage)
    set_curriculum_stage(them.world_model if ours.get('adapt_encoder') else them.world_model.transformer, stage)
    return us, them.world_model


def difference(ours, theirs):
    assert ours.shape == theirs.shape
    return (ours - theirs).abs().max().item()


@pytest.mark.unittest
@torch.no_grad()
@pytest.mark.parametrize('case', CASES)
def test_sequences_give_the_same_predictions(upstream, case):
    us, them = both_models(upstream, case)
    obs = random_frames(K * B * L, size=64)
    action = torch.randint(0, A, (K * B, L), generator=torch.Generator().manual_seed(1))
    latent = us.encode(obs).view(K * B, L, D)
    predicted = us(latent, action, us.route([task for task in range(K) for _ in range(B)]))
    # one task at a time there
    their_latent = them.tokenizer.encode_to_obs_embeddings(obs.float() / 255).view(K * B, L, D)
    parts = [
        them({'obs_embeddings_and_act_tokens': (z, a.unsqueeze(-1))}, task_id=task)
        for task, (z, a) in enumerate(zip(their_latent.split(B), action.split(B)))
    ]
    differences = dict(latent=difference(latent, their_latent))
    names = dict(policy='policy', value='value', reward='rewards', next_latent='observations')
    for ours, theirs in names.items():
        expected = torch.cat([getattr(part, f'logits_{theirs}') for part in parts])
        assert expected.std() > 0.01  # weights that say something
        differences[ours] = difference(getattr(predicted, ours), expected)
    print({name: f'{value:.1e}' for name, value in differences.items()})  # for pytest -rP
    assert max(differences.values()) < TOLERANCE, differences


@pytest.mark.unittest
@torch.no_grad()
@pytest.mark.parametrize('case', ['dense', 'moe'])
def test_a_search_step_gives_the_same_predictions(upstream, case):
    us, them = both_models(upstream, case)
    task, routing = 1, us.route([1] * B)
    latent = us.encode(random_frames(B, size=64)).unsqueeze(1)  # (B, 1, D)
    caches = them.transformer.generate_empty_keys_values(n=B, max_tokens=2 * L)
    their_root = them({'obs_embeddings': latent}, past_keys_values=caches, task_id=task)
    root = us.open(latent, torch.zeros(B, 0, dtype=torch.long), torch.ones(B, dtype=torch.long), routing)
    differences = [
        difference(root.policy, their_root.logits_policy[:, 0]), difference(root.value, their_root.logits_value[:, 0])
    ]
    tokens, action = root.tokens, torch.tensor([3, 11])
    for _ in range(3):
        moved = them({'act_tokens': action.unsqueeze(1)}, past_keys_values=caches, task_id=task)
        their_next = them({'obs_embeddings': moved.logits_observations}, past_keys_values=caches, task_id=task)
        step = us.extend(root.cache, tokens, action, routing)
        differences += [
            difference(step.reward, moved.logits_rewards[:, 0]),
            difference(step.next_latent, moved.logits_observations[:, 0]),
            difference(step.policy, their_next.logits_policy[:, 0]),
            difference(step.value, their_next.logits_value[:, 0])
        ]
        tokens = step.tokens
    assert max(differences) < TOLERANCE, differences
