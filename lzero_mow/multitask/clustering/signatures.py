"""Signatures of the tasks: the gradient of each task's loss, reduced to a short vector (paper section 3.6)."""
from typing import Callable, Dict, Iterable, Iterator, List, Sequence, Tuple

import torch
from torch import Tensor, nn

from lzero_mow.buffer.batch import SequenceBatch
from lzero_mow.model.common.grouped import GroupedLayerNorm, GroupedLinear
from lzero_mow.model.mow.world_model import WorldModel
from lzero_mow.model.mow.world_model_loss import world_model_terms
from lzero_mow.utils.ranks import summed

# The parts of a world model of which each cluster has its own.
CLUSTERED = ('vae', 'prior_head', 'reward_head', 'continuation_head')
LossFn = Callable[[Dict[str, Tensor]], Tensor]


def task_gradients(
        model: WorldModel, batch: SequenceBatch, parameters: Sequence[nn.Parameter], loss_fn: LossFn, free_bits: float
) -> Iterator[Tuple[int, List[Tensor]]]:
    """
    For each task k of the batch, ascending, the gradients of its loss L_k in the parameters' shapes: zeros if L_k does
    not depend on one, and their ``grad`` stays as it is. One task at a time: together they cost as much as one batch,
    and only one task's gradients are in memory. The model should be in eval mode, so that the other tasks' rows have no
    influence (batch norm) and there is no dropout. ``loss_fn`` turns the terms of `world_model_terms`, (K,) each, into
    the losses L, (K,).
    """
    for k in sorted(set(batch.task)):
        own = batch.of_task(k)
        terms, _ = world_model_terms(model, own, model.route(own.task), free_bits)
        yield k, list(torch.autograd.grad(loss_fn(terms)[k], parameters, allow_unused=True, materialize_grads=True))


def clustered_parameters(model: WorldModel) -> List[Tuple[nn.Parameter, int]]:
    """The parameters of the VAEs and predictors, each with the axis of its output channels."""
    pairs = []
    for part in CLUSTERED:
        for module in getattr(model, part).modules():
            stacked = isinstance(module, (GroupedLinear, GroupedLayerNorm, nn.ConvTranspose2d))
            pairs += [(p, 1 if stacked and p.dim() > 1 else 0) for p in module.parameters(recurse=False)]
    return pairs


def signatures(model: WorldModel, batches: Iterable[SequenceBatch], loss_fn: LossFn, free_bits: float) -> Tensor:
    """
    g (K, S), from at least two batches with rows of every task, each task on one rank. g_k is the gradient of L_k with
    respect to VAE and predictors, averaged over batches and within each output channel, weighted layer by layer (see
    `signal_weighted`), minus its mean over tasks, which does not tell them apart.

    The reasons, measured after short warm-ups as the adjusted Rand index against planted groups. Raw gradients: some
    layers are thousands of times as long as others, and the decoder's, hence colours, dominate: 1.0 for exact copies,
    but -0.1 to 0.1 for the five MinAtar games in three palettes each, and chance level for tasks that only differ in
    their reward. Layers normalised to length 1: 0.1 to 0.4 on MinAtar, and exact copies are sometimes missed, because
    layers of pure noise count as much as others. Multiplied by the share of signal: copies are always found. Minus the
    mean: on MinAtar 0.35 to 0.55 with 8 batches, 0.7 with 32.
    """
    pairs = clustered_parameters(model)
    parameters = [parameter for parameter, _ in pairs]
    rows, tasks = [], []  # for each batch and task, the layers' channel means; the tasks
    for batch in batches:
        tasks = sorted(set(batch.task))
        for _, gradients in task_gradients(model, batch, parameters, loss_fn, free_bits):
            rows.append([_channel_means(g, axis) for g, (_, axis) in zip(gradients, pairs)])
    layers = [torch.stack(layer).unflatten(0, (-1, len(tasks))) for layer in zip(*rows)]  # (batches, tasks, channels)
    own = torch.cat([signal_weighted(layer) for layer in layers], 1)
    g = own.new_zeros(model.num_tasks, own.shape[1])
    g[tasks] = own
    g = summed({'g': g})['g']
    return g - g.mean(0)


def signal_weighted(layer: Tensor) -> Tensor:
    """
    One layer's part of the signatures, (batches, K, channels) -> (K, channels): its direction times the share of signal
    in its squared length, so of length 0 (all noise) to 1.
    """
    mean = layer.mean(0)
    square = mean.square().sum(1, keepdim=True)  # (K, 1)
    noise = layer.var(0).sum(1, keepdim=True) / len(layer)
    tiny = torch.finfo(layer.dtype).tiny
    return mean / square.sqrt().clamp(min=tiny) * (1 - noise / square.clamp(min=tiny)).clamp(min=0)


def _channel_means(gradient: Tensor, axis: int) -> Tensor:
    """Mean over all axes but the one of the C channels: (..., C, ...) -> (C,)."""
    return gradient.movedim(axis, 0).reshape(gradient.shape[axis], -1).mean(1)
