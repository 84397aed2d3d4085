"""Diagnostics of MoW: units and states in one pass over real sequences, gradients of the tasks over several."""
import copy
from typing import Any, Dict, Iterable, List, Mapping, Sequence

import torch
from easydict import EasyDict
from torch import Tensor

from lzero_mow.agent.actor_critic_loss import agent_terms
from lzero_mow.agent.imagination import context_windows, imagine
from lzero_mow.buffer.batch import RecordedPlay, SequenceBatch
from lzero_mow.model.common.categorical import sample_straight_through
from lzero_mow.model.common.groups import ONE_GROUP
from lzero_mow.model.common.weighted_sum import with_entropy_bonus
from lzero_mow.model.mow.mow_model import MoWModel
from lzero_mow.model.mow.world_model import WorldModel
from lzero_mow.multitask.clustering.signatures import LossFn, task_gradients
from .conflict import TaskGradients, with_conflict
from .dormant import DormantUnits
from .expert_use import expert_use
from .latent_norm import norm_scalars
from .mow_learning import learning_scalars


def diagnose(
        model: MoWModel, batches: Iterable[SequenceBatch], plays: Mapping[int, RecordedPlay], loss_fn: LossFn,
        cfg: EasyDict
) -> Dict[str, Any]:
    """
    Measure a model in eval mode, between two updates, without changing it: weights, running statistics, gradients and
    torch's random state stay the same. Units and states are measured on the first of the batches of real sequences,
    gradients are summed over all of them, task by task, which needs less memory than an update; for ``plays`` see
    `learning_scalars`, for ``loss_fn`` `task_gradients`, for the result `with_conflict`.
    """
    world, scalars = model.world_model, {}
    device = next(model.parameters()).device
    same_copy = [0] * world.num_tasks
    parts = {'encoder': TaskGradients(world.cluster_of_task), 'actor': TaskGradients(same_copy)}
    if world.shared is not None:
        parts['shared'] = TaskGradients(same_copy)
    with torch.random.fork_rng([device] if device.type == 'cuda' else []):
        for batch in batches:
            if not scalars:
                scalars.update(_one_pass(model, batch, cfg.tasks))
            if len(set(batch.task)) > 1:
                _add_world_gradients(parts, world, batch, loss_fn, cfg.free_bits)
                _add_actor_gradients(parts['actor'], model, batch, cfg)
        scalars.update(learning_scalars(model, plays, cfg))
        if world.router is not None:
            use = expert_use(world.router.chosen_on_host, world.router.scores(world.embedding()))
            scalars.update({f'expert_use/{name}': value for name, value in use.items()})
    return with_conflict(scalars, parts)


@torch.no_grad()
def _one_pass(model: MoWModel, batch: SequenceBatch, names: Sequence[str]) -> Dict[str, float]:
    """Dormant units and latent norms on real sequences."""
    world, agent = model.world_model, model.agent
    modules = {'vae.encoders': world.vae.encoders, 'vae.decoders': world.vae.decoders}
    modules.update({
        name: getattr(world, name) for name in ('experts', 'shared', 'reward_head', 'continuation_head', 'task_head')
    })
    modules.update({'agent.actor': agent.actor, 'agent.critic': agent.critic})
    states: Dict[str, List[Tensor]] = dict(h=[], features=[])  # of each task (B_k, L, W); inputs of the posterior head
    keep_features = lambda _, inputs: states['features'].append(inputs[1].unsort(inputs[0]))
    with DormantUnits(modules) as units, world.vae.posterior_head.register_forward_pre_hook(keep_features):
        for own in map(batch.of_task, sorted(set(batch.task))):
            routing = world.route(own.task)
            latent = sample_straight_through(world.encode(own.obs, routing))
            world.decode(latent, routing)
            hidden = world.dynamics(latent, own.action, routing)
            world.predict(hidden, routing)
            state = torch.cat([latent[:, 1:], hidden[:, :-1]], -1)  # what the agent sees in the real environment
            agent.actor(state, ONE_GROUP)
            agent.critic(state, routing.clusters)
            states['h'].append(hidden)
    scalars = {f'dormant/{name}': ratio for name, ratio in units.ratios().items()}
    for name, of_tasks in states.items():
        scalars.update(norm_scalars(name, torch.cat(of_tasks), batch.task, names))
    return scalars


def _add_world_gradients(
        parts: Dict[str, TaskGradients], world: WorldModel, batch: SequenceBatch, loss_fn: LossFn, free_bits: float
) -> None:
    """Add the gradients of each task's loss for the shared transformer and for its cluster's encoder."""
    shared = [] if world.shared is None else list(world.shared.parameters())
    for k in sorted(set(batch.task)):
        encoder = list(world.vae.encoders[world.cluster_of_task[k]].parameters())
        (_, gradients), = task_gradients(world, batch.of_task(k), encoder + shared, loss_fn, free_bits)
        parts['encoder'].add(k, gradients[:len(encoder)])
        if shared:
            parts['shared'].add(k, gradients[len(encoder):])


def _add_actor_gradients(part: TaskGradients, model: MoWModel, batch: SequenceBatch, cfg: EasyDict) -> None:
    """Add the gradients of each task's loss for the actor, on imagined rollouts as large as an update's."""
    world, agent = model.world_model, copy.deepcopy(model.agent)  # computing its losses moves the return scale
    for k in sorted(set(batch.task)):
        own = batch.of_task(k)
        with torch.no_grad():
            latent = sample_straight_through(world.encode(own.obs, world.route(own.task)))
        number = -(-cfg.imagine_batch_size // len(cfg.tasks))
        latent, action, tasks = context_windows(latent, own.action, own.task, cfg.context_length, number)
        routing = world.route(tasks)
        rollout = imagine(world, agent, latent, action, tasks, routing, cfg.horizon)
        terms, _ = agent_terms(agent, rollout, routing, cfg)
        loss = with_entropy_bonus(terms, cfg.agent_loss_weights)[k]
        part.add(k, torch.autograd.grad(loss, list(agent.actor.parameters())))
