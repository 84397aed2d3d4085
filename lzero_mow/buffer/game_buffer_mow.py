"""MoWGameBuffer: replay of all tasks behind LightZero's buffer interface."""
from pathlib import Path
from typing import Any, Dict, List, NoReturn, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from ding.utils import BUFFER_REGISTRY
from easydict import EasyDict
from lzero.mcts.buffer.game_buffer import GameBuffer

from .batch import SequenceBatch
from .sampler import FairShares, draw_starts
from .shards import ShardStore, prune
from .stream import Fields, StepStream

Draws = Tuple[StepStream, np.ndarray]  # a stream, and where the sequences from it start
SAMPLED_FIELDS = ('obs', 'action', 'reward', 'terminated', 'life_loss', 'first')


@BUFFER_REGISTRY.register('game_buffer_mow')
class MoWGameBuffer(GameBuffer):
    """
    Overview:
        Keeps the last ``replay_buffer_size`` steps of each task, in one ring for each of its environments, and
        samples sequences of consecutive steps, across the ends of episodes as STORM does. Memory is constant once
        the rings are full. It stores no search statistics: the parts of LightZero's interface that need them raise.
    Interfaces:
        ``push_game_segments``, ``sample``, ``sample_sequences``, ``get_num_of_transitions``,
        ``get_num_of_game_segments``, ``save``, ``load``, ``prune``; ``remove_oldest_data_to_fit`` and
        ``update_priority`` have nothing to do.

    .. note::
        LightZero's segment collector holds a full segment back until the next one is there, so the newest steps of an
        environment, fewer than two segments, are not here yet although the collector has counted them.
    """
    def __init__(self, cfg: EasyDict, tasks: Sequence[str]) -> None:
        """
        Overview:
            Reserve the rings.
        Arguments:
            - cfg (:obj:`EasyDict`): The policy's config. Used: replay_buffer_size (steps per task), collector_env_num \
                (environments per task), batch_size, batch_length, life_loss_as_termination, imagine_source, \
                imagine_batch_size, context_length, model.observation_shape, model.frame_stack_num.
            - tasks (:obj:`Sequence[str]`): Names in the order of the task ids.
        Raises:
            - ValueError: A batch or a sequence is longer than the replay.
        """
        super().__init__(cfg)
        self._tasks = list(tasks)
        self._streams_a_task = self._cfg.collector_env_num
        self._capacity = self._cfg.replay_buffer_size // self._streams_a_task
        self._check_sizes()
        # Stream number e belongs to environment e of the collector, so to task e // collector_env_num.
        self._streams = [
            StepStream(self._capacity, self._cfg.model.observation_shape, self._more_fields())
            for _ in range(len(self._tasks) * self._streams_a_task)
        ]
        self._num_of_segments = 0
        # Seeded by numpy's global generator, hence by DI-engine's set_pkg_seed.
        self._rng = np.random.default_rng(np.random.randint(2 ** 31))
        self._shares = FairShares()
        self._store = ShardStore()

    def _more_fields(self) -> Fields:
        # What is kept of a step in another form, or, by a replay derived from this one, besides.
        model = self._cfg.model
        return dict(action=((model.action_space_size, ), np.float32)) if model.get('continuous_action_space') else {}

    def _lengths(self) -> Dict[str, int]:
        # The sequences that `sample` draws, by what the config calls their lengths.
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
                    f'env.collector_env_num={self._streams_a_task}): lower the one or raise the other'
                )
        steps = self._cfg.replay_buffer_size * len(self._tasks)
        if self._cfg.batch_size > steps:
            raise ValueError(
                f'policy.batch_size={self._cfg.batch_size} is larger than the replay of all tasks ({steps} steps): '
                'lower it or raise policy.replay_buffer_size'
            )

    def push_game_segments(self, data_and_meta: Tuple[List[Any], List[Dict[str, Any]]]) -> None:
        """
        Overview:
            Store the real steps of the collector's segments; padding and search statistics are dropped.
        Arguments:
            - data_and_meta (:obj:`Tuple`): ``[segments, metas]`` from MoWSegmentCollector, oldest first.
        Raises:
            - ValueError: The metas lack the stream they belong to, or the frames are not uint8.
        """
        for segment, meta in zip(*data_and_meta):
            self._push_game_segment(segment, meta)

    def _push_game_segment(self, data: Any, meta: Optional[Dict[str, Any]] = None) -> None:
        missing = {'env_id', 'episode_id', 'first_timestep', 'terminated', 'truncated', 'life_loss'} - set(meta or {})
        if missing:
            raise ValueError(f"the replay needs segments from the collector 'segment_mow': no {sorted(missing)}")
        self._streams[meta['env_id']].append(self._steps(data, meta), meta['episode_id'], meta['first_timestep'])
        self._num_of_segments += 1
        self.num_of_collected_episodes += int(meta['terminated'][-1] or meta['truncated'][-1])

    def _steps(self, data: Any, meta: Dict[str, Any]) -> Dict[str, np.ndarray]:
        # The real steps of a segment: its padding follows them.
        count = len(meta['terminated'])
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

    def sample(self, batch_size: int, policy: Optional[Any] = None) -> Dict[str, Optional[SequenceBatch]]:
        """
        Overview:
            The data of one update.
        Arguments:
            - batch_size (:obj:`int`): Sequences for the world model, all tasks together.
            - policy (:obj:`Optional[Any]`): Part of LightZero's interface; not needed.
        Returns:
            - batch (:obj:`Dict[str, Optional[SequenceBatch]]`): ``world_model``, and ``imagine``: the contexts that \
                imagined rollouts start from, None unless ``imagine_source`` is 'replay'.
        """
        batch = dict(world_model=self.sample_sequences(batch_size, self._cfg.batch_length), imagine=None)
        if self._cfg.imagine_source == 'replay':
            batch['imagine'] = self.sample_sequences(self._cfg.imagine_batch_size, self._cfg.context_length)
        return batch

    def sample_for_report(self, n: int, rng: np.random.Generator) -> SequenceBatch:
        """
        Overview:
            Sequences to measure or to draw, from a generator of their own: what is learned stays as it would have been.
        Arguments:
            - n (:obj:`int`): Sequences in all.
        """
        return self.sample_sequences(n, self._cfg.batch_length, rng)

    def sample_sequences(self, n: int, length: int, rng: Optional[np.random.Generator] = None) -> SequenceBatch:
        """
        Overview:
            Draw sequences, as evenly over the tasks as n allows (the remainder goes round from call to call), and
            within a task uniformly over all places where one can start.
        Arguments:
            - n (:obj:`int`): Sequences in all, B.
            - length (:obj:`int`): Steps in each, L.
            - rng (:obj:`Optional[np.random.Generator]`): Draw from this one and leave the buffer's own randomness \
                and turns as they are, so that a report does not change what is learned.
        Returns:
            - batch (:obj:`SequenceBatch`): On the CPU, sorted by task.
        Raises:
            - ValueError: A task has no run of ``length`` steps; named.
        """
        out, task = self._sample_arrays(n, length, SAMPLED_FIELDS, rng)
        terminated = out['terminated']
        if self._cfg.life_loss_as_termination:
            terminated = terminated | out['life_loss']
        action = torch.from_numpy(out['action'])
        return SequenceBatch(
            obs=torch.from_numpy(out['obs']), action=action if action.is_floating_point() else action.long(),
            reward=torch.from_numpy(out['reward']), terminated=torch.from_numpy(terminated).float(),
            first=torch.from_numpy(out['first']), task=task
        )

    def _sample_arrays(
            self, n: int, length: int, fields: Sequence[str], rng: Optional[np.random.Generator],
            among: Optional[Sequence[int]] = None
    ) -> Tuple[Dict[str, np.ndarray], Tuple[int, ...]]:
        # The fields asked for, (n, length, ...) each, and the n tasks, which are `among` these or all.
        share_out = self._shares if rng is None else FairShares()
        rng = self._rng if rng is None else rng
        among = range(len(self._tasks)) if among is None else among
        shares = dict(zip(among, share_out(n, length, len(among))))
        arrays = self._streams[0].arrays
        out = {name: np.empty((n, length, *arrays[name].shape[1:]), arrays[name].dtype) for name in fields}
        row = 0
        for task, share in shares.items():
            for stream, starts in self._draw(task, share, length, rng):
                stream.gather(starts, length, {name: array[row:row + len(starts)] for name, array in out.items()})
                row += len(starts)
        return out, tuple(task for task, share in shares.items() for _ in range(share))

    def _draw(self, task: int, count: int, length: int, rng: np.random.Generator) -> List[Draws]:
        if count == 0:
            return []
        first = task * self._streams_a_task
        try:
            return list(draw_starts(self._streams[first:first + self._streams_a_task], count, length, rng))
        except ValueError as error:
            raise ValueError(f'task {self._tasks[task]}: {error}') from error

    def get_num_of_transitions(self) -> int:
        """Steps of all tasks that are in the replay now."""
        return sum(len(stream) for stream in self._streams)

    def get_num_of_game_segments(self) -> int:
        """Segments received so far; the rings keep steps, not segments."""
        return self._num_of_segments

    def remove_oldest_data_to_fit(self) -> None:
        """Nothing to do: a full ring overwrites its oldest steps."""

    def update_priority(self, train_data: Any, batch_priorities: Any) -> None:
        """Nothing to do: sampling is uniform."""

    def save(self, folder: Union[str, Path]) -> Dict[str, Any]:
        """
        Overview:
            Write the steps that are new since the last save into the folder.
        Arguments:
            - folder (:obj:`Union[str, Path]`): Made if it is not there.
        Returns:
            - manifest (:obj:`Dict[str, Any]`): Primitives only; belongs in the checkpoint. With the folder it is \
                the whole state of the replay: steps, counters, and the randomness of sampling.
        Raises:
            - OSError: The disk is full or not writable; earlier manifests stay valid.
        """
        return dict(
            tasks=self._tasks, capacity=self._capacity, segments=self._num_of_segments,
            episodes=self.num_of_collected_episodes, rng=self._rng.bit_generator.state,
            shares=self._shares.state_dict(), streams=[stream.state_dict() for stream in self._streams],
            shards=self._store.save(folder, self._streams_by_name())
        )

    def load(self, folder: Union[str, Path], manifest: Dict[str, Any]) -> None:
        """
        Overview:
            Become the replay that was saved: every later sample equals the one it would have drawn.
        Arguments:
            - folder (:obj:`Union[str, Path]`): The folder given to ``save``.
            - manifest (:obj:`Dict[str, Any]`): What ``save`` returned.
        Raises:
            - ValueError: Other tasks, another size, or a shard is missing or damaged.
        """
        mine = dict(tasks=self._tasks, capacity=self._capacity, streams=len(self._streams))
        saved = dict(tasks=manifest['tasks'], capacity=manifest['capacity'], streams=len(manifest['streams']))
        if mine != saved:
            raise ValueError(f'the saved replay has {saved}, this run {mine}: resume with the same tasks and sizes')
        for stream, state in zip(self._streams, manifest['streams']):
            stream.load_state_dict(state)
        self._store.load(folder, manifest['shards'], self._streams_by_name())
        self._num_of_segments = manifest['segments']
        self.num_of_collected_episodes = manifest['episodes']
        self._rng.bit_generator.state = manifest['rng']
        self._shares.load_state_dict(manifest['shares'])

    @staticmethod
    def prune(folder: Union[str, Path], manifest: Dict[str, Any]) -> None:
        """
        Overview:
            Remove the files that a manifest does not need. Call it once the checkpoint with that manifest is durable.
        Arguments:
            - folder, manifest: Given to ``save``, and what it returned.
        """
        prune(folder, manifest['shards'])

    def _streams_by_name(self) -> Dict[str, StepStream]:
        return {f'env{env_id:04d}': stream for env_id, stream in enumerate(self._streams)}

    def _needs_search(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError('the replay keeps no search statistics in the form of LightZero: use sample()')

    _make_batch = _needs_search
    _sample_orig_data = _needs_search
    _prepare_reward_value_context = _needs_search
    _prepare_policy_non_reanalyzed_context = _needs_search
    _prepare_policy_reanalyzed_context = _needs_search
    _compute_target_reward_value = _needs_search
    _compute_target_policy_reanalyzed = _needs_search
    _compute_target_policy_non_reanalyzed = _needs_search
