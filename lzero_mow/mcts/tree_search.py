"""Monte-Carlo tree search over a learned model (MuZero appendix B), batched over environments of any tasks."""
from typing import NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from easydict import EasyDict
from torch import Tensor

from lzero_mow.model.common.groups import Groups
from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel
from .choices import AllActions, Choices, SampledActions
from .nodes import NodeStore
from .trees import Trees


class Window(NamedTuple):
    """The last real steps of R environments, right-padded; the search starts from the last step of each row."""
    latent: Tensor  # (R, n, D)
    action: Tensor  # the actions between them: (R, n - 1) int64, or (R, n - 1, A) float32
    length: np.ndarray  # (R,) int64, real steps, from 1 to n
    task: Sequence[int]  # R task ids
    legal: np.ndarray  # (R, A) bool


class SearchResult(NamedTuple):
    """The outcome of a search, on the host. C choices at each root: all A actions, or samples."""
    visits: np.ndarray  # (R, C) float32, share of the simulations that took each choice
    value: np.ndarray  # (R,) float32, root values, see `Trees.values`
    predicted_value: np.ndarray  # (R,) float32, the value head at the roots
    policy_logits: np.ndarray  # (R, C) float32, of the roots' priors, without noise
    actions: np.ndarray  # (R, C) int64 or (R, C, A) float32, the action of each choice


@torch.no_grad()
def search(
        model: ScaleZeroModel, window: Window, cfg: EasyDict, rng: Optional[np.random.Generator] = None
) -> SearchResult:
    """
    Overview:
        Run `num_simulations` simulations from each of R roots. Each costs one model step for all rows together and one
        copy to the host; expert layers wait for the device too, unless `lzero_mow.model.scalezero.moe.searching`.
    Arguments:
        - model (:obj:`ScaleZeroModel`): In eval mode; `route`, `open`, `extend` and the two supports are used.
        - window (:obj:`Window`): The roots.
        - cfg (:obj:`EasyDict`): num_simulations, root_dirichlet_alpha, root_noise_weight, pb_c_base, pb_c_init,
          discount_factor and value_delta_max as in LightZero's MCTS; context_length: steps from which a path is
          reopened when it outgrows the model's cache; num_sampled_actions: choices per node for continuous actions.
        - rng (:obj:`np.random.Generator` or None): Source of the noise at the roots; None for evaluation, without it.
    Raises:
        - ValueError: If a row has no legal action, or context_length does not fit the model's cache.
    """
    device, task = window.latent.device, np.asarray(window.task)
    routing, length = model.route(window.task), torch.from_numpy(window.length).to(device, non_blocking=True)
    policy, value, cache, tokens = model.open(window.latent, window.action, length, routing)
    nodes = NodeStore(
        cfg.num_simulations + 1, cfg.context_length, window.latent, window.action, window.length, cache, tokens
    )
    choices: Choices = AllActions(window.legal)
    if window.action.is_floating_point():
        rows, action_dim = window.legal.shape
        choices = SampledActions(cfg.num_simulations + 1, rows, cfg.num_sampled_actions, action_dim, device)
    trees = Trees(choices.legal, cfg, rng)
    predicted_value, policy_logits = _to_host(choices.prior_logits(0, policy), model.value_support.mean(value))
    trees.expand_roots(policy_logits)
    for node in range(1, cfg.num_simulations + 1):
        parent, choice = trees.select()
        reward, value, policy = _expand(model, nodes, choices, node, parent, choice, task, routing)
        reward, value, logits = _to_host(
            choices.prior_logits(node, policy), model.reward_support.mean(reward), model.value_support.mean(value)
        )
        trees.backpropagate(node, reward, value, logits)
    return SearchResult(trees.visits(), trees.values(), predicted_value, policy_logits, choices.root_actions)


def _expand(
        model: ScaleZeroModel, nodes: NodeStore, choices: Choices, node: int, parent: np.ndarray,
        choice: np.ndarray, task: np.ndarray, routing: Groups
) -> Tuple[Tensor, Tensor, Tensor]:
    """Step the model from each row's parent with its choice; returns the outputs for reward, value and policy."""
    parent_on_device, choice = nodes.to_device(np.stack([parent, choice]))
    action = choices.action(parent_on_device, choice)
    cache, tokens = nodes.branch(node, parent_on_device)
    full = nodes.full(parent)
    if len(full):
        latent, past_action = nodes.context(parent, full)
        length = torch.full((len(full), ), latent.shape[1], device=latent.device)
        _, _, reopened, reopened_tokens = model.open(latent, past_action, length, model.route(task[full]))
        nodes.reopen(node, full, reopened)
        tokens[nodes.to_device(full)] = reopened_tokens
    reward, latent, policy, value, tokens = model.extend(cache, tokens, action, routing)
    nodes.add(node, parent, action, latent, tokens)
    return reward, value, policy


def _to_host(logits: Tensor, *scalars: Tensor) -> Tuple[np.ndarray, ...]:
    """Copy scalars (R,) and logits (R, C) to the host at once; the logits come last."""
    columns = torch.cat([torch.stack(scalars, -1), logits], -1).float().cpu().numpy()
    return (*columns[:, :len(scalars)].T, columns[:, len(scalars):])
