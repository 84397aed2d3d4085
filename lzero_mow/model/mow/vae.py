"""The VAE bank: one categorical VAE per task cluster (paper section 3.2), with STORM's encoder and decoder."""
from math import gcd
from typing import Iterator, List, Optional, Sequence, Tuple

import torch
from easydict import EasyDict
from torch import Tensor, nn

from lzero_mow.model.common.categorical import unimix
from lzero_mow.model.common.grouped import GroupedLinear
from lzero_mow.model.common.groups import Groups
from lzero_mow.utils.ranks import owner, rank, summed, summed_with_gradient, world_size

FINAL_SIZE = 4  # of the smallest feature map: 64 -> 32 -> 16 -> 8 -> 4


def conv_channels(stem_channels: int, size: int) -> List[int]:
    """Channels after each halving of a size x size frame down to 4 x 4: stem, 2 stem, 4 stem, ..."""
    return [stem_channels * 2 ** i for i in range((size // FINAL_SIZE).bit_length() - 1)]


def norm_layer(kind: str, channels: int) -> nn.Module:
    """Of a feature map: 'batch', 'group' (16 channels, or the largest smaller power of two that fits), 'layer'."""
    if kind == 'batch':
        return BatchNorm(channels)
    if kind == 'group':
        return nn.GroupNorm(channels // gcd(channels, 16), channels)
    if kind == 'layer':
        return nn.GroupNorm(1, channels)
    raise ValueError(f"model.norm is '{kind}', choose 'batch', 'group' or 'layer'")


class BatchNorm(nn.BatchNorm2d):
    """Batch norm over the rows of all ranks, some of which may have none, or of the only rank that has any."""
    over_ranks = False

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.over_ranks:
            return super().forward(x)
        # Sums around what the mean has been lately, so that one call suffices and a variance is no small difference of
        # large numbers.
        centre, channels = self.running_mean.clone(), x.shape[1]
        around = x.float() - centre[:, None, None]
        rows = around.new_full((1, ), x.numel() / channels)
        sums = summed_with_gradient(torch.cat([rows, around.sum((0, 2, 3)), around.square().sum((0, 2, 3))]))
        count, first, second = sums.split([1, channels, channels])
        momentum, count = self.momentum * (count.detach() > 0), count.detach().clamp(min=1)  # 0 without any row
        offset = first / count
        mean, variance = centre + offset, (second / count - offset.square()).clamp(min=0)
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * count / (count - 1).clamp(min=1), momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return ((around - offset[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)


class Encoder(nn.Module):
    """Convolutions of stride 2, four for 64 x 64: (B, C, size, size) in [0, 1] -> (B, out_features)."""

    def __init__(self, in_channels: int, size: int, stem_channels: int, norm: str) -> None:
        super().__init__()
        channels = [in_channels] + conv_channels(stem_channels, size)
        layers = []
        for narrow, wide in zip(channels, channels[1:]):
            layers += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=False), norm_layer(norm, wide), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.out_features = channels[-1] * FINAL_SIZE ** 2

    def forward(self, obs: Tensor) -> Tensor:
        return self.layers(obs)


class Decoder(nn.Module):
    """The encoder's mirror: (B, latent + task embedding) -> (B, C, size, size)."""

    def __init__(self, in_features: int, out_channels: int, size: int, stem_channels: int, norm: str) -> None:
        super().__init__()
        channels = conv_channels(stem_channels, size)[::-1]
        layers = [
            nn.Linear(in_features, channels[0] * FINAL_SIZE ** 2, bias=False),
            nn.Unflatten(1, (channels[0], FINAL_SIZE, FINAL_SIZE)),
            norm_layer(norm, channels[0]),
            nn.ReLU(inplace=True)
        ]
        for wide, narrow in zip(channels, channels[1:]):
            transposed = nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False)
            layers += [transposed, norm_layer(norm, narrow), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(channels[-1], out_channels, 4, 2, 1))

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent)


class VAEBank(nn.Module):
    """
    q_i(z | o, e) and p_i(o | z, e) for every cluster i. e_k is appended to the flattened features before the posterior
    head, and to z before the decoder's first layer.
    """

    def __init__(self, cfg: EasyDict) -> None:
        super().__init__()
        self.latent_shape, self.unimix_share = (cfg.categories, cfg.classes), cfg.unimix
        latent_dim, clusters = cfg.categories * cfg.classes, range(cfg.num_clusters)
        frame = (*cfg.observation_shape[:2], cfg.stem_channels, cfg.norm)
        self.encoders = nn.ModuleList(Encoder(*frame) for _ in clusters)
        features = self.encoders[0].out_features + cfg.task_embedding_dim
        self.posterior_head = GroupedLinear(cfg.num_clusters, features, latent_dim)
        self.decoders = nn.ModuleList(Decoder(latent_dim + cfg.task_embedding_dim, *frame) for _ in clusters)

    def share_out(self, cluster_of_task: Sequence[int]) -> None:
        """Note which clusters' tasks lie on several ranks: the statistics of batch norm are then those of all."""
        K = len(cluster_of_task)
        owners = [{owner(k, K) for k in range(K) if cluster_of_task[k] == i} for i in range(len(self.encoders))]
        self._only_rank = [None if len(ranks) > 1 else next(iter(ranks), 0) for ranks in owners]
        for norm, only in self._batch_norms():
            norm.over_ranks = only is None

    def _batch_norms(self) -> Iterator[Tuple[BatchNorm, Optional[int]]]:
        """Each with the rank that alone has rows of its cluster, None for several."""
        for pair, only in zip(zip(self.encoders, self.decoders), self._only_rank):
            yield from ((norm, only) for part in pair for norm in part.modules() if isinstance(norm, BatchNorm))

    @torch.no_grad()
    def share_statistics(self) -> None:
        """Have the statistics of clusters that only another rank sees from there."""
        if world_size() == 1:
            return
        mine = [(buffer, only == rank()) for norm, only in self._batch_norms() if only is not None
                for buffer in norm.buffers()]
        told = summed({str(i): buffer.double() * of_me for i, (buffer, of_me) in enumerate(mine)})
        for buffer, value in zip((buffer for buffer, _ in mine), told.values()):
            buffer.copy_(value)

    def encode(self, obs: Tensor, embedding: Optional[Tensor], clusters: Groups) -> Tensor:
        """
        (B, L, C, size, size), uint8 or what `Background` leaves of it, and e_k (B, E) -> posterior (B, L, categories,
        classes), log-probabilities.
        """
        batch, length = obs.shape[:2]
        obs = clusters.sort(obs)
        features = _per_cluster(self.encoders, obs, clusters, lambda x: _as_float(x.flatten(0, 1)))
        embedding = None if embedding is None else clusters.sort(embedding)
        features = _append_embedding(features.view(batch, length, -1), embedding)
        with torch.autocast(features.device.type, enabled=False):  # bfloat16 would give the KL twenty times the error
            logits = clusters.unsort(self.posterior_head(features.float(), clusters))
        return unimix(logits.unflatten(-1, self.latent_shape), self.unimix_share)

    def decode(self, latent: Tensor, embedding: Optional[Tensor], clusters: Groups) -> Tensor:
        """(B, L, latent) and (B, E) -> reconstruction (B, L, C, size, size), around [0, 1]."""
        latent = clusters.sort(_append_embedding(latent, embedding))
        frames = _per_cluster(self.decoders, latent, clusters, lambda x: x.flatten(0, 1))
        return clusters.unsort(frames.unflatten(0, latent.shape[:2]))


def _as_float(obs: Tensor) -> Tensor:
    """uint8 to [0, 1]; floats stay as they are."""
    return obs if obs.is_floating_point() else obs.float().div_(255)


def _append_embedding(x: Tensor, embedding: Optional[Tensor]) -> Tensor:
    """Append the (B, E) task embedding to every step of x (B, L, W)."""
    return x if embedding is None else torch.cat([x, embedding.unsqueeze(1).expand(-1, x.shape[1], -1)], -1)


def _per_cluster(modules: nn.ModuleList, x: Tensor, clusters: Groups, prepare) -> Tensor:
    """
    Each cluster's module on its slice of x: one call per cluster with rows, or with statistics of all ranks, because
    another one may have rows.
    """
    waited_for = lambda module: module.training and any(getattr(part, 'over_ranks', False) for part in module.layers)
    parts = [
        module(prepare(part)) for module, part in zip(modules, x.split(clusters.sizes))
        if len(part) or waited_for(module)
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts)
