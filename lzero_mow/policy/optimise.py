"""Optimizer steps, shared by all policies."""
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import torch
from torch import Tensor, nn

from lzero_mow.model.common.grouped import GroupedLinear
from lzero_mow.utils.ranks import sum_gradients


def clipped_step(
        optimizer: torch.optim.Optimizer, losses: Iterable[Tensor], max_norm: float,
        after_backward: Optional[Callable] = None
) -> Tuple[Tensor, Tensor]:
    """
    One optimizer step with the clipped gradients of the sum of `losses` over all ranks, each of which is made when the
    one before has been followed back; returns the sum of this rank's, and the gradients' norm before clipping.
    """
    optimizer.zero_grad(set_to_none=True)
    told = []
    for loss in losses:
        loss.backward()
        told.append(loss.detach())
    parameters = [p for group in optimizer.param_groups for p in group['params']]
    sum_gradients(parameters)
    if after_backward is not None:
        after_backward()
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    optimizer.step()
    for parameter in parameters:  # torch's fused optimizers do not: for `KeptCast`
        torch.autograd.graph.increment_version(parameter)
    return torch.stack(told).sum() if told else norm.new_zeros(()), norm


def decay_groups(model: nn.Module, weight_decay: float) -> List[Dict[str, Any]]:
    """
    Parameter groups for AdamW: weights of layers and embeddings decay; biases, norms, the ViT's positions and class
    token, and scalars do not. Parameters that do not learn yet are included: without a gradient they neither move nor
    decay.
    """
    kinds = (nn.Linear, nn.Conv2d, nn.Embedding, GroupedLinear)
    decays = {id(module.weight) for module in model.modules() if isinstance(module, kinds)}
    matrices, others = ([p for p in model.parameters() if (id(p) in decays) == matrix] for matrix in (True, False))
    return [dict(params=matrices, weight_decay=weight_decay), dict(params=others, weight_decay=0.0)]


def load_optimizer(optimizer: torch.optim.Optimizer, state: Dict[str, Any]) -> None:
    """Load an optimizer's state, but keep the configured rates, which a resume may change."""
    configured = [{key: group[key] for key in ('lr', 'eps', 'weight_decay')} for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, values in zip(optimizer.param_groups, configured):
        group.update(values)
