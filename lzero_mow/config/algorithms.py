"""What a configuration needs to know of each policy. Light: imports no torch."""
from typing import Callable, Dict, NamedTuple, Tuple

from .common import LIGHTZERO_CONFIG, LIGHTZERO_MODEL_CONFIG
from .mow import MOW_CONFIG, check_mow
from .scalezero import SCALEZERO_CONFIG, check_scalezero

FIXED_KEYS = (
    *(f'policy.{key}' for key in LIGHTZERO_CONFIG), *(f'policy.model.{key}' for key in LIGHTZERO_MODEL_CONFIG)
)


class Algorithm(NamedTuple):
    """A policy and what belongs to it."""
    config: dict  # its keys with their defaults
    create: Dict[str, dict]  # its part of LightZero's create_config
    fixed: Tuple[str, ...]  # keys that LightZero's workers read and for which only one value works
    check: Callable[[dict], None]  # raises ValueError in one line for a configuration that cannot work


def _parts(policy: str, module: str, replay: str, replay_module: str) -> Dict[str, dict]:
    return {
        'policy': dict(type=policy, import_names=[module]),
        'replay_buffer': dict(type=replay, import_names=[replay_module]),
    }


ALGORITHMS = {
    'mow': Algorithm(
        MOW_CONFIG, _parts('mow', 'lzero_mow.policy.mow', 'game_buffer_mow', 'lzero_mow.buffer.game_buffer_mow'),
        (*FIXED_KEYS, 'policy.num_unroll_steps', 'policy.td_steps'), check_mow
    ),
    'scalezero': Algorithm(
        SCALEZERO_CONFIG,
        _parts(
            'scalezero', 'lzero_mow.policy.scalezero', 'game_buffer_scalezero', 'lzero_mow.buffer.game_buffer_scalezero'
        ),
        FIXED_KEYS,
        check_scalezero,
    ),
}
