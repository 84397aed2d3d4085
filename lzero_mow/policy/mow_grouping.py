"""One module set per cluster of tasks: begin with one set, group the tasks, continue with N_m sets."""
from typing import Any, Dict, Iterable, Optional

import numpy as np
import torch
from easydict import EasyDict
from torch import Tensor

from lzero_mow.buffer.batch import SequenceBatch
from lzero_mow.config.clusters import BY_GRADIENT, assign
from lzero_mow.model.mow.split import split
from lzero_mow.multitask.clustering.grouping import cosine_similarities, group
from lzero_mow.multitask.clustering.signatures import signatures
from lzero_mow.utils.ranks import gathered
from .multitask_policy import MultitaskPolicy


class GroupingPolicy(MultitaskPolicy):
    """Part of `MoWPolicy`: clusters i_k by ``policy.clustering``, after ``policy.warmup_steps`` updates."""

    @property
    def warmup_steps(self) -> int:
        return self._cfg.warmup_steps

    def _create_model(self, cfg: EasyDict, model: Optional[torch.nn.Module] = None) -> torch.nn.Module:
        """One module set if there will be a warm-up, or if gradients will decide."""
        clusters = [0] * len(cfg.tasks)
        if cfg.warmup_steps == 0 and cfg.clustering not in BY_GRADIENT:
            clusters = self._assigned(cfg)
        begins = EasyDict(cfg.model, num_clusters=max(clusters) + 1, cluster_of_task=clusters)
        return super()._create_model(EasyDict(cfg, model=begins), model)

    @staticmethod
    def _assigned(cfg: EasyDict) -> list:
        """i_k by a rule without gradients; torch's seed is the run's (DI-engine's set_pkg_seed)."""
        return assign(cfg.clustering, cfg.tasks, cfg.model.num_clusters, seed=torch.initial_seed())

    def group_tasks(self, batches: Iterable[SequenceBatch]) -> Dict[str, Any]:
        """
        Overview:
            Decide i_k by ``policy.clustering``, and give every cluster a copy of the one module set. A model that has
            clusters already keeps them. Batches are drawn only if gradients decide.
        Returns:
            - grouping (:obj:`dict`): 'clusters': i_k of each task; 'similarity': (K, K) cosines of their gradients, or
              None if gradients did not decide.
        """
        cfg, world = self._cfg, self._model.world_model
        similarity = None
        if world.num_clusters == 1:
            if cfg.clustering in BY_GRADIENT and len(cfg.tasks) > 1:
                similarity = self.task_similarity(batches)
                clusters = group(similarity, cfg.clustering, cfg.model.num_clusters)
            else:
                clusters = gathered(self._assigned(cfg))[0]  # rank 0 draws
            self._split(clusters)
        return dict(clusters=list(world.cluster_of_task), similarity=similarity)

    def task_similarity(self, batches: Iterable[SequenceBatch]) -> np.ndarray:
        """(K, K) cosines of the tasks' gradients, see `signatures`; the policy does not change."""
        batches = (batch.to(self._device) for batch in batches)
        g = signatures(self._model.world_model, batches, self._task_losses, self._cfg.free_bits)
        return cosine_similarities(g.double().cpu().numpy())

    def _split(self, clusters: list) -> None:
        if max(clusters) > 0:
            split(self._model, clusters, (self._optimizer, self._agent_optimizer))

    def load_networks(self, networks: Dict[str, Tensor]) -> None:
        """See the base class; networks bring their clusters along, if they have some and this policy has none."""
        clusters = networks.get('world_model.clusters')
        if clusters is not None and self._model.world_model.num_clusters == 1:
            self._split(clusters.tolist())
        self._model.load_state_dict(networks)
