"""The size of a model."""
from torch import nn


def count_parameters(module: nn.Module) -> int:
    """Elements of all parameters and floating-point buffers, which the paper counts: all that training changes."""
    tensors = list(module.parameters()) + [buffer for buffer in module.buffers() if buffer.is_floating_point()]
    return sum(tensor.numel() for tensor in tensors)
