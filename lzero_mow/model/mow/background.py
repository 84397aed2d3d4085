"""Background: a picture of each task, beside which the VAEs see and paint what is different."""
from typing import Optional, Sequence, Set

import torch
from torch import Tensor, nn


class Background(nn.Module):
    """
    A learned picture of each task, (K, C, H, W), which starts as the mean of the frames of the task's first training
    batch. Without it a decoder spends its first hundreds of updates on what never changes; its latents, which are of no
    use for that, carry nothing as long.
    """

    def __init__(self, num_tasks: int, frame: Sequence[int]) -> None:
        super().__init__()
        self.picture = nn.Parameter(torch.zeros(num_tasks, *frame))
        self.register_buffer('started', torch.zeros(num_tasks, dtype=torch.bool))
        self._waiting: Optional[Set[int]] = None  # on the host, the tasks that have not started; None: to be looked up
        self.register_load_state_dict_post_hook(lambda module, _: setattr(module, '_waiting', None))

    @torch.no_grad()
    def start(self, obs: Tensor, tasks: Sequence[int]) -> None:
        """Start the pictures that have not started yet, from frames (B, L, C, H, W) uint8 of B tasks on the host."""
        if self._waiting is None:
            self._waiting = set(torch.nonzero(~self.started).flatten().tolist())
        for k in self._waiting & set(tasks):
            rows = slice(tasks.index(k), tasks.index(k) + tasks.count(k))
            self.picture[k] = obs[rows].float().mean((0, 1)).div_(255)
            self.started[k] = True
            self._waiting.remove(k)

    def difference(self, obs: Tensor, task: Tensor) -> Tensor:
        """(B, L, C, H, W) uint8 and (B,) -> what differs from the task's picture, float of the same shape."""
        return obs.float().div_(255) - self(task).detach()

    def forward(self, task: Tensor) -> Tensor:
        """(B,) -> (B, 1, C, H, W)."""
        return self.picture[task].unsqueeze(1)
