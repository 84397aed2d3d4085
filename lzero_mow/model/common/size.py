"""How large a model is."""
from torch import nn


def count_parameters(module: nn.Module) -> int:
    """Elements of all parameters and floating-point buffers, counted as in the paper: what training changes."""
    tensors = list(module.parameters()) + [buffer for buffer in module.buffers() if buffer.is_floating_point()]
    return sum(tensor.numel() for tensor in tensors)
