"""Another replay than ours: every step in a list, and nothing of LightZero's."""
import os
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from ding.utils import BUFFER_REGISTRY
from easydict import EasyDict

from lzero_mow.buffer import SequenceBatch


@BUFFER_REGISTRY.register('list_replay')
class ListReplay:
    """What `lzero_mow.buffer.Replay` asks for, in the simplest form: it keeps everything, in one file per save."""

    @classmethod
    def default_config(cls) -> EasyDict:
        return EasyDict()

    def __init__(self, cfg: EasyDict, tasks: Sequence[str]) -> None:
        self._cfg, self._steps = cfg, [[] for _ in tasks]
        self._rng = np.random.default_rng(np.random.randint(2 ** 31))

    def push_game_segments(self, data_and_meta: Tuple[List[Any], List[Dict[str, Any]]]) -> None:
        for segment, meta in zip(*data_and_meta):
            steps = self._steps[meta['env_id'] // self._cfg.collector_env_num]
            for t, terminated in enumerate(meta['terminated']):
                steps.append(
                    dict(
                        obs=torch.tensor(segment.obs_segment[t]), action=torch.tensor(int(segment.action_segment[t])),
                        reward=torch.tensor(float(segment.reward_segment[t])),
                        terminated=torch.tensor(float(terminated)),
                        first=torch.tensor(meta['first_timestep'] + t == 0)
                    )
                )

    def get_num_of_transitions(self) -> int:
        return sum(map(len, self._steps))

    def sample(self, batch_size: int, tasks: Optional[Sequence[int]] = None) -> Dict[str, Optional[SequenceBatch]]:
        tasks = range(len(self._steps)) if tasks is None else tasks
        return dict(world_model=self._draw(batch_size, self._rng, tasks), imagine=None)

    def sample_for_report(self, n: int, rng: np.random.Generator) -> SequenceBatch:
        return self._draw(n, rng, range(len(self._steps)))

    def _draw(self, n: int, rng: np.random.Generator, tasks: Sequence[int]) -> SequenceBatch:
        rows, length = sorted(tasks[i % len(tasks)] for i in range(n)), self._cfg.batch_length
        starts = [rng.integers(len(self._steps[task]) - length + 1) for task in rows]
        steps = [self._steps[task][start:start + length] for task, start in zip(rows, starts)]
        stacked = {
            name: torch.stack([torch.stack([step[name] for step in row]) for row in steps]) for name in steps[0][0]
        }
        return SequenceBatch(**stacked, task=tuple(rows))

    def save(self, folder: str) -> Dict[str, Any]:
        file = f'{self.get_num_of_transitions()}.pt'
        torch.save(self._steps, os.path.join(folder, file))
        return dict(file=file, rng=self._rng.bit_generator.state)

    def load(self, folder: str, manifest: Dict[str, Any]) -> None:
        self._steps = torch.load(os.path.join(folder, manifest['file']), weights_only=True)
        self._rng.bit_generator.state = manifest['rng']

    def prune(self, folder: str, manifest: Dict[str, Any]) -> None:
        for file in set(os.listdir(folder)) - {manifest['file']}:
            os.remove(os.path.join(folder, file))
