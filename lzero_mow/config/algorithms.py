"""What a configuration needs to know of each policy. Light: imports no torch."""
from typing import Callable, Dict, NamedTuple, Optional, Tuple, Type

from .common import PolicyKeys
from .mow import MoWKeys, check_mow
from .scalezero import ScaleZeroKeys, check_scalezero


class Algorithm(NamedTuple):
    """A policy and what belongs to it."""
    keys: Type[PolicyKeys]  # its keys with their types, ranges and defaults
    create: Dict[str, dict]  # its part of LightZero's create_config
    check: Callable[[dict], None]  # raises ValueError in one line for keys that do not fit each other
    # Keys of ``policy``: sequences in the batch of an update, and their steps; the same of what it imagines.
    batch: Tuple[str, str]
    imagination: Optional[Tuple[str, str]]


def _parts(name: str) -> Dict[str, dict]:
    return {
        'policy': dict(type=name, import_names=[f'lzero_mow.policy.{name}']),
        'replay_buffer': dict(type=f'game_buffer_{name}', import_names=[f'lzero_mow.buffer.game_buffer_{name}']),
    }


ALGORITHMS = {
    'mow': Algorithm(
        MoWKeys, _parts('mow'), check_mow, ('batch_size', 'batch_length'), ('imagine_batch_size', 'horizon')
    ),
    'scalezero': Algorithm(
        ScaleZeroKeys, _parts('scalezero'), check_scalezero, ('batch_size', 'num_unroll_steps'), None
    ),
}
