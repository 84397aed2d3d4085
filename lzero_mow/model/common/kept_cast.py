"""Parameters in the type that autocast multiplies in, cast once for as long as nothing learns."""
import weakref
from typing import Callable, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor


def product_dtype(x: Tensor) -> torch.dtype:
    """The type of products with x: autocast's where it is on, else x's own."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


class KeptCast:
    """
    A parameter in another type, and padded with zeros as `F.pad` is told. Without gradients the copy is kept until the
    parameter changes: a step of imagination or a decision casts nothing. Autocast keeps copies of whole parameters
    alone, of one `with` alone. An optimizer that is fused has to say that it has changed one, see `clipped_step`.
    """

    def __init__(self) -> None:
        self._copy: Optional[Tensor] = None
        self._of: Callable = lambda: None  # the parameter that it is a copy of
        self._state: Optional[Tuple] = None  # and how that was

    def __call__(self, parameter: Tensor, dtype: torch.dtype, padding: Sequence[int] = ()) -> Tensor:
        if parameter.dtype == dtype and not any(padding):
            return parameter
        if torch.compiler.is_compiling():  # a graph that is called when the copy has been made
            return self._copy
        state, learning = (parameter._version, parameter.device, dtype, tuple(padding)), torch.is_grad_enabled()
        if not learning and self._of() is parameter and self._state == state:
            return self._copy
        copy = parameter.to(dtype)
        copy = F.pad(copy, padding) if any(padding) else copy
        if not learning:
            self._copy, self._of, self._state = copy, weakref.ref(parameter), state
        return copy

    def __reduce__(self) -> Tuple:
        """A copy of a module is of other parameters, whose versions are counted anew."""
        return KeptCast, ()
