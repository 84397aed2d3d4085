"""`MoWModel`: world model and agent in one registered module."""
from ding.utils import MODEL_REGISTRY
from easydict import EasyDict
from torch import nn

from lzero_mow.config.mow import MOW_MODEL_CONFIG
from lzero_mow.config.tree import merge
from .actor_critic import ActorCritic
from .world_model import WorldModel
from .world_model_loss import HarmoniousWeights


@MODEL_REGISTRY.register('MoWModel')
class MoWModel(nn.Module):
    """
    Overview:
        Mixture-of-World Models (Zhang et al., ICLR 2026, arXiv 2602.01270): a modular world model of K tasks, and an
        agent that learns in its imagination.
    Arguments:
        - cfg: Any key of `MoWModelKeys` in lzero_mow/config/mow.py; a model that is made without a
            policy has the defaults of missing keys.
    Raises:
        - ValueError: For an unknown key, or sizes that do not fit together.
    """

    def __init__(self, **cfg) -> None:
        super().__init__()
        cfg = EasyDict(merge(MOW_MODEL_CONFIG, cfg))
        self.world_model = WorldModel(cfg)
        self.task_weights = HarmoniousWeights(cfg.num_tasks)
        self.agent = ActorCritic(self.world_model.latent_dim + self.world_model.hidden_dim, cfg)
