"""The task router: selects a task's experts from its embedding alone (paper section 3.3)."""
from typing import List

import torch
from easydict import EasyDict
from torch import Tensor, nn

from lzero_mow.model.common.categorical import unimix

UNIFORM_SHARE = 0.01


class TaskRouter(nn.Module):
    """
    S_k = unimix(softmax(MLP(e_k) / tau));  W_k, J_k = top-n(S_k).  J_k is updated when weights change (:meth:`choose`),
    not in every forward pass, so that no step waits for the device to learn which experts to run.

    Our choices where the paper is open. J_k is sorted by expert, so that a task's experts do not swap their slots in
    the concatenation when two scores cross. The balance loss measures all scores (see :meth:`usage`). The MLP is an odd
    function (tanh, no biases), so that scores have no common part and tasks start with different experts. One per cent
    of the uniform distribution is mixed in, as everywhere in STORM: a gate is 1 whatever W is, so nothing else would
    stop a score that its gradient pushes down (we saw 1e-30, then NaN).
    """

    def __init__(self, cfg: EasyDict) -> None:
        super().__init__()
        self.num_experts, self.experts_per_task = cfg.num_experts, cfg.experts_per_task  # N_e, n
        self.gradient = cfg.router_gradient  # 'straight_through' or 'none'
        self.temperature_start, self.temperature_steps = cfg.temperature_start, cfg.temperature_steps
        self.mlp = nn.Sequential(
            nn.Linear(cfg.task_embedding_dim, 64, bias=False), nn.Tanh(), nn.Linear(64, cfg.num_experts, bias=False)
        )
        self.register_buffer('step', torch.zeros((), dtype=torch.long))
        self.register_buffer('chosen', torch.zeros(cfg.num_tasks, cfg.experts_per_task, dtype=torch.long))  # J (K, n)
        self.chosen_on_host: List[List[int]] = self.chosen.tolist()
        self.register_load_state_dict_post_hook(lambda router, _: router._read_back())

    @property
    def temperature(self) -> Tensor:
        """tau after `step` updates: it decays geometrically from temperature_start to 1 in temperature_steps."""
        left = (1 - self.step / max(1, self.temperature_steps)).clamp(min=0)
        return self.temperature_start ** left

    def log_scores(self, embedding: Tensor) -> Tensor:
        """ln S: (K, E) task embeddings -> (K, N_e). In float32, as J is: two scores may be close."""
        with torch.autocast(embedding.device.type, enabled=False):
            return unimix(self.mlp(embedding) / self.temperature, UNIFORM_SHARE)

    def scores(self, embedding: Tensor) -> Tensor:
        """S: (K, E) task embeddings -> (K, N_e); rows sum to 1."""
        return self.log_scores(embedding).exp()

    @torch.no_grad()
    def choose(self, embedding: Tensor) -> None:
        """Compute J from the current weights. Called at construction, after every update and after loading."""
        logits = self.mlp(embedding)  # ordered like the scores, even where those are too close to tell apart
        self.chosen.copy_(logits.topk(self.experts_per_task).indices.sort(-1).values)
        self._read_back()

    def _read_back(self) -> None:
        self.chosen_on_host = self.chosen.tolist()  # the only wait for the device, between two updates

    def gates(self, embedding: Tensor) -> Tensor:
        """(K, n) factors of the experts' outputs: all 1. With 'straight_through', their gradient is that of ln W."""
        if self.gradient == 'none':
            return torch.ones_like(self.chosen, dtype=embedding.dtype)
        log_weights = self.log_scores(embedding).gather(1, self.chosen)
        return torch.exp(log_weights - log_weights.detach())

    def usage(self, embedding: Tensor) -> Tensor:
        """
        n sum_k S_k, (N_e,): expected number of tasks per expert, K n / N_e if use is even. The paper sums W_k, the
        chosen scores alone. That gives no gradient to experts that no task chose, and sharpens the current choice while
        scores are flat: with 12 experts chosen unevenly by 26 tasks, it left five unused, this one none.
        """
        return self.experts_per_task * self.scores(embedding).sum(0)
