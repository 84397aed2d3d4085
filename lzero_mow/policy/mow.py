"""The `mow` policy: world-model update, imagination, agent update, and acting through LightZero's workers."""
import copy
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

import torch
from ding.utils import POLICY_REGISTRY
from torch import Tensor

from lzero_mow.agent.actor_critic_loss import agent_terms
from lzero_mow.agent.imagination import ImaginedRollout, context_windows, imagine, imagined_step
from lzero_mow.agent.open_loop import open_loop
from lzero_mow.buffer.batch import RecordedPlay, SequenceBatch, rows_of_tasks
from lzero_mow.config.mow import MOW_CONFIG
from lzero_mow.model.common.categorical import sample_straight_through
from lzero_mow.model.common.weighted_sum import weighted_sum, with_entropy_bonus
from lzero_mow.model.mow.world_model import Routing
from lzero_mow.model.mow.world_model_loss import balance_loss, weights_of_terms, world_model_terms
from lzero_mow.multitask.diagnostics.mow import diagnose
from lzero_mow.utils.ranks import own_share, summed, world_size
from .acting_memory import ActingMemory
from .decisions import ReadyEnvs
from .mow_acting import act
from .mow_grouping import GroupingPolicy
from .optimise import clipped_step, load_optimizer
from .update_log import Totals, log_of_tasks

Context = Tuple[Tensor, Tensor, Sequence[int]]  # latents (N, C, latent), the actions between them, tasks


@POLICY_REGISTRY.register('mow')
class MoWPolicy(GroupingPolicy):
    """Mixture-of-World Models (arXiv 2602.01270): one world model and one agent for K tasks."""
    config = copy.deepcopy(MOW_CONFIG)

    def default_model(self) -> Tuple[str, List[str]]:
        """The model's registered name and its modules."""
        return 'MoWModel', ['lzero_mow.model.mow.mow_model']

    # ------------------------------------------------------------------ learn

    def _init_learn(self) -> None:
        cfg, model = self._cfg, self._model
        frames, dynamics = model.world_model.frames_and_dynamics()
        groups = [
            dict(params=frames, lr=cfg.vae_learning_rate or cfg.learning_rate), dict(params=dynamics),
            dict(params=model.task_weights.parameters(), lr=cfg.task_weight_learning_rate)
        ]
        self._optimizer = torch.optim.Adam(groups, lr=cfg.learning_rate, fused=True)
        agent = [p for p in model.agent.parameters() if p.requires_grad]
        self._agent_optimizer = torch.optim.Adam(agent, lr=cfg.agent_learning_rate, eps=cfg.agent_eps, fused=True)
        self._world_model_weights = weights_of_terms(model.world_model, cfg.loss_weights)
        self._imagined_step = torch.compile(imagined_step, fullgraph=True) if cfg.compile else imagined_step
        self._updates = 0
        model.eval()

    def _forward_learn(self, data: Dict[str, SequenceBatch]) -> Dict[str, Tensor]:
        """
        One update of the world model, one imagination, one update of the agent, on 'world_model' and, if imagination
        starts from replay, 'imagine' sequences; without `warmup_agent` the warm-up trains the world model alone.
        Returns a log, name -> number, still on the device.
        """
        batch, parts, log = data['world_model'].to(self._device), {}, {}
        parts['world_model'], log['world_model/grad_norm'], latent, metrics = self._update_world_model(batch)
        log.update(metrics)
        if self._cfg.warmup_agent or self._updates >= self._cfg.warmup_steps:
            contexts = self._contexts(batch, latent, data['imagine'])
            parts['agent'], log['agent/grad_norm'] = self._update_agent(self._imagined(contexts))
        self._updates += 1
        by_task, checked = {}, {}  # in the order of computation: the first value that is not finite is reported
        for part, terms in parts.items():
            by_task.update({f'{part}/{name}': term for name, term in summed(terms).items()})
            checked.update({**by_task, f'{part}/grad_norm': log[f'{part}/grad_norm'].reshape(1)})
        self._finite.note(checked, self._updates)
        tasks = self._cfg.tasks
        return {**log, **log_of_tasks(by_task, tasks, range(len(tasks)))}

    def _update_world_model(self, batch: SequenceBatch) -> Tuple[Dict[str, Tensor], Tensor, Tensor, Dict[str, Tensor]]:
        """
        L = L_H + weight * L_bal (paper section 3.4); returns per-task terms, the gradient's norm, the posterior sample
        and numbers to log.
        """
        cfg, model, terms, latents = self._cfg, self._model.world_model, Totals(), []
        metrics = Totals()
        model.train()
        if model.background is not None:
            model.background.start(batch.obs, batch.task)

        def losses() -> Iterator[Tensor]:
            if model.router is not None:
                usage = model.router.usage(model.embedding())
                balance = balance_loss(usage, model.num_tasks, model.router.experts_per_task)
                metrics.add({'world_model/balance': balance, 'router/temperature': model.router.temperature})
                yield cfg.balance_weight * balance / world_size()  # the same on every rank
            for part in batch.parts_of_tasks(self._micro_batches):
                routing = model.route(part.task)
                with self._autocast():
                    of_part, latent = world_model_terms(model, part, routing, cfg.free_bits)
                latents.append(latent.detach())
                task_losses = self._task_losses(of_part)
                present = torch.zeros_like(task_losses).index_fill_(0, routing.task, 1.0)  # (K,)
                terms.add({name: present * term for name, term in of_part.items()})
                yield self._model.task_weights(task_losses, present) if cfg.task_weighting == 'harmonious' else \
                    (present * task_losses).sum()

        loss, norm = clipped_step(self._optimizer, losses(), cfg.grad_clip)
        metrics.add({'world_model/loss': summed({'loss': loss})['loss']})
        if model.router is not None:
            model.router.step += 1
        model.choose_experts()
        model.eval()
        return terms, norm, torch.cat(latents), metrics

    def _task_losses(self, terms: Dict[str, Tensor]) -> Tensor:
        """L_k, (K,), from its terms."""
        return weighted_sum(terms, self._world_model_weights)

    @property
    def _micro_batches(self) -> int:
        """The number of parts in which an update goes through the networks, the same on every rank."""
        most = -(-len(self._cfg.tasks) // world_size())
        return -(-most // (self._cfg.micro_batch_tasks or most))

    @torch.no_grad()
    def _contexts(self, batch: SequenceBatch, latent: Tensor, fresh: Optional[SequenceBatch]) -> Iterator[Context]:
        """Where imagination starts, part by part: in the training batch's latents or in fresh sequences."""
        cfg, model = self._cfg, self._model.world_model
        if cfg.imagine_source == 'batch':
            rollouts = own_share(cfg.imagine_batch_size, len(cfg.tasks))
            latent, action, task = context_windows(latent, batch.action, batch.task, cfg.context_length, rollouts)
            for rows in rows_of_tasks(task, self._micro_batches):
                yield latent[rows], action[rows], task[rows]
            return
        for part in fresh.parts_of_tasks(self._micro_batches):
            part = part.to(self._device)
            with self._autocast():
                latent = sample_straight_through(model.encode(part.obs, model.route(part.task)))
            yield latent, part.action[:, :-1], part.task

    @torch.no_grad()
    def _imagined(self, contexts: Iterable[Context]) -> Iterator[Tuple[ImaginedRollout, Routing]]:
        """The contexts, continued by the agent."""
        model = self._model
        for latent, action, task in contexts:
            routing = model.world_model.route(task)
            with self._autocast():
                rollout = imagine(
                    model.world_model, model.agent, latent, action, task, routing, self._cfg.horizon,
                    self._imagined_step
                )
            yield rollout, routing

    def _update_agent(self, rollouts: Iterable[Tuple[ImaginedRollout, Routing]]) -> Tuple[Dict[str, Tensor], Tensor]:
        """Train actor and critics on imagined rollouts (paper section 3.5); returns the terms and gradient norm."""
        cfg, agent, totals = self._cfg, self._model.agent, Totals()

        def losses() -> Iterator[Tensor]:
            for rollout, routing in rollouts:
                with self._autocast():
                    terms, metrics = agent_terms(agent, rollout, routing, cfg)
                totals.add({**terms, **metrics})
                yield with_entropy_bonus(terms, cfg.agent_loss_weights).sum() / len(cfg.tasks)

        _, norm = clipped_step(self._agent_optimizer, losses(), cfg.agent_grad_clip)
        agent.update_slow_critic(cfg.critic_ema)
        return totals, norm

    def task_state(self) -> List[Tensor]:
        """See the base class; where sigma and background of a task start depends on its first batch."""
        world, scale, weights = self._model.world_model, self._model.agent.return_scale, self._model.task_weights
        background = [] if world.background is None else [world.background.picture, world.background.started]
        return [*super().task_state(), *background, weights.log_sigma, weights.started, scale.low, scale.high]

    def share_task_state(self, own: Sequence[int]) -> None:
        """See the base class; a cluster's statistics are where its tasks are."""
        super().share_task_state(own)
        self._model.world_model.vae.share_statistics()

    def report(self, batch: SequenceBatch) -> Dict[str, Any]:
        """Open-loop predictions of one sequence per task, and the router's scores, 0 for experts that aren't chosen."""
        model, context = self._model.world_model, self._cfg.context_length
        frames = open_loop(model, batch.to(self._device), context)
        pictures = dict(open_loop={self._cfg.tasks[k]: frame for k, frame in frames.items()}, context=context)
        if model.router is not None:
            scores, chosen = model.router.scores(model.embedding()).detach(), model.router.chosen
            shown = torch.zeros_like(scores).scatter_(1, chosen, scores.gather(1, chosen))
            pictures['router'] = shown[sorted(set(batch.task))].cpu().numpy()
        return pictures

    def diagnose(self, batches: Iterable[SequenceBatch], plays: Mapping[int, RecordedPlay]) -> Dict[str, Any]:
        """See `lzero_mow.multitask.diagnostics.mow.diagnose`."""
        batches = (batch.to(self._device) for batch in batches)
        with self._autocast():
            return diagnose(self._model, batches, plays, self._task_losses, self._cfg)

    def _monitor_vars_learn(self) -> List[str]:
        """Names of the task means in `_forward_learn`'s log."""
        world_model = [f'world_model/{name}' for name in (*self._world_model_weights, 'loss', 'grad_norm')]
        agent = (*self._cfg.agent_loss_weights, 'imagined_return', 'grad_norm')
        return world_model + [f'agent/{name}' for name in agent]

    def _state_dict_learn(self) -> Dict[str, Any]:
        """Everything that learning changes: networks, optimizers, counters."""
        return dict(
            model=self._model.state_dict(), optimizer=self._optimizer.state_dict(),
            agent_optimizer=self._agent_optimizer.state_dict(), updates=self._updates
        )

    def _load_state_dict_learn(self, state_dict: Dict[str, Any]) -> None:
        self.load_networks(state_dict['model'])
        load_optimizer(self._optimizer, state_dict['optimizer'])
        load_optimizer(self._agent_optimizer, state_dict['agent_optimizer'])
        self._updates = state_dict['updates']

    # ------------------------------------------------------------------ collect and eval

    def _memory_sizes(self) -> Tuple[int, int]:
        return self._cfg.acting_window, self._model.world_model.latent_dim

    def _action_table(self) -> Tensor:
        return self._model.agent.action_mask

    def _act(self, memory: ActingMemory, ready: ReadyEnvs, epsilon: float, evaluating: bool) -> Dict[int, Dict]:
        with self._autocast():
            return act(self._model, memory, ready, epsilon, greedy=evaluating and self._cfg.eval_greedy)
