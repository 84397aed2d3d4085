"""What a configuration needs to know of each policy. Light: imports no torch."""
from typing import Callable, Dict, NamedTuple, Type

from .common import PolicyKeys
from .mow import MoWKeys, check_mow
from .scalezero import ScaleZeroKeys, check_scalezero


class Algorithm(NamedTuple):
    """A policy and what belongs to it."""
    keys: Type[PolicyKeys]  # its keys with their types, ranges and defaults
    create: Dict[str, dict]  # its part of LightZero's create_config
    check: Callable[[dict], None]  # raises ValueError in one line for keys that do not fit each other


def _parts(policy: str, module: str, replay: str, replay_module: str) -> Dict[str, dict]:
    return {
        'policy': dict(type=policy, import_names=[module]),
        'replay_buffer': dict(type=replay, import_names=[replay_module]),
    }


ALGORITHMS = {
    'mow': Algorithm(
        MoWKeys, _parts('mow', 'lzero_mow.policy.mow', 'game_buffer_mow', 'lzero_mow.buffer.game_buffer_mow'), check_mow
    ),
    'scalezero': Algorithm(
        ScaleZeroKeys,
        _parts(
            'scalezero', 'lzero_mow.policy.scalezero', 'game_buffer_scalezero', 'lzero_mow.buffer.game_buffer_scalezero'
        ),
        check_scalezero,
    ),
}
