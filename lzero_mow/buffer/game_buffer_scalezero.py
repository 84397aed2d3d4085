"""ScaleZeroGameBuffer: the replay of all tasks, with what the search said of every step."""
from typing import Any, Dict, Optional, Sequence

import numpy as np
import torch
from ding.utils import BUFFER_REGISTRY

from .game_buffer_mow import MoWGameBuffer
from .search_batch import SearchBatch
from .stream import Fields

SAMPLED_FIELDS = ('obs', 'action', 'reward', 'terminated', 'truncated', 'life_loss', 'visits')


@BUFFER_REGISTRY.register('game_buffer_scalezero')
class ScaleZeroGameBuffer(MoWGameBuffer):
    """
    Overview:
        MoW's replay, which also keeps the visit distribution of each step's search, 2 A bytes a step: the policy
        target, as stored, since ScaleZero reanalyses nothing.
    Interfaces:
        ``sample``, ``sample_search``; the rest is inherited.
    """

    def _more_fields(self) -> Fields:
        return dict(visits=((self._cfg.model.action_space_size, ), np.float16))

    def _lengths(self) -> Dict[str, int]:
        return {'num_unroll_steps + td_steps': self._cfg.num_unroll_steps + self._cfg.td_steps}

    def _steps(self, data: Any, meta: Dict[str, Any]) -> Dict[str, np.ndarray]:
        steps = super()._steps(data, meta)
        count = len(steps['action'])
        visits = np.asarray(data.child_visit_segment[:count])
        expected = (count, self._cfg.model.action_space_size)
        if visits.shape != expected:
            raise ValueError(
                'the replay stores visit distributions over all actions, 0 for illegal ones: it expected '
                f'child_visit_segment of shape {expected} and got {visits.shape}'
            )
        return dict(steps, visits=visits)

    def sample(self, batch_size: int, policy: Optional[Any] = None) -> Dict[str, SearchBatch]:
        """
        Overview:
            The data of one update.
        Arguments:
            - batch_size (:obj:`int`): Sequences, all tasks together.
            - policy (:obj:`Optional[Any]`): The sequences are of its ``active_tasks`` alone, where it has some.
        Returns:
            - batch (:obj:`Dict[str, SearchBatch]`): ``search``.
        """
        return dict(search=self.sample_search(batch_size, among=getattr(policy, 'active_tasks', None)))

    def look(self, n: int, rng: np.random.Generator) -> SearchBatch:
        """
        Overview:
            As in the base class.
        """
        return self.sample_search(n, rng)

    def sample_search(
            self, n: int, rng: Optional[np.random.Generator] = None, among: Optional[Sequence[int]] = None
    ) -> SearchBatch:
        """
        Overview:
            Draw sequences of ``num_unroll_steps + td_steps`` steps as ``sample_sequences`` does.
        Arguments:
            - n (:obj:`int`): Sequences in all, B.
            - rng (:obj:`Optional[np.random.Generator]`): Draw from this one and leave the buffer's own randomness \
                and turns as they are.
            - among (:obj:`Optional[Sequence[int]]`): Ids of the tasks to draw from, ascending; None for all.
        Returns:
            - batch (:obj:`SearchBatch`): On the CPU, sorted by task.
        Raises:
            - ValueError: A task has no run of so many steps; named.
        """
        length = self._cfg.num_unroll_steps
        arrays, task = self._sample_arrays(n, length + self._cfg.td_steps, SAMPLED_FIELDS, rng, among)
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        tensors['action'] = tensors['action'].long()
        if self._cfg.clip_rewards:
            tensors['reward'] = tensors['reward'].sign()
        tensors['visits'] = tensors['visits'][:, :length].float()
        return SearchBatch(**tensors, task=task)
