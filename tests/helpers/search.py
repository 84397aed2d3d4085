"""Small models as the search uses them, windows to start from, and LightZero's Python trees for the compiled ones."""
from types import SimpleNamespace
from typing import Callable
from unittest.mock import patch

import numpy as np
import torch
from easydict import EasyDict
from lzero.mcts.ptree import minimax, ptree_mz
from torch import Tensor

from lzero_mow.mcts.tree_search import Window
from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel

CONFIG = EasyDict(
    num_simulations=24, root_dirichlet_alpha=0.3, root_noise_weight=0.25, pb_c_base=19652, pb_c_init=1.25,
    discount_factor=0.9, value_delta_max=0.01, context_length=2
)


class FakeModel:
    """
    Overview:
        Every output depends on every token in the cache, on its place there and on the task; so does the next latent. A
        row's numbers do not depend on the rows beside it, to the last bit.
    Arguments:
        - num_tasks, num_actions, max_steps (:obj:`int`): Sizes; a cache holds 2 * max_steps tokens.
    """
    width, layers = 3, 2
    reward_support = SimpleNamespace(mean=lambda logits: logits[..., 0] - logits[..., 1])
    value_support = SimpleNamespace(mean=lambda logits: logits.sum(-1))

    def __init__(self, num_tasks: int, num_actions: int, max_steps: int) -> None:
        generator = torch.Generator().manual_seed(0)
        draw = lambda *shape: torch.randn(num_tasks, *shape, generator=generator, dtype=torch.float64)
        self.action_token, self.to_policy = draw(num_actions, self.width), draw(self.width, num_actions) / 2
        self.to_reward, self.to_value = draw(self.width, 2), draw(self.width, 2)
        self.to_latent = draw(self.width, self.width)
        self.max_tokens = 2 * max_steps
        self.part_of_layer = torch.tensor([[1.0, 2.0], [-3.0, 5.0]], dtype=torch.float64)
        self.actions, self.opened = [], []

    def eval(self) -> 'FakeModel':
        return self

    def route(self, tasks) -> Tensor:
        return torch.as_tensor(tasks)

    def write(self, cache: Tensor, token: Tensor, at: Tensor) -> None:
        scaled = self.part_of_layer.view(-1, 1, 1) * token  # (layers * 2, R, D)
        cache[:, :, torch.arange(len(token)), 0, at] = scaled.view(self.layers, 2, *token.shape)

    def summary(self, cache: Tensor, tokens: Tensor) -> Tensor:
        place = torch.arange(self.max_tokens)
        seen = (place < tokens[:, None])[:, None, :, None]  # (R, 1, T, 1)
        weight = torch.cos(place.double())[:, None] * self.part_of_layer.flip(0)[:, :, None, None, None, None]
        return torch.where(seen, cache * weight, 0.0).sum((0, 1, 3, 4)).tanh()  # (R, D)

    def read(self, summary: Tensor, weight: Tensor, task: Tensor) -> Tensor:
        return (summary.unsqueeze(-1) * weight[task]).sum(1)

    def open(self, latent: Tensor, action: Tensor, length: Tensor, routing: Tensor):
        rows, steps, _ = latent.shape
        self.opened.append(length.tolist())
        cache = latent.new_zeros(self.layers, 2, rows, 1, self.max_tokens, self.width)
        for t in range(steps):
            self.write(cache, latent[:, t], torch.full((rows, ), 2 * t))
            if t < steps - 1:
                self.write(cache, self.action_token[routing, action[:, t]], torch.full((rows, ), 2 * t + 1))
        tokens = 2 * length - 1
        summary = self.summary(cache, tokens)
        return self.read(summary, self.to_policy, routing), self.read(summary, self.to_value, routing), cache, tokens

    def extend(self, cache: Tensor, tokens: Tensor, action: Tensor, routing: Tensor):
        self.actions.append(action)
        self.write(cache, self.action_token[routing, action], tokens)
        summary = self.summary(cache, tokens + 1)
        reward, latent = self.read(summary, self.to_reward, routing), self.read(summary, self.to_latent, routing).tanh()
        self.write(cache, latent, tokens + 1)
        summary = self.summary(cache, tokens + 2)
        policy, value = self.read(summary, self.to_policy, routing), self.read(summary, self.to_value, routing)
        return reward, latent, policy, value, tokens + 2


class BanditModel(FakeModel):
    """Reward `rewards[action]` for the first action of a search, then none; values 0, the same policy everywhere."""

    def __init__(self, rewards: list, policy_logits: list) -> None:
        super().__init__(1, len(rewards), 40)
        self.rewards, self.policy_logits = torch.tensor(rewards).double(), torch.tensor(policy_logits).double()

    def open(self, latent, action, length, routing):
        _, value, cache, self.root_tokens = super().open(latent, action, length, routing)
        return self.policy_logits.expand(len(latent), -1), value * 0, cache, self.root_tokens

    def extend(self, cache, tokens, action, routing):
        _, latent, policy, value, longer = super().extend(cache, tokens, action, routing)
        reward = torch.where(tokens == self.root_tokens, self.rewards[action], 0.0)
        return torch.stack([reward, reward * 0], -1), latent, self.policy_logits.expand_as(policy), value * 0, longer


class PointingModel(FakeModel):
    """Actions are numbers; the first of a search brings `worth` times its nearness to `goal`, later ones nothing."""

    def __init__(self, goal: list, policy_outputs: list, worth: float = 1.0) -> None:
        super().__init__(1, len(policy_outputs), 40)
        self.worth = worth
        self.goal, self.policy_outputs = torch.tensor(goal).double(), torch.tensor(policy_outputs).double()

    def open(self, latent, action, length, routing):
        _, value, cache, self.root_tokens = super().open(latent, action[..., 0].long(), length, routing)
        return self.policy_outputs.expand(len(latent), -1), value * 0, cache, self.root_tokens

    def extend(self, cache, tokens, action, routing):
        _, latent, policy, value, longer = super().extend(cache, tokens, action[:, 0].long(), routing)
        self.actions[-1] = action
        reward = torch.where(tokens == self.root_tokens, self.worth * (1 - (action - self.goal).norm(dim=-1)), 0.0)
        return torch.stack([reward, reward * 0], -1), latent, self.policy_outputs.expand_as(policy), value * 0, longer


def random_window(length: list, task: list, num_actions: int, width: int = FakeModel.width) -> Window:
    """Windows of random latents and actions; what pads them is large."""
    rng = np.random.default_rng(0)
    rows, steps = len(length), max(length)
    latent = torch.from_numpy(rng.normal(size=(rows, steps, width)))
    latent[torch.arange(steps) >= torch.tensor(length)[:, None]] = 1e3
    action = torch.from_numpy(rng.integers(num_actions, size=(rows, steps - 1)))
    return Window(latent, action, np.array(length), task, np.ones((rows, num_actions), dtype=bool))


def row_of(window: Window, row: int) -> Window:
    """One row of a batch, cut to its length."""
    steps = int(window.length[row])
    return Window(
        window.latent[row:row + 1, :steps], window.action[row:row + 1, :steps - 1], window.length[row:row + 1],
        [window.task[row]], window.legal[row:row + 1]
    )


def tiny_networks() -> ScaleZeroModel:
    """ScaleZero's networks for 2 tasks, 3 actions and 6 steps of width 16, with heads that say something."""
    torch.manual_seed(0)
    model = ScaleZeroModel(
        num_tasks=2, action_space_size=3, observation_shape=(3, 16, 16), encoder='resnet', resnet_channels=8,
        embed_dim=16, num_layers=2, num_heads=2, max_steps=6, feed_forward_width=16, num_experts=4
    ).eval()
    for parameter in model.parameters():
        if not parameter.any():  # the heads' last layers start at zero
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def python_trees(batch_traverse: Callable = ptree_mz.batch_traverse) -> SimpleNamespace:
    """LightZero's Python trees under the names of `mz_tree`; their ties can be repeated, the compiled ones' cannot."""
    return SimpleNamespace(
        Roots=ptree_mz.Roots, MinMaxStatsList=minimax.MinMaxStatsList, ResultsWrapper=ptree_mz.SearchResults,
        batch_traverse=batch_traverse, batch_backpropagate=ptree_mz.batch_backpropagate
    )


def traverse_with_switch(
        roots, pb_c_base, pb_c_init, discount_factor, min_max_stats_lst, results, virtual_to_play_batch,
        deterministic=False
):
    """`batch_traverse` as in LightZero's main, where the first of equals can be asked for."""
    assert deterministic
    with patch.object(ptree_mz, 'random', SimpleNamespace(choice=lambda tied: tied[0])):
        return ptree_mz.batch_traverse(
            roots, pb_c_base, pb_c_init, discount_factor, min_max_stats_lst, results, virtual_to_play_batch
        )
