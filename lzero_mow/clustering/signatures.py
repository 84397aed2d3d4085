"""What a task asks of the shared modules: the gradient of its own loss, shortened to a vector (paper section 3.6)."""
from typing import Callable, Dict, Iterable, Iterator, List, Sequence, Tuple

import torch
from torch import Tensor, nn

from lzero_mow.buffer.batch import SequenceBatch
from lzero_mow.model.grouped import GroupedLayerNorm, GroupedLinear
from lzero_mow.model.world_model import WorldModel
from lzero_mow.model.world_model_loss import world_model_terms

# The parts of a world model that exist once a cluster.
CLUSTERED = ('vae', 'prior_head', 'reward_head', 'continuation_head')
LossOf = Callable[[Dict[str, Tensor]], Tensor]


def task_gradients(
        model: WorldModel, batch: SequenceBatch, parameters: Sequence[nn.Parameter], loss_of: LossOf, free_bits: float
) -> Iterator[Tuple[int, List[Tensor]]]:
    """
    Overview:
        The gradient of every task's own loss L_k, one task after the other: all of them together cost one batch, and
        only one task's gradients are held at a time. The model should be in eval mode, so that a task does not
        feel the others' rows (batch norm) and no dropout is drawn.
    Arguments:
        - model (:obj:`WorldModel`), batch (:obj:`SequenceBatch`): On one device.
        - parameters (:obj:`Sequence[nn.Parameter]`): What to differentiate for; their ``grad`` is left alone.
        - loss_of (:obj:`LossOf`): From the terms of `world_model_terms`, (K,) each, to the losses L, (K,).
        - free_bits (:obj:`float`): See `world_model_terms`.
    Returns:
        - gradients (:obj:`Iterator`): (k, gradients in the parameters' shapes) for each task of the batch, ascending;
          zeros where L_k does not depend on a parameter.
    """
    for k in sorted(set(batch.task)):
        own = batch.of_task(k)
        terms, _ = world_model_terms(model, own, model.plan(own.task), free_bits)
        yield k, list(torch.autograd.grad(loss_of(terms)[k], parameters, allow_unused=True, materialize_grads=True))


def clustered_parameters(model: WorldModel) -> List[Tuple[nn.Parameter, int]]:
    """
    Overview:
        The parameters of VAE and predictors, each with its axis of output channels.
    """
    pairs = []
    for part in CLUSTERED:
        for module in getattr(model, part).modules():
            stacked = isinstance(module, (GroupedLinear, GroupedLayerNorm, nn.ConvTranspose2d))
            pairs += [(p, 1 if stacked and p.dim() > 1 else 0) for p in module.parameters(recurse=False)]
    return pairs


def signatures(model: WorldModel, batches: Iterable[SequenceBatch], loss_of: LossOf, free_bits: float) -> Tensor:
    """
    Overview:
        g_k: the gradient of L_k for VAE and predictors, summed over batches and averaged inside each layer to one
        number an output channel.
    Returns:
        - g (:obj:`Tensor`): (K, S).
    """
    pairs = clustered_parameters(model)
    total = None
    for batch in batches:
        for k, gradients in task_gradients(model, batch, [p for p, _ in pairs], loss_of, free_bits):
            layers = [_channel_means(g, axis) for g, (_, axis) in zip(gradients, pairs)]
            if total is None:
                total = [g.new_zeros(model.num_tasks, len(g)) for g in layers]
            for layer, g in zip(total, layers):
                layer[k] += g
    return total


def _channel_means(gradient: Tensor, axis: int) -> Tensor:
    """(..., C, ...) with C channels along `axis` -> (C,)."""
    return gradient.movedim(axis, 0).reshape(gradient.shape[axis], -1).mean(1)
