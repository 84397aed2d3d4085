"""ScaleZero's losses on real sequences with what the search said of them (UniZero section 3)."""
from typing import Dict, NamedTuple, Optional, Union

import torch
import torch.nn.functional as F
from easydict import EasyDict
from torch import Tensor

from lzero_mow.buffer.search_batch import SearchBatch
from lzero_mow.model.common.distributions import CategoricalPolicy, TruncatedNormalPolicy
from lzero_mow.model.common.groups import Groups
from .n_step import is_whole, n_step_return
from .norms import SIM_GROUP
from .scalezero_model import ScaleZeroModel


class Targets(NamedTuple):
    """What the predictions of L steps are compared with, besides the batch itself."""
    next_latent: Tensor  # (B, L, D) of the frames that followed
    value: Tensor  # (B, L)


@torch.no_grad()
def make_targets(target: ScaleZeroModel, batch: SearchBatch, routing: Groups, cfg: EasyDict) -> Targets:
    """
    Latents and n-step returns by the slowly moving copy of the model, in eval mode. V_{t+n} is read from sequences that
    begin with frame n, as the predictions' begin with frame 0.
    """
    L, n = batch.visits.shape[1], cfg.td_steps
    latent = target.encode(batch.obs[:, 1:].flatten(0, 1)).unflatten(0, (len(batch.obs), -1))  # frames 1 to L + n - 1
    logits = target(latent[:, n - 1:n - 1 + L], batch.action[:, n:n + L], routing).value
    value, _ = n_step_return(
        batch.reward, target.value_support.mean(logits), batch.return_ends(cfg.life_loss_as_termination),
        batch.truncated, cfg.discount_factor, n
    )
    return Targets(latent[:, :L], value)


def learned_steps(batch: SearchBatch, cfg: EasyDict) -> Dict[str, Tensor]:
    """The steps that each term can be learned from, (B, L) bool."""
    whole = is_whole(batch.return_ends(cfg.life_loss_as_termination), batch.truncated, cfg.td_steps)
    return {
        'latent': batch.has_next(cfg.life_loss_as_termination), 'reward': batch.valid, 'value': batch.valid & whole,
        'policy': batch.valid & batch.searched, 'entropy': batch.valid,
    }


def step_counts(batch: SearchBatch, cfg: EasyDict) -> Dict[str, Tensor]:
    """How many steps of each task a term is learned from, (K,) each."""
    task, steps = torch.tensor(batch.task).to(batch.obs.device, non_blocking=True), learned_steps(batch, cfg)
    return {name: sum_by_task(mask.float(), task, cfg.model.num_tasks) for name, mask in steps.items()}


def scalezero_terms(
        model: ScaleZeroModel, batch: SearchBatch, targets: Targets, legal: Tensor, routing: Groups, cfg: EasyDict,
        counts: Dict[str, Tensor]
) -> Dict[str, Tensor]:
    """
    The terms of every task's loss, (K,) each, 0 for tasks without a row; `legal` (B, A) are the actions of each
    sequence's task. A term is a mean over the steps that it can be learned from, whose number is in `counts`: the
    batch's own, or that of a larger batch, whose terms then are the sums of its parts' terms. The policy's is
    -sum_i w_i log pi(a_i) over what the search chose from, w_i its shares of visits. Samples a_i were drawn from the
    policy of their time, so that (a_i, w_i) stand for the improved policy I as a whole (Hubert et al. 2021, section 4),
    and this is its cross entropy, as in LightZero. Normalised over the samples, pi would have to be as dense as w_i at
    each a_i, although dense places are drawn more often too. The entropy is over legal actions, in nats.
    """
    L = batch.visits.shape[1]
    latent = model.encode(batch.obs[:, :L].flatten(0, 1)).unflatten(0, (-1, L))  # (B, L, D)
    predicted = model(latent, batch.action[:, :L], routing)
    reward = model.reward_support.two_hot(batch.reward[:, :L], cfg.label_smoothing)
    value = model.value_support.two_hot(targets.value, cfg.label_smoothing)
    policy = model.policy_class(predicted.policy, legal.unsqueeze(1))
    entropy, log_policy = policy.entropy(), log_policy_of_choices(policy, batch.sampled_actions)  # (B, L), (B, L, C)
    distance = latent_distance(predicted.next_latent, targets.next_latent, cfg.model.latent_norm)
    steps = {
        'latent': distance, 'reward': cross_entropy(predicted.reward, reward),
        'value': cross_entropy(predicted.value, value), 'policy': -(batch.visits * log_policy).sum(-1),
        'entropy': entropy,
    }
    task, masks = torch.tensor(batch.task).to(latent.device, non_blocking=True), learned_steps(batch, cfg)
    total = {name: sum_by_task(torch.where(masks[name], x, 0), task, model.num_tasks) for name, x in steps.items()}
    return {name: x / counts[name].clamp(min=1) for name, x in total.items()}


def log_policy_of_choices(policy: Union[CategoricalPolicy, TruncatedNormalPolicy], samples: Optional[Tensor]) -> Tensor:
    """log pi of all actions, (B, L, A), or of samples (B, L, C, A): (B, L, C)."""
    if samples is None:
        return policy.log_probs
    return policy.log_prob(samples.movedim(2, 0)).movedim(0, 2)


def latent_distance(predicted: Tensor, target: Tensor, norm: str) -> Tensor:
    """Of latents (..., D): mean squared error, or for SimNorm ('sim') the mean KL divergence of its groups."""
    if norm == 'layer':
        return F.mse_loss(predicted, target, reduction='none').mean(-1)
    predicted, target = (x.unflatten(-1, (-1, SIM_GROUP)).float() + 1e-6 for x in (predicted, target))
    return F.kl_div(predicted.log(), target, reduction='none').sum(-1).mean(-1)


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Of distributions over atoms: (..., V), (..., V) -> (...)."""
    return -(target * F.log_softmax(logits.float(), -1)).sum(-1)


def sum_by_task(x: Tensor, task: Tensor, num_tasks: int) -> Tensor:
    """(B, L) values and (B,) tasks -> (K,) sums."""
    return x.new_zeros(num_tasks).index_add(0, task, x.sum(1))
