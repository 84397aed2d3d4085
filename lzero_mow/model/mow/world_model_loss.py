"""The world-model loss (MoW section 3): unreduced terms, their mean per task, and how tasks are added up.

The time axis, once:      o_0   o_1   o_2        reward[t] and terminated[t] are the results of action[t] at obs[t].
                          z_0   z_1   z_2        posterior z_t = q(o_t)
                            a_0   a_1   a_2
                          h_0   h_1   h_2        h_t has seen z_0..z_t and a_0..a_t
                           ->z_1 ->z_2           prior from h_t: z_{t+1}; reward and continuation heads: r_t, c_t
"""
from typing import Dict, Mapping, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lzero_mow.buffer.batch import SequenceBatch
from lzero_mow.model.common.categorical import kl_divergence, sample_straight_through
from .world_model import Routing, WorldModel


def mean_by_task(x: Tensor, task: Tensor, num_tasks: int) -> Tensor:
    """(B, L) values and (B,) tasks -> (K,) means; 0 for a task without rows."""
    total = x.new_zeros(num_tasks).index_add(0, task, x.mean(1))
    rows = x.new_zeros(num_tasks).index_add(0, task, torch.ones_like(x[:, 0]))
    return total / rows.clamp(min=1)


def world_model_terms(
        model: WorldModel, batch: SequenceBatch, routing: Routing, free_bits: float
) -> Tuple[Dict[str, Tensor], Tensor]:
    """
    Every term of L_k (paper section 3.4), (K,) each, averaged over a task's steps, and the posterior sample (B, L,
    latent). A task's mean KL is not pressed below `free_bits` nats.
    """
    posterior = model.encode(batch.obs, routing)
    latent = sample_straight_through(posterior)
    reconstruction = model.decode(latent, routing)
    predicted = model.predict(model.dynamics(latent, batch.action, routing), routing)

    by_task = lambda x: mean_by_task(x, routing.task, model.num_tasks)
    error = reconstruction.float() - batch.obs.float().div_(255)
    dynamics = by_task(kl_divergence(posterior[:, 1:].detach(), predicted.prior[:, :-1]))
    representation = by_task(kl_divergence(posterior[:, 1:], predicted.prior[:, :-1].detach()))
    terms = dict(
        reconstruction=by_task(error.square().sum((2, 3, 4))),
        reward=by_task(model.two_hot.loss(predicted.reward, batch.reward)),
        continuation=by_task(
            F.binary_cross_entropy_with_logits(predicted.continuation, 1 - batch.terminated, reduction='none')
        ),
        dynamics=dynamics.clamp(min=free_bits),
        representation=representation.clamp(min=free_bits),
    )
    if predicted.task is not None:
        task = routing.task.unsqueeze(1).expand(-1, latent.shape[1])  # (B, L)
        terms['task'] = by_task(F.cross_entropy(predicted.task.float().transpose(1, 2), task, reduction='none'))
    return terms, latent


def weights_of_terms(model: WorldModel, weights: Mapping[str, float]) -> Dict[str, float]:
    """The weights of the terms that this model has: one without a task head computes no 'task' term."""
    return {name: weight for name, weight in weights.items() if name != 'task' or model.task_head is not None}


def balance_loss(usage: Tensor, num_tasks: int, experts_per_task: int) -> Tensor:
    """|| use - (K n / N_e) 1 ||^2 for the use of the experts (N_e,): zero when it is even."""
    return (usage - num_tasks * experts_per_task / len(usage)).square().sum()


class HarmoniousWeights(nn.Module):
    """
    L_H = sum_k L_k / sigma_k + ln(1 + sigma_k), sigma_k > 0 learnable; at rest sigma_k^2 = L_k (1 + sigma_k).

    Where sigma_k starts is open in the paper. Here: at rest for the first loss of its task. From sigma_k = 1 it would
    have to grow to the size of a loss, hundreds, and Adam, which remembers the large gradients of the beginning, would
    take far too small steps for thousands of updates.
    """

    def __init__(self, num_tasks: int) -> None:
        super().__init__()
        self.log_sigma = nn.Parameter(torch.zeros(num_tasks))
        self.register_buffer('started', torch.zeros(num_tasks, dtype=torch.bool))

    def forward(self, losses: Tensor, present: Tensor) -> Tensor:
        """(K,) task losses, and which tasks the batch has (K,) -> scalar."""
        self._start(losses.detach(), present > 0)
        return (present * (losses * torch.exp(-self.log_sigma) + F.softplus(self.log_sigma))).sum()

    @torch.no_grad()
    def _start(self, losses: Tensor, present: Tensor) -> None:
        at_rest = (losses + torch.sqrt(losses ** 2 + 4 * losses)) / 2
        self.log_sigma.copy_(torch.where(present & ~self.started, at_rest.log(), self.log_sigma))
        self.started |= present
