"""Monte-Carlo tree search over a learned model (MuZero appendix B), batched over environments of any tasks."""
from typing import TYPE_CHECKING, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from easydict import EasyDict
from torch import Tensor

from lzero_mow.model.grouped import Groups
from lzero_mow.search.nodes import NodeStore
from lzero_mow.search.trees import Trees

if TYPE_CHECKING:
    from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel


class Window(NamedTuple):
    """
    Overview:
        The last real steps of R environments, right-padded; a search starts at the last one of each row.
    """
    latent: Tensor  # (R, n, D)
    action: Tensor  # (R, n - 1) int64, the actions between them
    length: np.ndarray  # (R,) int64, real steps, from 1 to n
    task: Sequence[int]  # R task ids
    legal: np.ndarray  # (R, A) bool


class SearchResult(NamedTuple):
    """What a search found, on the host."""
    visits: np.ndarray  # (R, A) float32, each action's share of the simulations
    value: np.ndarray  # (R,) float32, of the root: the simulations' returns added up, over their number and one
    predicted_value: np.ndarray  # (R,) float32, the value head at the roots
    policy_logits: np.ndarray  # (R, A) float32, the policy head at the roots, without noise


@torch.no_grad()
def search(
        model: 'ScaleZeroModel', window: Window, cfg: EasyDict, rng: Optional[np.random.Generator] = None
) -> SearchResult:
    """
    Overview:
        Run `num_simulations` simulations from each of R roots. Each costs one step of the model for all rows together,
        and one copy to the host; layers of experts wait for the device once more a token.
    Arguments:
        - model (:obj:`ScaleZeroModel`): In eval mode; `plan`, `open`, `extend` and the two supports are used.
        - window (:obj:`Window`): The roots.
        - cfg (:obj:`EasyDict`): num_simulations, root_dirichlet_alpha, root_noise_weight, pb_c_base, pb_c_init,
          discount_factor and value_delta_max as in LightZero's MCTS; context_length: steps that a path is reopened on
          when it outgrows the model's cache.
        - rng (:obj:`np.random.Generator` or None): For collecting: noise at the roots. None: none, for evaluation.
    Returns:
        - result (:obj:`SearchResult`).
    Raises:
        - ValueError: When a row has no legal action, or context_length does not fit the model's cache.
    """
    device, task = window.latent.device, np.asarray(window.task)
    plan, length = model.plan(window.task), torch.from_numpy(window.length).to(device, non_blocking=True)
    policy, value, cache, tokens = model.open(window.latent, window.action, length, plan)
    nodes = NodeStore(
        cfg.num_simulations + 1, cfg.context_length, window.latent, window.action, window.length, cache, tokens
    )
    trees = Trees(window.legal, cfg, rng)
    predicted_value, policy_logits = _to_host(policy, model.value_support.mean(value))
    trees.plant(policy_logits)
    for node in range(1, cfg.num_simulations + 1):
        parent, action = trees.select()
        reward, value, policy = _expand(model, nodes, node, parent, action, task, plan)
        reward, value, logits = _to_host(policy, model.reward_support.mean(reward), model.value_support.mean(value))
        trees.backpropagate(node, reward, value, logits)
    return SearchResult(trees.visits(), trees.values(), predicted_value, policy_logits)


def _expand(
        model: 'ScaleZeroModel', nodes: NodeStore, node: int, parent: np.ndarray, action: np.ndarray, task: np.ndarray,
        plan: Groups
) -> Tuple[Tensor, Tensor, Tensor]:
    """Model step from each row's parent with its action: logits of reward (R, V), value (R, V) and policy (R, A)."""
    parent_on_device, action = nodes.to_device(np.stack([parent, action]))
    cache, tokens = nodes.branch(node, parent_on_device)
    full = nodes.full(parent)
    if len(full):
        latent, past_action = nodes.context(parent, full)
        length = torch.full((len(full), ), latent.shape[1], device=latent.device)
        _, _, reopened, reopened_tokens = model.open(latent, past_action, length, model.plan(task[full]))
        nodes.reopen(node, full, reopened)
        tokens[nodes.to_device(full)] = reopened_tokens
    reward, latent, policy, value, tokens = model.extend(cache, tokens, action, plan)
    nodes.add(node, parent, action, latent, tokens)
    return reward, value, policy


def _to_host(policy: Tensor, *scalars: Tensor) -> Tuple[np.ndarray, ...]:
    """Scalars (R,) each, then policy logits (R, A), in one copy."""
    columns = torch.cat([torch.stack(scalars, -1), policy], -1).float().cpu().numpy()
    return (*columns[:, :len(scalars)].T, columns[:, len(scalars):])
