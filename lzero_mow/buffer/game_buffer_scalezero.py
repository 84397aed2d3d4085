"""ScaleZeroGameBuffer: the replay of all tasks, with the search's result for every step."""
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

import numpy as np
import torch
from ding.utils import BUFFER_REGISTRY

from .game_buffer_mow import MoWGameBuffer
from .sampler import rows_of
from .search_batch import SearchBatch
from .stream import Fields

SAMPLED_FIELDS = ('obs', 'action', 'reward', 'terminated', 'truncated', 'life_loss')


@BUFFER_REGISTRY.register('game_buffer_scalezero')
class ScaleZeroGameBuffer(MoWGameBuffer):
    """
    Overview:
        MoW's replay, which also keeps the visit distribution of each step's search, 2 A bytes per step: the policy
        target, until the step is searched anew (`reanalyze_buffer`). Where actions are continuous, the search chose
        from C samples of them; they are kept too, 2 C + 2 C A bytes per step in all.
    """

    def _more_fields(self) -> Fields:
        model, fields = self._cfg.model, super()._more_fields()
        if not model.continuous_action_space:
            return dict(fields, visits=((model.action_space_size, ), np.float16))
        count = self._cfg.num_sampled_actions
        samples = ((count, model.action_space_size), np.float16)
        return dict(fields, visits=((count, ), np.float16), sampled_actions=samples)

    def _lengths(self) -> Dict[str, int]:
        return {'num_unroll_steps + td_steps': self._cfg.num_unroll_steps + self._cfg.td_steps}

    def _steps(self, data: Any, meta: Dict[str, Any]) -> Dict[str, np.ndarray]:
        steps = super()._steps(data, meta)
        count = len(steps['action'])
        steps['visits'] = np.asarray(data.child_visit_segment[:count])
        expected = (count, *self._streams[0].arrays['visits'].shape[1:])
        if steps['visits'].shape != expected:
            raise ValueError(
                'the replay stores visit distributions over all actions, 0 for illegal ones, or over samples: it '
                f"expected child_visit_segment of shape {expected} and got {steps['visits'].shape}"
            )
        if self._cfg.model.continuous_action_space:
            steps['sampled_actions'] = meta['sampled_actions']
        return steps

    def sample(self, batch_size: int, tasks: Optional[Sequence[int]] = None) -> Dict[str, SearchBatch]:
        """See `Replay.sample`: the batch has the key ``search``."""
        return dict(search=self.sample_search(batch_size, tasks=tasks))

    def sample_for_report(self, n: int, rng: np.random.Generator) -> SearchBatch:
        return self.sample_search(n, rng)

    def sample_search(
            self, n: int, rng: Optional[np.random.Generator] = None, tasks: Optional[Sequence[int]] = None
    ) -> SearchBatch:
        """Draw n sequences of ``num_unroll_steps + td_steps`` steps, see ``sample_sequences``."""
        return self._batch(*self._sample_arrays(n, *self._sampled, rng, tasks))

    def reanalyze_buffer(
            self, n: int, search_anew: Callable[[SearchBatch], SearchBatch], tasks: Optional[Sequence[int]] = None
    ) -> None:
        """
        Overview:
            Draw n sequences as ``sample`` does, search from their steps anew, and keep the results in the replay.
        Arguments:
            - search_anew (:obj:`Callable`): Returns the batch with new results.
        """
        length, fields = self._sampled
        drawn, task = self._draw_sequences(n, length, None, tasks)
        batch = self._batch(self._gathered(drawn, length, fields), task)
        valid, found = batch.valid.numpy(), search_anew(batch)
        results = {name: getattr(found, name).cpu().numpy() for name in self._of_search}
        for stream, starts, rows in rows_of(drawn):
            stream.rewrite(starts, valid[rows], {name: result[rows] for name, result in results.items()})

    @property
    def _sampled(self) -> Tuple[int, Tuple[str, ...]]:
        """The steps of a sequence, those for the value targets included, and the fields that are drawn of them."""
        return self._cfg.num_unroll_steps + self._cfg.td_steps, (*SAMPLED_FIELDS, *self._of_search)

    @property
    def _of_search(self) -> Tuple[str, ...]:
        """The fields that a search fills in."""
        return ('visits', 'sampled_actions') if self._cfg.model.continuous_action_space else ('visits', )

    def _batch(self, arrays: Dict[str, np.ndarray], task: Tuple[int, ...]) -> SearchBatch:
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        if not self._cfg.model.continuous_action_space:
            tensors['action'] = tensors['action'].long()
        if self._cfg.clip_rewards:
            tensors['reward'] = tensors['reward'].sign()
        for name in self._of_search:
            tensors[name] = tensors[name][:, :self._cfg.num_unroll_steps].float()
        batch = SearchBatch(**tensors, task=task)
        return batch.pinned() if self._pinned else batch
