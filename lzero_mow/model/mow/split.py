"""From one cluster to N_m: each continues with a copy of the modules that all tasks trained (paper section 3.6)."""
import copy
from typing import Dict, List, Sequence

import torch
from torch import Tensor, nn

from lzero_mow.model.common.grouped import GroupedLayerNorm, GroupedLinear
from .mow_model import MoWModel


def split(model: MoWModel, cluster_of_task: Sequence[int], optimizers: Sequence[torch.optim.Adam] = ()) -> None:
    """
    Give a model with one cluster N_m clusters, in place: i_k of each task, 0 to N_m - 1. Each cluster gets a copy of
    the VAE (with its batch-norm statistics), predictors, critic and slow critic, so that no output changes, and of the
    optimizers' moments, so that training continues without a jump. ValueError if it already has several clusters.
    """
    world, agent = model.world_model, model.agent
    if world.num_clusters != 1:
        raise ValueError(f'the model already has {world.num_clusters} clusters: only a single one can be split')
    num_clusters = max(cluster_of_task) + 1
    replacements: Dict[Tensor, List[nn.Parameter]] = {}
    for bank in (world.vae.encoders, world.vae.decoders):
        bank.extend(copy.deepcopy(bank[0]) for _ in range(num_clusters - 1))
        replacements.update({copies[0]: list(copies) for copies in zip(*(module.parameters() for module in bank))})
    stacks = (
        world.vae.posterior_head, world.prior_head, world.reward_head, world.continuation_head, agent.critic,
        agent.slow_critic
    )
    for module in (module for stack in stacks for module in stack.modules()):
        if isinstance(module, (GroupedLinear, GroupedLayerNorm)):
            replacements.update(_stack_parameters(module, num_clusters))
    world.set_clusters(cluster_of_task)
    position = {parameter: i for i, parameter in enumerate(model.parameters())}
    for optimizer in optimizers:
        _replace_parameters(optimizer, replacements, position)


def _stack_parameters(module: nn.Module, num_clusters: int) -> Dict[Tensor, List[nn.Parameter]]:
    """Stack every (1, ...) parameter to (num_clusters, ...); returns the replacement of each."""
    replacements = {}
    for name, old in list(module.named_parameters(recurse=False)):
        stacked = nn.Parameter(_stacked(old.detach(), num_clusters), requires_grad=old.requires_grad)
        setattr(module, name, stacked)
        replacements[old] = [stacked]
    return replacements


def _stacked(x: Tensor, num_clusters: int) -> Tensor:
    return x.repeat(num_clusters, *[1] * (x.dim() - 1))


def _replace_parameters(
        optimizer: torch.optim.Adam, replacements: Dict[Tensor, List[nn.Parameter]], position: Dict[Tensor, int]
) -> None:
    """Put the replacements and their moments into the optimizer, in the order of a model that was built with them."""
    for group in optimizer.param_groups:
        owned = [(new, old) for old in group['params'] for new in replacements.get(old, [old])]
        owned.sort(key=lambda pair: position[pair[0]])
        moments = {old: optimizer.state.pop(old) for old in group['params'] if old in optimizer.state}
        for new, old in owned:
            if old in moments:
                optimizer.state[new] = {
                    key: _stacked(value, len(new)) if value.shape != new.shape and value.dim() else value.clone()
                    for key, value in moments[old].items()
                }
        group['params'] = [new for new, _ in owned]
