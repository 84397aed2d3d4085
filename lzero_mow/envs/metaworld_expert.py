"""
Meta-World's scripted experts, which see the simulator's state, goal included, instead of pictures: an upper reference
for agents, and a source of successful episodes.
"""
from typing import Callable

import numpy as np


def new_expert(task: str) -> Callable[[np.ndarray], np.ndarray]:
    """
    The package's script for a task (``metaworld.policies``), for one episode: state float64 (39, ) -> action float32
    (4, ), clipped to [-1, 1]. It was written to be queried at every step of the simulator. If an action is held for
    several steps (``action_repeat``), the script acts on the state before the first of them, may overshoot, and
    succeeds less often.
    """
    from metaworld.policies import ENV_POLICY_MAP
    policy = ENV_POLICY_MAP[f'{task}-v3']()
    return lambda state: np.clip(policy.get_action(state), -1, 1).astype(np.float32)
