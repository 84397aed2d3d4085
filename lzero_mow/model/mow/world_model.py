"""MoW's world model: VAE bank -> expert transformers -> shared transformer -> heads (paper section 3)."""
from dataclasses import dataclass
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from easydict import EasyDict
from torch import Tensor, nn

from lzero_mow.model.common.categorical import unimix
from lzero_mow.model.common.grouped import GroupedLinear, GroupedMLP
from lzero_mow.model.common.groups import ONE_GROUP, Groups
from lzero_mow.model.common.two_hot import TwoHot
from .background import Background
from .router import TaskRouter
from .transformer import KVCache, Transformer
from .vae import VAEBank


@dataclass(frozen=True)
class Routing:
    """Which modules each of B sequences passes through; known on the host before the forward pass."""
    task: Tensor  # (B,) task of each sequence
    clusters: Groups  # cluster of each sequence
    experts: Optional[Groups]  # expert of each of the B * n (sequence, slot) pairs
    sequence: Optional[Tensor]  # (B * n,) sequence of each pair, sorted by expert


class DynamicsCache(NamedTuple):
    """Key-value caches of the experts and of the shared transformer."""
    experts: Optional[KVCache]
    shared: Optional[KVCache]


class Predictions(NamedTuple):
    """The heads' outputs for h^t: the next latent, and the result of action a^t."""
    prior: Tensor  # (B, L, categories, classes) log-probabilities
    reward: Tensor  # (B, L, 255) logits over the bins
    continuation: Tensor  # (B, L) logits
    task: Optional[Tensor]  # (B, L, K) logits


class WorldModel(nn.Module):
    """
    A modular model of K tasks with N_m VAEs and sets of predictors, and N_e expert transformers. With K = 1 and without
    experts, task embedding and task head it is STORM. cfg are the `MoWModelKeys` of lzero_mow/config/mow.py.
    """

    def __init__(self, cfg: EasyDict) -> None:
        super().__init__()
        self.num_tasks, self.action_space_size = cfg.num_tasks, cfg.action_space_size
        self.continuous = cfg.continuous_action_space
        self.latent_shape, self.unimix_share = (cfg.categories, cfg.classes), cfg.unimix
        self.latent_dim, embedding_dim = cfg.categories * cfg.classes, cfg.task_embedding_dim
        even_shares = [k * cfg.num_clusters // cfg.num_tasks for k in range(cfg.num_tasks)]
        self.register_buffer('clusters', torch.tensor(cfg.cluster_of_task or even_shares))  # i_k (K,), for checkpoints
        self.cluster_of_task = self.clusters.tolist()
        self.num_clusters, self.num_experts = cfg.num_clusters, cfg.num_experts

        self.task_embedding = nn.Parameter(torch.randn(cfg.num_tasks, embedding_dim)) if embedding_dim else None
        self.background = Background(cfg.num_tasks, cfg.observation_shape) if cfg.background else None
        self.vae = VAEBank(cfg)
        self.vae.share_out(self.cluster_of_task)
        step_dim = self.latent_dim + cfg.action_space_size + embedding_dim
        self.experts = self.router = self.shared = None
        if cfg.num_experts:
            self.experts = Transformer(cfg.num_experts, step_dim, cfg)
            self.router = TaskRouter(cfg)
            step_dim = cfg.experts_per_task * cfg.width + embedding_dim
        if cfg.shared_transformer:
            self.shared = Transformer(1, step_dim, cfg)
        self.hidden_dim = cfg.width if cfg.shared_transformer else cfg.experts_per_task * cfg.width

        self.prior_head = GroupedLinear(cfg.num_clusters, self.hidden_dim, self.latent_dim)
        self.two_hot = TwoHot(cfg.two_hot)
        self.reward_head = GroupedMLP(cfg.num_clusters, self.hidden_dim, cfg.width, len(self.two_hot.bins))
        self.two_hot.start_at_zero(self.reward_head)
        self.continuation_head = GroupedMLP(cfg.num_clusters, self.hidden_dim, cfg.width, 1)
        self.task_head = GroupedMLP(1, self.hidden_dim, cfg.width, cfg.num_tasks) if cfg.task_head else None
        self.choose_experts()
        self.register_load_state_dict_post_hook(lambda model, _: model.set_clusters(model.clusters.tolist()))

    def frames_and_dynamics(self) -> Tuple[List[nn.Parameter], List[nn.Parameter]]:
        """The parameters of what sees and paints frames, and all others, which predict."""
        is_of_frames = lambda name: name.startswith(('vae.', 'background.'))
        named = list(self.named_parameters())
        return [p for name, p in named if is_of_frames(name)], [p for name, p in named if not is_of_frames(name)]

    def set_clusters(self, cluster_of_task: Sequence[int]) -> None:
        """Set i_k; there are modules for these clusters already."""
        self.cluster_of_task, self.num_clusters = list(cluster_of_task), len(self.vae.encoders)
        self.clusters.copy_(torch.tensor(self.cluster_of_task))
        self.vae.share_out(self.cluster_of_task)

    def choose_experts(self) -> None:
        """Compute the experts J from the current weights; to be called after they change."""
        if self.router is not None:
            self.router.choose(self.embedding())

    def embedding(self) -> Optional[Tensor]:
        """e: (K, E), rows of length 1; None without task embedding."""
        return None if self.task_embedding is None else F.normalize(self.task_embedding, dim=-1)

    def embedding_of(self, routing: Routing) -> Optional[Tensor]:
        """e_k of each sequence: (B, E)."""
        return None if self.task_embedding is None else self.embedding()[routing.task]

    def route(self, tasks: Sequence[int]) -> Routing:
        """The modules of B sequences, from their task ids on the host."""
        device = self.two_hot.bins.device
        on_device = lambda x: torch.from_numpy(np.asarray(x)).to(device, non_blocking=True)
        clusters = Groups.of([self.cluster_of_task[k] for k in tasks], self.num_clusters, device)
        if self.router is None:
            return Routing(on_device(tasks), clusters, None, None)
        expert_of_pair = np.asarray(self.router.chosen_on_host)[list(tasks)].reshape(-1)  # (B * n,)
        order = np.argsort(expert_of_pair, kind='stable')
        return Routing(
            on_device(tasks), clusters, Groups.of(expert_of_pair, self.num_experts, device),
            on_device(order // self.router.experts_per_task)
        )

    def encode(self, obs: Tensor, routing: Routing) -> Tensor:
        """Posterior: (B, L, C, size, size) uint8 -> (B, L, categories, classes) log-probabilities."""
        if self.background is not None:
            obs = self.background.difference(obs, routing.task)
        return self.vae.encode(obs, self.embedding_of(routing), routing.clusters)

    def decode(self, latent: Tensor, routing: Routing) -> Tensor:
        """(B, L, latent) -> (B, L, C, size, size), around [0, 1]."""
        frames = self.vae.decode(latent, self.embedding_of(routing), routing.clusters)
        return frames if self.background is None else frames + self.background(routing.task)

    def new_cache(self, max_length: int) -> DynamicsCache:
        """Empty caches for sequences of at most `max_length` steps."""
        parts = (self.experts, self.shared)
        return DynamicsCache(*(part and part.new_cache(max_length) for part in parts))

    def dynamics(
            self, latent: Tensor, action: Tensor, routing: Routing, cache: Optional[DynamicsCache] = None
    ) -> Tensor:
        """
        h_k = F(concat_j f_j(m_j(z_k, a_k, e_k)), e_k), section 3.3; a task has the same experts at every step. Latents
        (B, L, latent), actions (B, L) int64 or (B, L, A) -> (B, L, hidden_dim); with a cache they continue its steps.
        """
        embedding = self.embedding_of(routing)
        action = action if self.continuous else F.one_hot(action, self.action_space_size)
        parts = [latent, action.to(latent.dtype)]
        if embedding is not None:
            embedding = embedding.unsqueeze(1).expand(-1, latent.shape[1], -1)  # (B, L, E)
            parts.append(embedding)
        step = torch.cat(parts, -1)
        if self.experts is not None:
            step = self._experts(step, routing, cache)  # (B, L, n * D)
            if self.shared is not None:
                step = torch.cat([step, embedding], -1)
        return step if self.shared is None else self.shared(step, ONE_GROUP, cache and cache.shared)

    def _experts(self, step: Tensor, routing: Routing, cache: Optional[DynamicsCache]) -> Tensor:
        """Concatenated outputs of the chosen experts, ordered by expert: (B, L, step) -> (B, L, n * D)."""
        out = self.experts(step[routing.sequence], routing.experts, cache and cache.experts)
        out = routing.experts.unsort(out).unflatten(0, (len(step), -1))  # (B, n, L, D)
        if torch.is_grad_enabled():  # they are 1, and have a gradient
            gates = self.router.gates(self.embedding()).index_select(0, routing.task)  # (B, n)
            out = out * gates[:, :, None, None]
        return out.transpose(1, 2).flatten(2)

    def prior(self, hidden: Tensor, routing: Routing) -> Tensor:
        """Next latent: (B, L, hidden_dim) -> (B, L, categories, classes) log-probabilities."""
        logits = routing.clusters.unsort(self.prior_head(routing.clusters.sort(hidden), routing.clusters))
        return unimix(logits.unflatten(-1, self.latent_shape), self.unimix_share)

    def predict(self, hidden: Tensor, routing: Routing) -> Predictions:
        """All heads on h (B, L, hidden_dim)."""
        return Predictions(
            self.prior(hidden, routing), self.reward_head(hidden, routing.clusters),
            self.continuation_head(hidden, routing.clusters).squeeze(-1),
            None if self.task_head is None else self.task_head(hidden, ONE_GROUP)
        )
