"""What of torch.cuda is C++ behind its dispatcher, for the fake device. Import after `installed`."""
import time
from typing import Any

import torch
import torch.amp.autocast_mode
import torch.nn.functional as F
from torch.utils._foreach_utils import _foreach_supported_types

from .tensor import CUDA, FakeTensor

_attention = F.scaled_dot_product_attention


def _fake_attention(
        query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False
) -> Any:
    """One kernel, without dropout, whose inputs autocast has made bfloat16."""
    if not isinstance(query, FakeTensor):
        return _attention(query, key, value, attn_mask, dropout_p, is_causal)
    if torch.is_autocast_enabled('cuda'):
        query, key, value = (x.to(torch.bfloat16) for x in (query, key, value))
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype).masked_fill(~attn_mask, float('-inf'))
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    return kernel(query, key, value, 0.0, is_causal, attn_mask=attn_mask)[0]


class _Event:
    """A moment, by the clock of the host."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.at = 0.0

    def record(self, *args: Any) -> None:
        self.at = time.perf_counter()

    def synchronize(self) -> None:
        pass

    def elapsed_time(self, other: '_Event') -> float:
        return 1000 * (other.at - self.at)


def patch() -> None:
    """Make torch believe in the device."""
    for name, value in dict(
        _lazy_init=lambda: None, is_available=lambda: True, device_count=lambda: 1, current_device=lambda: 0,
        is_bf16_supported=lambda *args, **kwargs: True, get_device_capability=lambda device=None: (9, 0),
        synchronize=lambda *args: None, Event=_Event,
        get_rng_state=lambda device=None: torch.get_rng_state(), set_rng_state=lambda state, device=None: None,
        get_rng_state_all=lambda: [torch.get_rng_state()], set_rng_state_all=lambda states: None,
        manual_seed=lambda seed: None, manual_seed_all=lambda seed: None
    ).items():
        setattr(torch.cuda, name, value)
    torch.amp.autocast_mode.amp_definitely_not_available = lambda: False
    torch.Tensor.cuda = lambda self, device=None, non_blocking=False: self.to(CUDA, non_blocking=non_blocking)
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor makes a tensor in main memory, then uploads it
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    _foreach_supported_types.append(FakeTensor)
    F.scaled_dot_product_attention = _fake_attention
