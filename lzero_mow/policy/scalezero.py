"""The `scalezero` policy: one latent world model of all tasks, trained on the results of its own searches."""
import copy
from math import log
from typing import Any, Collection, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

import numpy as np
import torch
from ding.utils import POLICY_REGISTRY
from easydict import EasyDict
from torch import Tensor

from lzero_mow.buffer.batch import RecordedPlay
from lzero_mow.buffer.search_batch import SearchBatch
from lzero_mow.config.scalezero import SCALEZERO_CONFIG
from lzero_mow.mcts.reanalysis import reanalyzed, share_of_rows
from lzero_mow.model.common.weighted_sum import with_entropy_bonus
from lzero_mow.model.scalezero.loss import make_targets, scalezero_terms, step_counts
from lzero_mow.model.scalezero.moe import expert_layers
from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel
from lzero_mow.multitask.diagnostics.scalezero import diagnose, expert_shares
from lzero_mow.multitask.dps.freeze import merged_copy
from lzero_mow.multitask.dps.scaling import ParameterScaling
from lzero_mow.utils.ranks import rank, summed, tasks_of_all_ranks
from .acting_memory import ActingMemory
from .decisions import ReadyEnvs
from .multitask_policy import MultitaskPolicy
from .optimise import clipped_step, decay_groups, load_optimizer
from .scalezero_acting import act_by_search
from .scalezero_upstream import doubled_weights, encoder_clip, upstream_config
from .update_log import Totals, log_of_tasks


@POLICY_REGISTRY.register('scalezero')
class ScaleZeroPolicy(MultitaskPolicy):
    """
    Overview:
        ScaleZero (Pu et al., ICLR 2026, arXiv 2509.07945). Dense multi-task UniZero is the same with
        ``model.num_experts=0``. Continuous actions are searched for among samples: see `SampledActions`.
    """
    config = copy.deepcopy(SCALEZERO_CONFIG)
    _merged: Optional[ScaleZeroModel] = None

    def __init__(
            self, cfg: EasyDict, model: Optional[torch.nn.Module] = None, enable_field: Optional[List[str]] = None
    ) -> None:
        # Seeded by numpy's global generator, hence by DI-engine's set_pkg_seed, which is the same on all ranks.
        self._rng = np.random.default_rng(np.random.randint(2 ** 31) + rank())
        super().__init__(upstream_config(cfg) if cfg.upstream_compat else cfg, model, enable_field)

    def default_model(self) -> Tuple[str, List[str]]:
        """The model's registered name and its modules."""
        return 'ScaleZeroModel', ['lzero_mow.model.scalezero.scalezero_model']

    # ------------------------------------------------------------------ learn

    def _init_learn(self) -> None:
        cfg, model = self._cfg, self._model
        self._target = copy.deepcopy(model).requires_grad_(False).eval()
        self._optimizer = torch.optim.AdamW(
            decay_groups(model, cfg.weight_decay), lr=cfg.learning_rate, betas=(0.9, 0.95), fused=True
        )
        self._log_alpha = torch.zeros((), device=self._device, requires_grad=True)  # ln of the entropy's weight
        self._alpha_optimizer = torch.optim.Adam([self._log_alpha], lr=cfg.entropy_learning_rate)
        self._updates, self._collections = 0, 0
        self._scaling = ParameterScaling(model, self._target, cfg)
        model.eval()

    def _forward_learn(self, data: Dict[str, SearchBatch]) -> Dict[str, Tensor]:
        """
        One update on the 'search' sequences, None on a rank whose tasks all rest; returns a log, name -> number, still
        on the device.
        """
        cfg, model, batch = self._cfg, self._model, None if data is None else data['search'].to(self._device)
        if batch is not None and cfg.reanalyze_ratio:
            batch = self.reanalyze(batch, share_of_rows(batch, cfg.reanalyze_ratio))
        model.train()
        alpha, tasks, clip = self._entropy_weight(), tasks_of_all_ranks(() if batch is None else batch.task), None
        scale = 1 / len(tasks)
        if cfg.upstream_compat:  # upstream's steps depend on the number of tasks
            scale, clip = 1.0, encoder_clip(model, batch, self._updates)
        names = (*cfg.loss_weights, 'entropy')
        terms = Totals({name: torch.zeros(model.num_tasks, device=self._device) for name in names})
        losses = (scale * self._task_losses(part, alpha).sum() for part in self._parts_of_terms(batch, terms))
        with self._scaling.solved_heads_frozen():
            _, norm = clipped_step(self._optimizer, losses, cfg.grad_clip, clip)
        model.eval()
        terms = summed(terms)
        self._update_entropy_weight(terms['entropy'], tasks)
        self._update_target()
        self._updates += 1
        self._scaling.step(self._updates)
        self._merged = None
        loss = self._task_losses(terms, alpha).sum() / len(tasks)
        terms = {f'world_model/{name}': term for name, term in terms.items()}
        self._finite.note({**terms, 'world_model/grad_norm': norm.reshape(1)}, self._updates)
        log = log_of_tasks(terms, cfg.tasks, tasks)
        log.update({'world_model/loss': loss, 'world_model/grad_norm': norm, 'world_model/entropy_weight': alpha})
        return log

    def reanalysis_due(self) -> int:
        """See the base class; from the first update on."""
        if self._updates == 0 or self._cfg.reanalyze_freq == 0:
            return 0
        self._collections += 1
        return 0 if self._collections % self._cfg.reanalyze_freq else self._cfg.reanalyze_batch_size

    def reanalyze(self, batch: SearchBatch, rows: np.ndarray) -> SearchBatch:
        """The batch with fresh searches from the steps of some rows, by the slowly moving copy: see `reanalyzed`."""
        legal = self._model.action_mask.cpu().numpy()  # which the slowly moving copy does not take over
        with self._autocast():
            return reanalyzed(self._target, batch.to(self._device), rows, legal, self._cfg, self._rng)

    def _parts_of_terms(self, batch: Optional[SearchBatch], whole: Totals) -> Iterator[Dict[str, Tensor]]:
        """The terms of one micro-batch after the other, which add up to the batch's: they are added to `whole`."""
        if batch is None:
            return
        counts = step_counts(batch, self._cfg)
        for part in batch.parts(self._cfg.micro_batch_size):
            terms = self._terms(part, counts)
            whole.add(terms)
            yield terms

    def _terms(self, batch: SearchBatch, counts: Optional[Dict[str, Tensor]] = None) -> Dict[str, Tensor]:
        """The terms of every task's loss, (K,) each; see `scalezero_terms`; None for the batch's own counts."""
        counts = step_counts(batch, self._cfg) if counts is None else counts
        routing = self._model.route(batch.task)
        task = torch.tensor(batch.task).to(self._device, non_blocking=True)
        legal = self._model.action_mask[task]  # (B, A)
        with self._autocast():
            targets = make_targets(self._target, batch, routing, self._cfg)
            return scalezero_terms(self._model, batch, targets, legal, routing, self._cfg, counts)

    def _task_losses(self, terms: Dict[str, Tensor], entropy_weight: Tensor) -> Tensor:
        """L_k, (K,), from its terms."""
        weights = self._cfg.loss_weights
        if self._cfg.upstream_compat:
            return with_entropy_bonus(terms, doubled_weights(weights, entropy_weight))
        return with_entropy_bonus(terms, dict(weights, entropy=weights.policy * entropy_weight))

    def _entropy_weight(self) -> Tensor:
        """alpha, within its bounds."""
        low, high = self._cfg.entropy_weight_bounds
        return self._log_alpha.detach().exp().clamp(low, high)

    def _update_entropy_weight(self, entropy: Tensor, tasks: Collection[int]) -> None:
        """Move alpha so that the policies' entropy (K,) follows a linearly falling share of its range."""
        cfg, model = self._cfg, self._model
        present = torch.tensor([k in tasks for k in range(model.num_tasks)]).to(self._device, non_blocking=True)
        start, end = cfg.entropy_target
        share = start + (end - start) * min(1.0, self._updates / cfg.entropy_target_updates)
        least, greatest = model.policy_class.entropy_range(model.action_mask)
        excess = torch.where(present, entropy - (least + share * (greatest - least)), 0).sum() / present.sum()
        self._alpha_optimizer.zero_grad(set_to_none=True)
        (self._log_alpha * excess).backward()
        self._alpha_optimizer.step()
        low, high = cfg.entropy_weight_bounds
        with torch.no_grad():  # beyond the bounds, alpha would have to come back before anything changed again
            self._log_alpha.clamp_(log(low), log(high))

    @torch.no_grad()
    def _update_target(self) -> None:
        """The slowly moving copy takes a step towards the model."""
        slow, fast = list(self._target.parameters()), list(self._model.parameters())
        torch._foreach_lerp_(slow, fast, self._cfg.target_momentum)

    @property
    def target_networks(self) -> List[torch.nn.Module]:
        return [self._target]

    @property
    def active_tasks(self) -> List[int]:
        """The tasks that are not solved."""
        return self._scaling.active_tasks

    def on_evaluation(self, returns: Mapping[str, float]) -> None:
        """A task may have become solved, or unsolved."""
        self._scaling.note_evaluation(returns)

    def report(self, batch: SearchBatch) -> Dict[str, Any]:
        """The share of each task's tokens that go to each expert, averaged over the layers."""
        if not expert_layers(self._model):
            return {}
        return dict(router=expert_shares(self._model, batch.to(self._device)).mean(0).cpu().numpy())

    def diagnose(self, batches: Iterable[SearchBatch], plays: Mapping[int, RecordedPlay]) -> Dict[str, Any]:
        """See `lzero_mow.multitask.diagnostics.scalezero.diagnose`."""
        batches = (batch.to(self._device) for batch in batches)
        losses_fn = lambda batch: self._task_losses(self._terms(batch), self._entropy_weight())
        diagnosis = diagnose(self._model, batches, plays, losses_fn, self._cfg)
        diagnosis['scalars'].update(self._scaling.scalars())
        return diagnosis

    def _monitor_vars_learn(self) -> List[str]:
        """Names of the task means in `_forward_learn`'s log."""
        names = (*self._cfg.loss_weights, 'entropy', 'loss', 'grad_norm', 'entropy_weight')
        return [f'world_model/{name}' for name in names]

    def _state_dict_learn(self) -> Dict[str, Any]:
        """Everything that learning changes: networks, optimizers, counters."""
        return dict(
            model=self._model.state_dict(), target=self._target.state_dict(), optimizer=self._optimizer.state_dict(),
            log_alpha=self._log_alpha.detach(), alpha_optimizer=self._alpha_optimizer.state_dict(),
            updates=self._updates, collections=self._collections, scaling=self._scaling.state_dict()
        )

    def _load_state_dict_learn(self, state_dict: Dict[str, Any]) -> None:
        self.load_networks(state_dict['model'])
        self._target.load_state_dict(state_dict['target'])
        load_optimizer(self._optimizer, state_dict['optimizer'])
        load_optimizer(self._alpha_optimizer, state_dict['alpha_optimizer'])
        with torch.no_grad():
            self._log_alpha.copy_(state_dict['log_alpha'])
        self._updates, self._collections = state_dict['updates'], state_dict['collections']
        self._scaling.load_state_dict(state_dict['scaling'])

    def acting_state(self) -> Dict[str, Any]:
        """See the base class; the searches draw random numbers of their own."""
        return dict(super().acting_state(), rng=self._rng.bit_generator.state)

    def load_acting_state(self, state: Dict[str, Any]) -> None:
        super().load_acting_state(state)
        self._rng.bit_generator.state = state['rng']

    def load_networks(self, networks: Dict[str, Tensor]) -> None:
        """See the base class; the slowly moving copy starts from them too, and their stage is adopted."""
        self._model.load_state_dict(networks)
        self._target.load_state_dict(networks)
        self._scaling.adopt_stage(self._model.stage)
        self._merged = None

    # ------------------------------------------------------------------ collect and eval

    def _reset_collect(self, env_id=None, **kwargs) -> None:
        # Upstream forgets the episodes of all environments whenever one ends.
        super()._reset_collect(None if self._cfg.upstream_compat else env_id)

    def _reset_eval(self, env_id=None, **kwargs) -> None:
        super()._reset_eval(None if self._cfg.upstream_compat else env_id)

    def _memory_sizes(self) -> Tuple[int, int]:
        return self._cfg.context_length - 1, self._cfg.model.embed_dim

    def _action_table(self) -> Tensor:
        return self._model.action_mask

    def _act(self, memory: ActingMemory, ready: ReadyEnvs, epsilon: float, evaluating: bool) -> Dict[int, Dict]:
        cfg = EasyDict(self._cfg, num_simulations=self._cfg.eval_simulations) if evaluating else self._cfg
        rng = None if evaluating else self._rng
        with self._autocast():
            return act_by_search(self._acting_model(), memory, ready, cfg, epsilon, rng)

    def _acting_model(self) -> ScaleZeroModel:
        """The model; once its adapters are in use, a merged copy, which is made anew after each update."""
        if self._model.stage == 0:
            return self._model
        if self._merged is None:
            self._merged = merged_copy(self._model)
        return self._merged
