"""What is measured of MoW, in one pass over real sequences and one gradient a task and shared part."""
import copy
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import torch
from easydict import EasyDict
from torch import Tensor

from lzero_mow.agent.actor_critic import agent_terms
from lzero_mow.agent.imagination import ImaginedRollout, context_windows, imagine
from lzero_mow.buffer.batch import SequenceBatch
from lzero_mow.clustering.signatures import LossOf, task_gradients
from lzero_mow.diagnostics.conflict import conflict, cosine_matrix
from lzero_mow.diagnostics.dormant import DormantUnits
from lzero_mow.diagnostics.expert_use import expert_use
from lzero_mow.diagnostics.latent_norm import norm_by_task
from lzero_mow.model.categorical import sample_straight_through
from lzero_mow.model.grouped import ONE_GROUP
from lzero_mow.model.mow_model import MoWModel


def diagnose(model: MoWModel, batch: SequenceBatch, loss_of: LossOf, cfg: EasyDict) -> Dict[str, Any]:
    """
    Overview:
        Measure a model without leaving a trace in it: weights, running statistics, gradients and the state of torch's
        random numbers stay what they are.
    Arguments:
        - model (:obj:`MoWModel`): In eval mode, as it is between two updates.
        - batch (:obj:`SequenceBatch`): Real sequences, on the model's device.
        - loss_of (:obj:`LossOf`): A task's loss from its terms, see `task_gradients`.
        - cfg (:obj:`EasyDict`): MOW_CONFIG of `lzero_mow/policy/mow_config.py`.
    Returns:
        - diagnosis (:obj:`dict`): 'scalars': name -> number; 'conflict': shared part -> (K, K) cosines.
    """
    world, device = model.world_model, batch.obs.device
    with torch.random.fork_rng([device] if device.type == 'cuda' else []):
        scalars, latent = _one_pass(model, batch, cfg.tasks)
        if world.router is not None:
            use = expert_use(world.router.chosen_on_host, world.router.scores(world.embedding()))
            scalars.update({f'expert_use/{name}': value for name, value in use.items()})
        matrices = {}
        if len(set(batch.task)) > 1:
            if world.shared is not None:
                gradients = task_gradients(world, batch, list(world.shared.parameters()), loss_of, cfg.free_bits)
                matrices['shared'] = cosine_matrix(gradients, world.num_tasks)
            matrices['actor'] = cosine_matrix(_actor_gradients(model, batch, latent, cfg), world.num_tasks)
    for part, cosine in matrices.items():
        scalars.update({f'gradient_conflict/{part}/{name}': value for name, value in conflict(cosine).items()})
    return dict(scalars=scalars, conflict=matrices)


@torch.no_grad()
def _one_pass(model: MoWModel, batch: SequenceBatch, names: Sequence[str]) -> Tuple[Dict[str, float], Tensor]:
    """Dormant units and latent norms on real sequences; also the posterior sample (B, L, latent)."""
    world, agent, plan = model.world_model, model.agent, model.world_model.plan(batch.task)
    modules = {
        'vae.encoders': world.vae.encoders,
        'vae.decoders': world.vae.decoders,
        'experts': world.experts,
        'shared': world.shared,
        'reward_head': world.reward_head,
        'continuation_head': world.continuation_head,
        'task_head': world.task_head,
        'agent.actor': agent.actor,
        'agent.critic': agent.critic,
    }
    features: List[Tensor] = []  # what the posterior is computed from, (B, L, W)
    note_features = lambda _, inputs: features.append(inputs[1].unsort(inputs[0]))
    with DormantUnits(modules) as units, world.vae.posterior_head.register_forward_pre_hook(note_features):
        latent = sample_straight_through(world.encode(batch.obs, plan))
        world.decode(latent, plan)
        hidden = world.dynamics(latent, batch.action, plan)
        world.predict(hidden, plan)
        state = torch.cat([latent[:, 1:], hidden[:, :-1]], -1)  # what the agent sees in the real environment
        agent.actor(state, ONE_GROUP)
        agent.critic(state, plan.clusters)
    scalars = {f'dormant/{name}': ratio for name, ratio in units.ratios().items()}
    for name, x in (('h', hidden), ('features', features[0])):
        norms = norm_by_task(x, batch.task)
        scalars[f'latent_norm/{name}'] = sum(norms.values()) / len(norms)
        scalars.update({f'latent_norm/{name}/{names[k]}': norm for k, norm in norms.items()})
    return scalars, latent


def _actor_gradients(
        model: MoWModel, batch: SequenceBatch, latent: Tensor, cfg: EasyDict
) -> Iterator[Tuple[int, List[Tensor]]]:
    """(k, gradients of the actor's own loss) for each task, on an imagination as large as an update's."""
    agent = copy.deepcopy(model.agent)  # computing its losses moves the return scale
    latent, action, tasks = context_windows(
        latent, batch.action, batch.task, cfg.context_length, cfg.imagine_batch_size
    )
    plan = model.world_model.plan(tasks)
    rollout = imagine(model.world_model, agent, latent, action, tasks, plan, cfg.horizon)
    for k in sorted(set(tasks)):
        rows = slice(tasks.index(k), tasks.index(k) + tasks.count(k))
        own = ImaginedRollout(*(field[rows] for field in rollout))
        terms = agent_terms(agent, own, model.world_model.plan(own.task), cfg)
        loss = terms['actor'][k] - cfg.entropy_weight * terms['entropy'][k]
        yield k, list(torch.autograd.grad(loss, list(agent.actor.parameters())))
