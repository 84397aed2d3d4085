"""Weights of LightZero's multi-task UniZero, as its main branch names them (commit 9f717c80), for `ScaleZeroModel`.

Give both models the same sizes, and ours `router_norm='topk'`: LightZero weighs experts so (docs/upstream.md, 1).
"""
import re
from typing import Dict, Mapping

import torch
from torch import Tensor

from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel

# Our names, step by step, to LightZero's; {g} is a task or an expert, for which LightZero has a module each.
RENAMES = (
    # encoder
    (r'^latent_norm\.', 'encoder.final_norm.'),
    (r'^encoder\.out\.', 'encoder.last_linear.'),
    (r'^encoder\.patch_norm\.', 'encoder.to_patch_embedding.1.'),
    (r'^encoder\.patch\.', 'encoder.to_patch_embedding.2.'),
    (r'^encoder\.token_norm\.', 'encoder.to_patch_embedding.3.'),
    (r'^encoder\.class_token$', 'encoder.cls_token'),
    (r'^encoder\.position$', 'encoder.pos_embedding'),
    (r'^encoder\.norm\.', 'encoder.transformer.norm.'),
    (r'^(encoder)\.blocks\.(\d+)\.attention_norm\.', r'\1.transformer.layers.\2.0.norm.'),
    (r'^(encoder)\.blocks\.(\d+)\.query_key_value\.', r'\1.transformer.layers.\2.0.to_qkv.'),
    (r'^(encoder)\.blocks\.(\d+)\.attention_out\.', r'\1.transformer.layers.\2.0.to_out.0.'),
    (r'^(encoder)\.blocks\.(\d+)\.mlp_norm\.', r'\1.transformer.layers.\2.1.net.0.'),
    (r'^(encoder)\.blocks\.(\d+)\.expand\.', r'\1.transformer.layers.\2.1.net.1.'),
    (r'^(encoder)\.blocks\.(\d+)\.contract\.', r'\1.transformer.layers.\2.1.net.4.'),
    (r'^encoder\.layers\.0\.', 'encoder.downsample_net.conv1.'),
    (r'^encoder\.layers\.1\.', 'encoder.downsample_net.norm1.'),
    (r'^encoder\.layers\.3\.', 'encoder.downsample_net.resblocks1.0.'),
    (r'^encoder\.layers\.4\.', 'encoder.downsample_net.downsample_block.'),
    (r'^encoder\.layers\.5\.', 'encoder.downsample_net.resblocks2.0.'),
    (r'^encoder\.layers\.7\.', 'encoder.downsample_net.resblocks3.0.'),
    (r'^encoder\.layers\.(\d+)\.', lambda match: f'encoder.resblocks.{int(match[1]) - 8}.'),
    (r'^(encoder\..*blocks?[\d.]*)\.conv(\d)\.', r'\1.conv\2.0.'),
    (r'^(encoder\..*blocks?[\d.]*)\.norm(\d)\.', r'\1.conv\2.1.'),
    (r'^(encoder\..*block)\.shortcut\.', r'\1.conv3.0.'),
    (r'^encoder\.', 'tokenizer.encoder.0.'),
    # backbone
    (r'^action_embedding\.', 'act_embedding_table.'),
    (r'^backbone\.position\.', 'pos_emb.'),
    (r'^backbone\.norm\.', 'transformer.ln_f.'),
    (r'^backbone\.', 'transformer.'),
    (r'^(transformer\..*)\.attention_norm\.', r'\1.ln1.'),
    (r'^(transformer\..*)\.feed_forward_norm\.', r'\1.ln2.'),
    (r'^(transformer\..*)\.attention\.out\.', r'\1.attn.proj.'),
    (r'^(transformer\..*)\.attention\.', r'\1.attn.'),
    (r'\.feed_forward\.expand\.', '.feed_forward.0.'),
    (r'\.feed_forward\.contract\.', '.feed_forward.2.'),
    (r'\.feed_forward\.router\.', '.feed_forward.gate.'),
    (r'\.feed_forward\.shared\.', '.feed_forward.shared_expert.'),
    (r'\.experts\.gate\.', '.experts.{g}.w1.'),
    (r'\.experts\.expand\.', '.experts.{g}.w3.'),
    (r'\.experts\.contract\.', '.experts.{g}.w2.'),
    # heads
    (r'^(policy|value)_head\.', r'head_\1_multi_task.{g}.head_module.'),
    (r'^reward_head\.', 'head_rewards_multi_task.{g}.head_module.'),
    (r'^next_latent_head\.', 'head_observations_multi_task.{g}.head_module.'),
    (r'\.head_module\.norm\.', '.head_module.0.'),
    (r'\.head_module\.hidden\.', '.head_module.1.'),
    (r'\.head_module\.hidden_norm\.', '.head_module.2.'),
    (r'\.head_module\.out\.', '.head_module.4.'),
    (r'\.head_module\.out_norm\.', '.head_module.5.'),
    # adapters
    (r'\.scales\.0$', '.base_weight_scale.logit'),
    (r'\.scales\.(\d+)$', lambda match: f'.adapter_scales.{int(match[1]) - 1}.logit'),
    (r'\.(adapters\.\d+)\.down\.weight$', r'.\1.lora_A'),
    (r'\.(adapters\.\d+)\.up\.weight$', r'.\1.lora_B'),
)


def upstream_name(name: str) -> str:
    """LightZero's name of a tensor of ours, where {g} is a task or an expert."""
    for pattern, replacement in RENAMES:
        name = re.sub(pattern, replacement, name)
    return name


def from_upstream(state: Mapping[str, Tensor], model: ScaleZeroModel) -> Dict[str, Tensor]:
    """
    Overview:
        A state that ``model.load_state_dict`` takes. What LightZero holds twice, or never trains, is left out; what it
        does not store (the stage of adapters, tasks' actions) stays the model's own.
    Arguments:
        - state (:obj:`Mapping`): State of LightZero's `UniZeroMTModel` or of its `world_model`, compiled or not.
        - model (:obj:`ScaleZeroModel`): Of the same sizes.
    Raises:
        - KeyError: On a tensor that LightZero's state lacks.
        - ValueError: On a tensor of another size.
    """
    state = {name.rpartition('world_model.')[2]: tensor for name, tensor in state.items()}
    return {
        name: ours if name.endswith(('.stage', 'action_mask')) else _convert(upstream_name(name), state, ours)
        for name, ours in model.state_dict().items()
    }


def _convert(name: str, state: Mapping[str, Tensor], ours: Tensor) -> Tensor:
    if '{g}' in name:
        theirs = torch.stack([state[name.format(g=group)] for group in range(len(ours))])
    else:
        theirs = state[name]
    # Layers of one group have a leading axis of size 1, which LightZero's do not.
    if theirs.shape != ours.shape and (1, *theirs.shape) != ours.shape:
        raise ValueError(f'{name} is {tuple(theirs.shape)}, but {tuple(ours.shape)} here')
    return theirs.reshape(ours.shape)
