"""Diagnostics of ScaleZero: units, latents and use of experts in one pass, gradients of the tasks over several."""
from typing import Any, Callable, Dict, Iterable, Mapping, Sequence

import torch
from easydict import EasyDict
from torch import Tensor

from lzero_mow.buffer.batch import RecordedPlay
from lzero_mow.buffer.search_batch import SearchBatch
from lzero_mow.model.scalezero.moe import expert_layers
from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel
from .conflict import TaskGradients, with_conflict
from .dormant import DormantUnits
from .expert_use import evenness
from .latent_norm import norm_scalars
from .scalezero_learning import learning_scalars


def diagnose(
        model: ScaleZeroModel, batches: Iterable[SearchBatch], plays: Mapping[int, RecordedPlay],
        losses_fn: Callable[[SearchBatch], Tensor], cfg: EasyDict
) -> Dict[str, Any]:
    """
    Measure a model in eval mode, between two updates, without changing it. Units, latents and experts are measured on
    the first of the batches of real sequences, gradients of the losses (K,) are summed over all of them; for ``plays``
    see `learning_scalars`, for the result `with_conflict`.
    """
    scalars, same_copy = {}, [0] * model.num_tasks
    trainable = {
        name: [p for p in getattr(model, name).parameters() if p.requires_grad] for name in ('encoder', 'backbone')
    }
    parts = {name: TaskGradients(same_copy) for name, parameters in trainable.items() if parameters}
    for batch in batches:
        if not scalars:
            scalars.update(_one_pass(model, batch, cfg.tasks))
        for k in sorted(set(batch.task)):
            loss = losses_fn(batch.of_task(k))[k]
            for name, gradients in parts.items():
                gradients.add(k, torch.autograd.grad(loss, trainable[name], retain_graph=True, materialize_grads=True))
    scalars.update(learning_scalars(model, plays, cfg))
    return with_conflict(scalars, parts)


@torch.no_grad()
def _one_pass(model: ScaleZeroModel, batch: SearchBatch, names: Sequence[str]) -> Dict[str, float]:
    """Dormant units, latent norms and the use of experts on real sequences."""
    heads = {name: getattr(model, name) for name in ('policy_head', 'value_head', 'reward_head', 'next_latent_head')}
    L = batch.visits.shape[1]
    with DormantUnits({'encoder': model.encoder, 'backbone': model.backbone, **heads}) as units:
        latent = model.encode(batch.obs[:, :L].flatten(0, 1)).unflatten(0, (-1, L))  # (B, L, D)
        model(latent, batch.action[:, :L], model.route(batch.task))
    scalars = {f'dormant/{name}': ratio for name, ratio in units.ratios().items()}
    scalars.update(norm_scalars('latent', latent, batch.task, names))
    if expert_layers(model):
        shares = expert_shares(model, batch)  # (layers, K', E)
        scalars['expert_use/entropy'] = float(evenness(shares.mean(1)).mean())
        scalars['expert_use/task_entropy'] = float(evenness(shares).mean())
    return scalars


@torch.no_grad()
def expert_shares(model: ScaleZeroModel, batch: SearchBatch) -> Tensor:
    """Share of each task's tokens that goes to each expert: (layers, K', E), the batch's K' tasks ascending."""
    L, rows = batch.visits.shape[1], []
    for k in sorted(set(batch.task)):
        own = batch.of_task(k)
        latent = model.encode(own.obs[:, :L].flatten(0, 1)).unflatten(0, (-1, L))
        model(latent, own.action[:, :L], model.route(own.task))
        rows.append(torch.stack([layer.share for layer in expert_layers(model)]))  # (layers, E)
    return torch.stack(rows, 1)
