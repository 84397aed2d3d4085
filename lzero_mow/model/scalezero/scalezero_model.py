"""`ScaleZeroModel`: encoder, backbone and heads in one registered module."""
from typing import NamedTuple, Sequence, Tuple

import torch
import torch.nn.functional as F
from ding.utils import MODEL_REGISTRY
from easydict import EasyDict
from torch import Tensor, nn

from lzero_mow.config.scalezero import SCALEZERO_MODEL_CONFIG
from lzero_mow.config.tree import merge
from lzero_mow.model.common.distributions import CategoricalPolicy, TruncatedNormalPolicy
from lzero_mow.model.common.groups import ONE_GROUP, Groups
from .backbone import Backbone
from .heads import TaskHead
from .init import init_weights
from .moe import DenseFeedForward, MoEFeedForward
from .norms import latent_norm
from .resnet import ResNet
from .staged_linear import StagedLinear, Staging
from .support import Support
from .vit import ViT


class Predictions(NamedTuple):
    """
    The heads' outputs for a sequence; all but the latent are logits.

        tokens:    o_0          a_0               o_1          a_1               ...
        outputs:   policy_0     reward_0          policy_1     reward_1          ...
                   value_0      next_latent_0     value_1      next_latent_1     ...

    reward_t is the result of action a_t, next_latent_t a prediction of o_{t+1}.
    """
    policy: Tensor  # (B, L, A), or (B, L, 2 A) for continuous actions: the outputs that `policy_class` takes
    value: Tensor  # (B, L, V)
    reward: Tensor  # (B, L, V)
    next_latent: Tensor  # (B, L, D)


class Roots(NamedTuple):
    """The roots of R searches."""
    policy: Tensor  # (R, A) logits, or (R, 2 A)
    value: Tensor  # (R, V) logits
    cache: Tensor  # (layers, 2, R, heads, 2 * max_steps, head_width)
    tokens: Tensor  # (R,) tokens of each row in the cache


class Extension(NamedTuple):
    """The result of one more action in each of R rows."""
    reward: Tensor  # (R, V) logits
    next_latent: Tensor  # (R, D)
    policy: Tensor  # (R, A) logits, or (R, 2 A)
    value: Tensor  # (R, V) logits
    tokens: Tensor  # (R,) tokens of each row in the cache


def make_encoder(cfg: EasyDict, staging: Staging) -> nn.Module:
    """The encoder `cfg.encoder`; ValueError for an unknown one."""
    if cfg.encoder == 'resnet':
        return ResNet(cfg.observation_shape, cfg.resnet_channels, cfg.resnet_blocks, cfg.embed_dim)
    if cfg.encoder != 'vit':
        raise ValueError(f"model.encoder is '{cfg.encoder}', choose 'vit' or 'resnet'")
    return ViT(
        cfg.observation_shape, cfg.patch_size, cfg.vit_width, cfg.vit_layers, cfg.vit_heads, cfg.vit_head_width,
        cfg.vit_mlp_width, cfg.vit_dropout, cfg.embed_dim, staging, cfg.vit_checkpoint
    )


@MODEL_REGISTRY.register('ScaleZeroModel')
class ScaleZeroModel(nn.Module):
    """
    Overview:
        ScaleZero (Pu et al., ICLR 2026, arXiv 2509.07945): one latent world model of K tasks, searched by MCTS. With
        `num_experts=0` it is dense multi-task UniZero.
    Arguments:
        - cfg: Any key of `ScaleZeroModelKeys` in lzero_mow/config/scalezero.py; a model that is made without a
            policy has the defaults of missing keys.
    Raises:
        - ValueError: For an unknown key, or sizes that do not fit together.
    """

    def __init__(self, **cfg) -> None:
        super().__init__()
        cfg = EasyDict(merge(SCALEZERO_MODEL_CONFIG, cfg))
        width, self.num_tasks = cfg.embed_dim, cfg.num_tasks
        staging = Staging(cfg.adapter_rank, cfg.adapter_alpha, cfg.adapter_dropout, cfg.stages)
        self.encoder = make_encoder(cfg, staging if cfg.adapt_encoder else Staging())
        self.latent_norm = latent_norm(cfg.latent_norm, 1, width)
        continuous, actions = cfg.continuous_action_space, cfg.action_space_size
        self.policy_class = TruncatedNormalPolicy if continuous else CategoricalPolicy
        self.action_embedding = nn.Linear(actions, width) if continuous else nn.Embedding(actions, width)
        self.backbone = Backbone(cfg, staging, lambda: self._feed_forward(cfg, staging))
        self.value_support, self.reward_support = Support(*cfg.value_support), Support(*cfg.reward_support)
        self.policy_head = TaskHead(cfg.num_tasks, width, actions * self.policy_class.outputs_per_action)
        self.value_head = TaskHead(cfg.num_tasks, width, len(self.value_support))
        self.reward_head = TaskHead(cfg.num_tasks, width, len(self.reward_support))
        next_norm = latent_norm(cfg.latent_norm, cfg.num_tasks, width)
        self.next_latent_head = TaskHead(cfg.num_tasks, width, width, next_norm)
        # (K, A): the legal actions of each task; all of them until its environment has said which.
        self.register_buffer('action_mask', torch.ones(cfg.num_tasks, actions, dtype=torch.bool))
        self.apply(init_weights)

    @staticmethod
    def _feed_forward(cfg: EasyDict, staging: Staging) -> nn.Module:
        if not cfg.num_experts:
            return DenseFeedForward(cfg.embed_dim, cfg.feed_forward_width, cfg.dropout, staging)
        return MoEFeedForward(
            cfg.embed_dim, cfg.feed_forward_width, cfg.num_experts, cfg.experts_per_token, cfg.num_shared_experts,
            cfg.router_norm, staging
        )

    @property
    def stage(self) -> int:
        """The stage of the layers with adapters; 0 if there are none."""
        return max((layer.current for layer in self.modules() if isinstance(layer, StagedLinear)), default=0)

    def task_heads(self) -> Sequence[TaskHead]:
        """The heads, whose tensors all have the task as first axis."""
        return self.policy_head, self.value_head, self.reward_head, self.next_latent_head

    def route(self, tasks: Sequence[int]) -> Groups:
        """The heads of B sequences, from their task ids on the host."""
        return Groups.of(tasks, self.num_tasks, self.action_embedding.weight.device)

    def encode(self, obs: Tensor) -> Tensor:
        """Frames (N, C, H, W) uint8 -> latents (N, D)."""
        return self.latent_norm(self.encoder(obs), ONE_GROUP)

    def forward(self, latent: Tensor, action: Tensor, routing: Groups) -> Predictions:
        """
        Latents (B, L, D), L at most `max_steps`, and actions (B, L) int64 or (B, L, A) float32; or only L - 1 of them
        if the last one is not known yet, for which reward and next latent are then predicted.
        """
        hidden = self.backbone(self._tokens(latent, action))
        policy, value = self._read(hidden[:, 0::2], routing, self.policy_head, self.value_head)
        reward, next_latent = self._read(hidden[:, 1::2], routing, self.reward_head, self.next_latent_head)
        return Predictions(policy, value, reward, next_latent)

    @torch.no_grad()
    def open(self, latent: Tensor, action: Tensor, length: Tensor, routing: Groups) -> Roots:
        """
        Start R searches, each from the last latent of its window of past steps: latents (R, n, D) with the actions
        (R, n - 1) int64 or (R, n - 1, A) between them. A window has `length` (R,) int64, 1 to n, latents; shorter ones
        are padded on the right with any finite numbers.
        """
        cache = self.backbone.new_cache(len(latent))
        hidden = self.backbone(self._tokens(latent, action), cache)  # (R, 2 n - 1, D); causal: steps see no padding
        last = hidden[torch.arange(len(hidden), device=hidden.device), 2 * (length - 1)]  # (R, D)
        return Roots(*self._read(last, routing, self.policy_head, self.value_head), cache, 2 * length - 1)

    @torch.no_grad()
    def extend(self, cache: Tensor, tokens: Tensor, action: Tensor, routing: Groups) -> Extension:
        """
        Append an action (R,) int64 or (R, A), and the next latent that it is predicted to lead to, to a cache of
        :meth:`open` or any of its rows, in place. `tokens` (R,) int64 are the tokens of each row in it, at most
        2 * max_steps - 2: not checked, because that would wait for the device.
        """
        hidden = self.backbone.step(self.action_embedding(action).unsqueeze(1), cache, tokens).squeeze(1)  # (R, D)
        reward, next_latent = self._read(hidden, routing, self.reward_head, self.next_latent_head)
        hidden = self.backbone.step(next_latent.unsqueeze(1), cache, tokens + 1).squeeze(1)
        policy, value = self._read(hidden, routing, self.policy_head, self.value_head)
        return Extension(reward, next_latent, policy, value, tokens + 2)

    def _tokens(self, latent: Tensor, action: Tensor) -> Tensor:
        """Latents (B, L, D) interleaved with L or L - 1 actions: (B, 2 L, D) or (B, 2 L - 1, D)."""
        missing = latent.shape[1] - action.shape[1]
        embedded = F.pad(self.action_embedding(action), (0, 0, 0, missing))  # (B, L, D)
        tokens = torch.stack([latent, embedded], 2).flatten(1, 2)
        return tokens[:, :tokens.shape[1] - missing]

    @staticmethod
    def _read(hidden: Tensor, routing: Groups, *heads: TaskHead) -> Tuple[Tensor, ...]:
        """Each head on hidden (R, ..., D), in the order of the batch."""
        rows = routing.sort(hidden)
        return tuple(routing.unsort(head(rows, routing)) for head in heads)
