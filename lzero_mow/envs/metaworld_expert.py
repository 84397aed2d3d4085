"""
Meta-World's scripted experts: what somebody reaches who sees the simulator's state, goal included, and not a picture.

An upper reference for agents, and a source of episodes that succeed.
"""
from typing import Callable

import numpy as np


def new_expert(task: str) -> Callable[[np.ndarray], np.ndarray]:
    """
    Overview:
        The package's script of a task (``metaworld.policies``), for one episode. It was written to be asked at every
        step of the simulator. Where an action is held for several (``action_repeat``), it moves on with what it saw
        before the first of them, and may overshoot and succeed less often.
    Arguments:
        - task (:obj:`str`): Without -v3.
    Returns:
        - expert (:obj:`Callable`): State float64 (39, ) -> action float32 (4, ), clipped to -1 to 1.
    """
    from metaworld.policies import ENV_POLICY_MAP
    policy = ENV_POLICY_MAP[f'{task}-v3']()
    return lambda state: np.clip(policy.get_action(state), -1, 1).astype(np.float32)
