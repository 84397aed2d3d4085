"""What a policy remembers of each environment while it acts: the last latents and actions of the current episode."""
from typing import Dict, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor


class ActingMemory:
    """
    Overview:
        The last `window` latents and actions of each environment's current episode, on the model's device.
    Arguments:
        - action_dim (:obj:`int`): The numbers in an action; 0 for discrete actions.
    """

    def __init__(self, num_envs: int, window: int, latent_dim: int, action_dim: int, device: torch.device) -> None:
        self.window = window
        self.latent = torch.zeros(num_envs, window, latent_dim, device=device)
        shape, dtype = ((action_dim, ), torch.float) if action_dim else ((), torch.long)
        self.action = torch.zeros(num_envs, window, *shape, dtype=dtype, device=device)
        self.steps = np.zeros(num_envs, dtype=np.int64)  # steps of the current episode; step t is stored at t % window

    def reset(self, env_ids: Optional[Sequence[int]] = None) -> None:
        """Forget the episodes of these environments (None: of all)."""
        self.steps[slice(None) if env_ids is None else np.atleast_1d(env_ids)] = 0

    def append(self, env_ids: Sequence[int], latent: Tensor, action: Tensor) -> None:
        """Add one step (R, latent), (R,) or (R, A) of R environments."""
        row, at = np.asarray(env_ids), self.steps[env_ids] % self.window
        row_at = tuple(self._to_device(x) for x in (row, at))
        self.latent[row_at], self.action[row_at] = latent, action
        self.steps[env_ids] += 1

    def recent(self, env_ids: Sequence[int]) -> Tuple[Tensor, Tensor, np.ndarray]:
        """
        The window of each environment, oldest step first: latents (R, T, latent), actions (R, T) or (R, T, A), and
        lengths (R,), 0 where an episode has just begun. T is the longest length; shorter windows are followed by
        meaningless steps, which causal attention keeps out of sight.
        """
        length = np.minimum(self.steps[env_ids], self.window)
        step = (self.steps[env_ids] - length)[:, None] + np.arange(length.max())
        index = self._to_device(np.asarray(env_ids))[:, None], self._to_device(step % self.window)
        return self.latent[index], self.action[index], length

    def _to_device(self, x: np.ndarray) -> Tensor:
        return torch.from_numpy(x).to(self.latent.device, non_blocking=True)

    def state_dict(self) -> Dict:
        """Everything, for exact resume; in main memory, as ranks tell each other of it."""
        return dict(latent=self.latent.cpu(), action=self.action.cpu(), steps=self.steps.tolist())

    def load_state_dict(self, state: Dict) -> None:
        self.latent.copy_(state['latent'])
        self.action.copy_(state['action'])
        self.steps[:] = state['steps']
