"""How weights begin, as in LightZero's code."""
import math

from torch import nn

from lzero_mow.model.common.grouped import GroupedLinear
from .heads import TaskHead
from .staged_linear import Adapter

EMBEDDING_STD = 0.02


def init_weights(module: nn.Module) -> None:
    """
    For `nn.Module.apply`, which goes from the inside out, so that what a module says about its own layers stands:
    Xavier-uniform linear layers and convolutions without bias, embeddings N(0, 0.02^2), heads that put out zero. Layers
    with adapters begin as those without.
    """
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        nn.init.xavier_uniform_(module.weight)
    elif isinstance(module, GroupedLinear):
        bound = math.sqrt(6 / sum(module.weight.shape[1:]))
        nn.init.uniform_(module.weight, -bound, bound)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=EMBEDDING_STD)
    elif isinstance(module, (Adapter, TaskHead)):
        module.reset()
    if isinstance(module, (nn.Linear, nn.Conv2d, GroupedLinear)) and module.bias is not None:
        nn.init.zeros_(module.bias)
