"""MoWGameBuffer: the replay of all tasks, as sequences of steps."""
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from ding.utils import BUFFER_REGISTRY
from easydict import EasyDict

from lzero_mow.utils.ranks import own_cores, own_share
from .batch import SequenceBatch
from .sampler import Drawn, FairShares, draw_starts, gather
from .shards import ShardStore, prune
from .stream import Fields, StepStream

META_KEYS = {'env_id', 'episode_id', 'first_timestep', 'terminated', 'truncated', 'life_loss'}
SAMPLED_FIELDS = ('obs', 'action', 'reward', 'terminated', 'life_loss', 'first')


@BUFFER_REGISTRY.register('game_buffer_mow')
class MoWGameBuffer:
    """
    Overview:
        A `Replay` that keeps the last ``replay_buffer_size`` steps of each task, in one ring for each of its
        environments, and samples sequences of consecutive steps, across the ends of episodes as STORM does. Frames are
        compressed without loss (``replay_compression``); without, memory is constant once the rings are full.
    Arguments:
        - cfg (:obj:`EasyDict`): The policy's config. Used: replay_buffer_size (steps per task), replay_compression,
          collector_env_num (environments per task), batch_size, batch_length, life_loss_as_termination, imagine_source,
          imagine_batch_size, context_length, model.observation_shape, model.frame_stack_num, cuda.
        - tasks (:obj:`Sequence[str]`): Names in the order of the task ids.
    Raises:
        - ValueError: A batch or a sequence is longer than the replay.

    .. note::
        LightZero's segment collector holds a full segment back until the next one is there, so the newest steps of an
        environment, fewer than two segments, are not here yet although the collector has counted them.
    """

    @classmethod
    def default_config(cls) -> EasyDict:
        return EasyDict()

    def __init__(self, cfg: EasyDict, tasks: Sequence[str]) -> None:
        self._cfg = cfg
        self._tasks = list(tasks)
        self._streams_per_task = cfg.collector_env_num
        self._capacity = cfg.replay_buffer_size // self._streams_per_task
        self._check_sizes()
        compression = cfg.get('replay_compression', True)  # which the configuration of another project's policy lacks
        # Stream number e belongs to environment e of the collector, hence to task e // collector_env_num.
        self._streams = [
            StepStream(self._capacity, self._cfg.model.observation_shape, self._more_fields(), compression)
            for _ in range(len(self._tasks) * self._streams_per_task)
        ]
        # Seeded by numpy's global generator, hence by DI-engine's set_pkg_seed.
        self._rng = np.random.default_rng(np.random.randint(2 ** 31))
        self._shares = FairShares()
        self._pinned = cfg.get('cuda', False)
        self._threads = ThreadPoolExecutor(own_cores() if self._pinned else torch.get_num_threads(), 'decoding')
        self._store = ShardStore(dict(zip(self._names(cfg.get('tasks', self._tasks)), self._streams)))

    def _names(self, tasks: Sequence[str]) -> List[str]:
        """Names of the streams by the numbers of their environments in the whole run, of all ranks' tasks."""
        firsts = [list(tasks).index(task) * self._streams_per_task for task in self._tasks]
        return [f'env{first + i:04d}' for first in firsts for i in range(self._streams_per_task)]

    def _more_fields(self) -> Fields:
        """See `StepStream`."""
        model = self._cfg.model
        return dict(action=((model.action_space_size, ), np.float32)) if model.get('continuous_action_space') else {}

    def _lengths(self) -> Dict[str, int]:
        """The lengths of the sequences that ``sample`` draws, by the keys of the config."""
        lengths = dict(batch_length=self._cfg.batch_length)
        if self._cfg.imagine_source == 'replay':
            lengths['context_length'] = self._cfg.context_length
        return lengths

    def _check_sizes(self) -> None:
        for name, length in self._lengths().items():
            if length > self._capacity:
                raise ValueError(
                    f'policy.{name}={length} is longer than the replay of one environment ({self._capacity} steps = '
                    f'policy.replay_buffer_size={self._cfg.replay_buffer_size} over '
                    f'env.collector_env_num={self._streams_per_task}): lower the former or raise the latter'
                )
        steps = self._cfg.replay_buffer_size * len(self._tasks)
        if self._cfg.batch_size > steps:
            raise ValueError(
                f'policy.batch_size={self._cfg.batch_size} is larger than the replay of all tasks ({steps} steps): '
                'lower it or raise policy.replay_buffer_size'
            )

    def push_game_segments(self, data_and_meta: Tuple[List[Any], List[Dict[str, Any]]]) -> None:
        """Store the segments without their padding; ValueError for incomplete metas or frames that are not uint8."""
        for segment, meta in zip(*data_and_meta):
            missing = META_KEYS - set(meta)
            if missing:
                raise ValueError(f"the replay needs segments from the collector 'segment_mow': no {sorted(missing)}")
            steps = self._steps(segment, meta)
            self._streams[meta['env_id']].append(steps, meta['episode_id'], meta['first_timestep'])

    def _steps(self, data: Any, meta: Dict[str, Any]) -> Dict[str, np.ndarray]:
        count = len(meta['terminated'])  # the padding follows
        offset = self._cfg.model.frame_stack_num - 1
        obs = np.asarray(data.obs_segment[offset:offset + count])
        if obs.dtype != np.uint8:
            raise ValueError(f'the replay stores uint8 frames, the environment returned {obs.dtype}')
        return dict(
            obs=obs,
            action=np.asarray(data.action_segment[:count]).reshape(count, *self._streams[0].arrays['action'].shape[1:]),
            reward=np.asarray(data.reward_segment[:count]).reshape(count),
            **{name: meta[name] for name in ('terminated', 'truncated', 'life_loss')}
        )

    def sample(self, batch_size: int, tasks: Optional[Sequence[int]] = None) -> Dict[str, Optional[SequenceBatch]]:
        """
        See `Replay.sample`. The keys are ``world_model`` and ``imagine``: the contexts that imagined rollouts start
        from, None unless ``imagine_source`` is 'replay'.
        """
        cfg = self._cfg
        batch = dict(world_model=self.sample_sequences(batch_size, cfg.batch_length, tasks=tasks), imagine=None)
        if cfg.imagine_source == 'replay':
            rollouts = own_share(cfg.imagine_batch_size, len(cfg.get('tasks', self._tasks)))
            batch['imagine'] = self.sample_sequences(rollouts, cfg.context_length, tasks=tasks)
        return batch

    def sample_for_report(self, n: int, rng: np.random.Generator) -> SequenceBatch:
        return self.sample_sequences(n, self._cfg.batch_length, rng)

    def sample_sequences(
            self, n: int, length: int, rng: Optional[np.random.Generator] = None, tasks: Optional[Sequence[int]] = None
    ) -> SequenceBatch:
        """
        Overview:
            Draw n sequences of `length` steps, on the CPU: as evenly over the tasks as n allows (see `FairShares`), and
            uniformly over all possible starts within a task; ValueError if a task has none.
        Arguments:
            - rng (:obj:`Optional[np.random.Generator]`): Draw with this one and leave the buffer's own randomness and
              turns as they are, so that a report does not affect training.
            - tasks (:obj:`Optional[Sequence[int]]`): Ids of the tasks to draw from, ascending; None for all.
        """
        out, task = self._sample_arrays(n, length, SAMPLED_FIELDS, rng, tasks)
        terminated = out['terminated']
        if self._cfg.life_loss_as_termination:
            terminated = terminated | out['life_loss']
        action = torch.from_numpy(out['action'])
        batch = SequenceBatch(
            obs=torch.from_numpy(out['obs']), action=action if action.is_floating_point() else action.long(),
            reward=torch.from_numpy(out['reward']), terminated=torch.from_numpy(terminated).float(),
            first=torch.from_numpy(out['first']), task=task
        )
        return batch.pinned() if self._pinned else batch

    def _sample_arrays(
            self, n: int, length: int, fields: Sequence[str], rng: Optional[np.random.Generator],
            tasks: Optional[Sequence[int]] = None
    ) -> Tuple[Dict[str, np.ndarray], Tuple[int, ...]]:
        """The given fields, (n, length, ...) each, and the task of each sequence."""
        drawn, task = self._draw_sequences(n, length, rng, tasks)
        return self._gathered(drawn, length, fields), task

    def _draw_sequences(
            self, n: int, length: int, rng: Optional[np.random.Generator], tasks: Optional[Sequence[int]]
    ) -> Tuple[Drawn, Tuple[int, ...]]:
        """Where n sequences start, and the task of each."""
        fair_shares, rng = (self._shares, self._rng) if rng is None else (FairShares(), rng)
        tasks = range(len(self._tasks)) if tasks is None else tasks
        shares = dict(zip(tasks, fair_shares(n, length, len(tasks))))
        drawn = [part for task, share in shares.items() for part in self._draw(task, share, length, rng)]
        return drawn, tuple(task for task, share in shares.items() for _ in range(share))

    def _gathered(self, drawn: Drawn, length: int, fields: Sequence[str]) -> Dict[str, np.ndarray]:
        n = sum(len(starts) for _, starts in drawn)
        out = self._streams[0].empty(fields, (n, length), pinned=self._pinned)
        gather(drawn, length, out, self._threads)
        return out

    def _draw(self, task: int, count: int, length: int, rng: np.random.Generator) -> Drawn:
        if count == 0:
            return []
        first = task * self._streams_per_task
        try:
            return list(draw_starts(self._streams[first:first + self._streams_per_task], count, length, rng))
        except ValueError as error:
            raise ValueError(f'task {self._tasks[task]}: {error}') from error

    def get_num_of_transitions(self) -> int:
        return sum(len(stream) for stream in self._streams)

    def save(self, folder: Union[str, Path]) -> Dict[str, Any]:
        """
        Write the steps that are new since the last save into the folder, which is created if necessary. Folder and
        manifest together are the whole state of the replay: steps, counters, and the randomness of sampling.
        """
        shards, patches = self._store.save(folder)
        return dict(
            tasks=self._tasks, capacity=self._capacity, rng=self._rng.bit_generator.state,
            shares=self._shares.state_dict(),
            streams={name: stream.state_dict() for name, stream in self._store.streams.items()},
            shards=shards, patches=patches
        )

    def load(self, folder: Union[str, Path], manifest: Dict[str, Any]) -> None:
        streams, saved_streams = self._store.streams, manifest['streams']
        mine = dict(tasks=self._tasks, capacity=self._capacity, streams=len(streams))
        saved = dict(tasks=manifest['tasks'], capacity=manifest['capacity'], streams=len(saved_streams))
        if mine != saved and not (manifest['rng'] is None and streams.keys() <= saved_streams.keys()):
            raise ValueError(f'the saved replay has {saved}, this run has {mine}: resume with the same tasks and sizes')
        for name, stream in streams.items():
            stream.load_state_dict(saved_streams[name])
        self._store.load(folder, manifest['shards'], manifest['patches'])
        if manifest['rng'] is not None:
            self._rng.bit_generator.state = manifest['rng']
            self._shares.load_state_dict(manifest['shares'])

    @staticmethod
    def together(manifests: Sequence[Dict[str, Any]]) -> Dict[str, Any]:
        """
        The manifest of the replays of several ranks, for another number of them, each of which loads what is its own;
        its randomness begins anew.
        """
        union = {
            key: {name: value for manifest in manifests for name, value in manifest[key].items()}
            for key in ('streams', 'shards', 'patches')
        }
        tasks = [task for manifest in manifests for task in manifest['tasks']]
        return dict(tasks=tasks, capacity=manifests[0]['capacity'], rng=None, shares=None, **union)

    @staticmethod
    def prune(folder: Union[str, Path], manifest: Dict[str, Any]) -> None:
        prune(folder, manifest['shards'], manifest['patches'])
