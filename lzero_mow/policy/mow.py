"""The `mow` policy: world-model update, imagination, agent update, and acting through LightZero's workers."""
import copy
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

import torch
from ding.utils import POLICY_REGISTRY
from torch import Tensor

from lzero_mow.agent.actor_critic_loss import agent_terms
from lzero_mow.agent.imagination import ImaginedRollout, context_windows, imagine
from lzero_mow.agent.open_loop import open_loop
from lzero_mow.buffer.batch import RecordedPlay, SequenceBatch
from lzero_mow.config.mow import MOW_CONFIG
from lzero_mow.model.common.categorical import sample_straight_through
from lzero_mow.model.common.weighted_sum import weighted_sum, with_entropy_bonus
from lzero_mow.model.mow.world_model import Routing
from lzero_mow.model.mow.world_model_loss import balance_loss, weights_of_terms, world_model_terms
from lzero_mow.multitask.diagnostics.mow import diagnose
from lzero_mow.utils.ranks import own_tasks, summed, tasks_of_all_ranks, world_size
from .acting_memory import ActingMemory
from .decisions import ReadyEnvs
from .mow_acting import act
from .mow_grouping import GroupingPolicy
from .optimise import clipped_step, load_optimizer
from .update_log import log_of_tasks


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
        self._updates = 0
        model.eval()

    def _forward_learn(self, data: Dict[str, SequenceBatch]) -> Dict[str, Tensor]:
        """
        One update of the world model, one imagination, one update of the agent, on 'world_model' and, if imagination
        starts from replay, 'imagine' sequences; without `warmup_agent` the warm-up trains the world model alone.
        Returns a log, name -> number, still on the device.
        """
        batch = data['world_model'].to(self._device)
        losses, log, latent = self._update_world_model(batch)
        parts = {'world_model': losses}
        if self._cfg.warmup_agent or self._updates >= self._cfg.warmup_steps:
            rollout, routing = self._imagine(batch, latent, data['imagine'])
            parts['agent'], log['agent/grad_norm'] = self._update_agent(rollout, routing)
        self._updates += 1
        by_task, checked = {}, {}  # in the order of computation: the first value that is not finite is reported
        for part, terms in parts.items():
            by_task.update({f'{part}/{name}': term for name, term in summed(terms).items()})
            checked.update({**by_task, f'{part}/grad_norm': log[f'{part}/grad_norm'].reshape(1)})
        self._finite.note(checked, self._updates)
        tasks = self._cfg.tasks
        return {**log, **log_of_tasks(by_task, tasks, range(len(tasks)))}

    def _update_world_model(self, batch: SequenceBatch) -> Tuple[Dict[str, Tensor], Dict[str, Tensor], Tensor]:
        """L = L_H + weight * L_bal (paper section 3.4); returns per-task terms, a log and the posterior sample."""
        cfg, model = self._cfg, self._model.world_model
        model.train()
        routing = model.route(batch.task)
        if model.background is not None:
            model.background.start(batch.obs, batch.task)
        with self._autocast():
            terms, latent = world_model_terms(model, batch, routing, cfg.free_bits)
        losses = self._task_losses(terms)
        present = torch.zeros_like(losses).index_fill_(0, routing.task, 1.0)  # (K,)
        loss = self._model.task_weights(losses, present) if cfg.task_weighting == 'harmonious' else \
            (present * losses).sum()
        log = {}
        if model.router is not None:
            usage = model.router.usage(model.embedding())
            balance = balance_loss(usage, model.num_tasks, model.router.experts_per_task)
            loss = loss + cfg.balance_weight * balance / world_size()  # the same on every rank
            log['world_model/balance'] = balance.detach()
            log['router/temperature'] = model.router.temperature
            model.router.step += 1
        log['world_model/loss'] = summed({'loss': loss})['loss']
        log['world_model/grad_norm'] = clipped_step(self._optimizer, [loss], cfg.grad_clip)
        model.choose_experts()
        model.eval()
        return {name: present * term.detach() for name, term in terms.items()}, log, latent.detach()

    def _task_losses(self, terms: Dict[str, Tensor]) -> Tensor:
        """L_k, (K,), from its terms."""
        return weighted_sum(terms, self._world_model_weights)

    @torch.no_grad()
    def _imagine(
            self, batch: SequenceBatch, latent: Tensor, fresh: Optional[SequenceBatch]
    ) -> Tuple[ImaginedRollout, Routing]:
        """Contexts from the training batch's latents or from fresh sequences, continued by the agent."""
        cfg, model = self._cfg, self._model
        with self._autocast():
            if cfg.imagine_source == 'batch':
                rollouts = cfg.imagine_batch_size * len(own_tasks(len(cfg.tasks))) // len(cfg.tasks)  # of this rank
                latent, action, tasks = context_windows(
                    latent, batch.action, batch.task, cfg.context_length, rollouts
                )
                routing = model.world_model.route(tasks)
            else:
                fresh = fresh.to(self._device)
                routing = model.world_model.route(fresh.task)
                latent = sample_straight_through(model.world_model.encode(fresh.obs, routing))
                action, tasks = fresh.action[:, :-1], fresh.task
            return imagine(model.world_model, model.agent, latent, action, tasks, routing, cfg.horizon), routing

    def _update_agent(self, rollout: ImaginedRollout, routing: Routing) -> Tuple[Dict[str, Tensor], Tensor]:
        """Train actor and critics on one imagined rollout (paper section 3.5); returns the terms and gradient norm."""
        cfg, agent = self._cfg, self._model.agent
        with self._autocast():
            terms, metrics = agent_terms(agent, rollout, routing, cfg)
        loss = with_entropy_bonus(terms, cfg.agent_loss_weights).sum() / len(tasks_of_all_ranks(rollout.task))
        norm = clipped_step(self._agent_optimizer, [loss], cfg.agent_grad_clip)
        agent.update_slow_critic(cfg.critic_ema)
        return {name: value.detach() for name, value in {**terms, **metrics}.items()}, norm

    def task_state(self) -> List[Tensor]:
        """See the base class; where sigma and background of a task start depends on its first batch."""
        world, scale, weights = self._model.world_model, self._model.agent.return_scale, self._model.task_weights
        background = [] if world.background is None else [world.background.picture, world.background.started]
        return [*super().task_state(), *background, weights.log_sigma, weights.started, scale.low, scale.high]

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
