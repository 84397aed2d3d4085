"""Initial weights, as in LightZero's code."""
import math

from torch import nn

from lzero_mow.model.common.grouped import GroupedLinear
from .heads import TaskHead
from .staged_linear import Adapter

EMBEDDING_STD = 0.02


def init_weights(module: nn.Module) -> None:
    """
    Xavier-uniform linear layers and convolutions with zero biases, embeddings N(0, 0.02^2), heads with zero output;
    layers with adapters start like those without. For `nn.Module.apply`, which visits a module after its layers, so
    that the module has the last word.
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
