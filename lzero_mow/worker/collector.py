"""
MoWSegmentCollector: LightZero's segment collector, except that no step is lost.

One environment with segments of four steps, ``|`` marks a done:

    step      0 1 2 3  4 5 6 7  8 9 |  0 1 2 ...
    segment   [  a  ]  [  b  ]  [c]    [  d
    collect   1 1 1 1  1 1 1 1  2 2    3 3 3

The first ``collect`` returns a, padded with steps of b, the second b and c; d is in progress.
"""
import time
from collections import deque
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from ding.envs import BaseEnvManager, BaseEnvTimestep
from ding.torch_utils import to_ndarray
from ding.utils import SERIAL_COLLECTOR_REGISTRY
from lzero.mcts.buffer.game_segment import GameSegment
from lzero.mcts.utils import prepare_observation
from lzero.worker import MuZeroSegmentCollector

from lzero_mow.utils.ranks import total
from lzero_mow.utils.screen import is_first_process
from .collector_state import CollectorState
from .env_health import close_environments, explained_failures, task_name, wait_until_ready
from .env_stream import EnvStream


@SERIAL_COLLECTOR_REGISTRY.register('segment_mow')
class MoWSegmentCollector(CollectorState, MuZeroSegmentCollector):
    """
    Overview:
        Collects game segments from all environments of all tasks with one policy forward pass per step. Unlike its
        base class, it keeps segments in progress from one ``collect`` to the next (the base class drops them, a quarter
        of all steps for short episodes), and begins the segment after a done with the new episode's first observation
        (the base class uses the finished episode's last one). Every environment step is returned exactly once and in
        order. Segments are padded as in the base class, so LightZero's own buffers accept them.

    .. note::
        A full segment is padded with the first steps of the next one, so it is held back until that one is full or the
        episode ends. ``envsteps`` therefore counts the newest steps of an environment, fewer than two segments, before
        a buffer sees them.
    """

    def close(self) -> None:
        """Close the environments and the log of LightZero's class."""
        close_environments(self._env)
        super().close()

    def reset(self, _policy: Optional[Any] = None, _env: Optional[BaseEnvManager] = None) -> None:
        """Reset policy (or take a new one), environments (or launch new ones) and counters; new episodes begin."""
        super().reset(_policy, _env)
        for name in ('sampled_algo', 'gumbel_algo', 'use_ture_chance_label_in_chance_encoder'):
            if self.policy_config[name]:
                raise ValueError(f"policy.{name}=True is not supported by the collector 'segment_mow': set it to False")
        if _env is None:
            self.reset_env()
        self._streams = [EnvStream(env_id) for env_id in range(self._env_num)]
        self._envsteps = np.zeros(self._env_num, dtype=np.int64)
        self.deciding_seconds = 0.0  # wall-clock time spent in the policy
        self._finished_episodes = []
        self._pool_metas = []
        # Set if a resumed run cannot restore its environments: their old episodes must be closed first.
        self._interrupted = False

    @property
    def envsteps(self) -> np.ndarray:
        """Steps taken so far in each environment: int64 (env_num, )."""
        return self._envsteps.copy()

    def drain_episodes(self) -> List[Tuple[int, float, int]]:
        """The episodes that have ended since the last call, oldest first: (env id, raw return, length in steps)."""
        episodes, self._finished_episodes = self._finished_episodes, []
        return episodes

    def collect(
            self, num_segments: Optional[int] = None, train_iter: int = 0,
            policy_kwargs: Optional[Dict[str, float]] = None, env_ids: Optional[Sequence[int]] = None
    ) -> List[Any]:
        """
        Overview:
            Step the environments together until enough segments are complete, by default one per environment. Several
            ranks step together too, and count the segments of all; one of them may have no environment to step.
        Arguments:
            - policy_kwargs (:obj:`Optional[Dict[str, float]]`): ``temperature`` (default 1), ``epsilon`` (default 0).
            - env_ids (:obj:`Optional[Sequence[int]]`): Step only these, the others wait; by default all.
        Returns:
            - return_data (:obj:`List[Any]`): ``[segments, metas]``; a meta has the keys of the base class (priorities,
              done, unroll_plus_td_steps) and those of ``EnvStream.take_meta``, for its n real steps.
        Raises:
            - RuntimeError: If an environment dies or returns an abnormal step; names the environment and its task.
        """
        env_ids = range(self._env_num) if env_ids is None else env_ids
        num_segments = num_segments or self._default_num_segments or total(len(env_ids))
        policy_kwargs = {'temperature': 1.0, 'epsilon': 0.0, **(policy_kwargs or {})}
        self._close_interrupted_episodes()
        while total(len(self.game_segment_pool)) < num_segments:
            if not len(env_ids):
                continue
            with self._timer:
                ready_obs = wait_until_ready(self._env)
                obs = {env_id: ready_obs[env_id] for env_id in env_ids}
                output = self._act(obs, policy_kwargs)
                with explained_failures(self._env):
                    timesteps = self._env.step({env_id: output[env_id]['action'] for env_id in obs})
            seconds = self._timer.value / len(timesteps)
            for env_id, timestep in timesteps.items():
                self._env_info[env_id]['time'] += seconds
                self._store(self._streams[env_id], obs[env_id], output[env_id], timestep)
        duration = self._total_duration
        self._output_log(train_iter)
        # In LightZero 0.2.0, but not on main, `_output_log` adds the time of the logged episodes again.
        self._total_duration = duration
        return self._empty_pool()

    def _act(self, obs: Dict[int, Any], policy_kwargs: Dict[str, float]) -> Dict[int, Dict[str, Any]]:
        """Begin new episodes, then run the policy once on the observations of all ready environments."""
        ready = sorted(obs)
        for env_id in ready:
            stream = self._streams[env_id]
            if stream.segment is None:
                stack = self.policy_config.model.frame_stack_num
                stream.window = deque([to_ndarray(obs[env_id]['observation'])] * stack, maxlen=stack)
                self._begin_segment(stream)
        frames = to_ndarray([self._streams[env_id].segment.get_obs() for env_id in ready])
        frames = prepare_observation(frames, self.policy_config.model.model_type)
        begun = time.monotonic()
        output = self._policy.forward(
            data=torch.from_numpy(frames).to(self.policy_config.device), ready_env_id=ready,
            action_mask=[to_ndarray(obs[env_id]['action_mask']) for env_id in ready],
            to_play=[to_ndarray(obs[env_id]['to_play']) for env_id in ready],
            timestep=[to_ndarray(obs[env_id].get('timestep', -1)) for env_id in ready], **policy_kwargs
        )
        self.deciding_seconds += time.monotonic() - begun
        return output

    def _begin_segment(self, stream: EnvStream) -> None:
        stream.segment = self._new_segment()
        stream.segment.reset(stream.window)

    def _new_segment(self) -> GameSegment:
        cfg = self.policy_config
        return GameSegment(self._env.action_space, game_segment_length=cfg.game_segment_length, config=cfg)

    def _store(self, stream: EnvStream, obs: Dict[str, Any], output: Dict[str, Any], timestep: BaseEnvTimestep) -> None:
        """
        Append the step that `output` made from `obs` to the environment's segment, and pass the segment on when it is
        full or the episode ends. RuntimeError for an abnormal step, which would silently join two episodes.
        """
        env_id, info = stream.env_id, timestep.info
        if info.get('abnormal', False):
            raise RuntimeError(
                f'environment {env_id} (task {task_name(self._env, env_id)}) returned an abnormal step: {info}; '
                'resume the run from its last checkpoint'
            )
        frame = to_ndarray(timestep.obs['observation'])
        stream.segment.store_search_stats(output['visit_count_distributions'], output['searched_value'])
        stream.segment.append(
            output['action'], frame, timestep.reward, to_ndarray(obs['action_mask']), to_ndarray(obs['to_play']),
            timestep=to_ndarray(timestep.obs.get('timestep', -1))
        )
        stream.window.append(frame)
        stream.record_flags(timestep.done, info)
        if 'root_sampled_actions' in output:
            stream.sampled_actions.append(output['root_sampled_actions'])
        stream.predicted_values.append(output['predicted_value'])
        stream.searched_values.append(output['searched_value'])
        stream.entropy_sum += float(output['visit_count_distribution_entropy'])
        stream.episode_steps += 1
        self._envsteps[env_id] += 1
        self._total_envstep_count += 1
        self._env_info[env_id]['step'] += 1
        if self._policy.get_attribute('cfg').type in ('unizero', 'sampled_unizero'):
            self._policy.reset(env_id=env_id, current_steps=stream.episode_steps, reset_init_data=False)
        self.dones[env_id] = timestep.done and not self.policy_config.ignore_done
        if stream.segment.is_full():
            self._hold_back(stream)
        if timestep.done:
            self._finish_episode(stream, float(info['eval_episode_return']))

    def _hold_back(self, stream: EnvStream) -> None:
        # The full segment pads and releases the previous one, and waits for its own padding.
        env_id = stream.env_id
        self._release_held(stream)
        self.last_game_segments[env_id] = stream.segment
        self.last_game_priorities[env_id] = self._priorities_of(stream)
        stream.held_meta = stream.take_meta()
        self._begin_segment(stream)

    def _release_held(self, stream: EnvStream) -> None:
        env_id = stream.env_id
        if self.last_game_segments[env_id] is None:
            return
        self.pad_and_save_last_trajectory(
            env_id, self.last_game_segments, self.last_game_priorities, {env_id: stream.segment}, self.dones
        )
        self._pool_metas.append(stream.held_meta)
        stream.held_meta = None

    def _priorities_of(self, stream: EnvStream) -> Optional[np.ndarray]:
        env_id = stream.env_id
        return self._compute_priorities(env_id, {env_id: stream.predicted_values}, {env_id: stream.searched_values})

    def _release_all(self, stream: EnvStream) -> None:
        # The episode is over: its last segment needs no padding.
        self._release_held(stream)
        if len(stream.segment.action_segment) > 0:
            priorities = self._priorities_of(stream)
            stream.segment.game_segment_to_array()
            self.game_segment_pool.append((stream.segment, priorities, self.dones[stream.env_id]))
            self._pool_metas.append(stream.take_meta())
        stream.end_episode()

    def _finish_episode(self, stream: EnvStream, episode_return: float) -> None:
        env_id, length = stream.env_id, stream.episode_steps
        seconds = self._env_info[env_id]['time']
        self._finished_episodes.append((env_id, episode_return, length))
        entropy = stream.entropy_sum / length
        if is_first_process():  # elsewhere LightZero, which logs and forgets them, does neither
            info = dict(reward=episode_return, time=seconds, step=length, visit_entropy=entropy)
            self._episode_info.append(info)
        self._total_episode_count += 1
        self._total_duration += seconds
        self._release_all(stream)
        self._policy.reset([env_id])
        self._reset_stat(env_id)

    def _close_interrupted_episodes(self) -> None:
        # The environments were restarted during these episodes: their last step is marked as a truncation.
        for stream in self._streams if self._interrupted else []:
            if stream.segment is not None:
                last = stream.flags if len(stream.segment.action_segment) > 0 else stream.held_meta
                last['truncated'][-1] = True
                self.dones[stream.env_id] = not self.policy_config.ignore_done
                self._release_all(stream)
            self._policy.reset([stream.env_id])
            self._reset_stat(stream.env_id)
        self._interrupted = False

    def _empty_pool(self) -> List[Any]:
        segments = [segment for segment, _, _ in self.game_segment_pool]
        metas = [
            dict(priorities=priorities, done=done, unroll_plus_td_steps=self.unroll_plus_td_steps, **meta)
            for (_, priorities, done), meta in zip(self.game_segment_pool, self._pool_metas)
        ]
        self.game_segment_pool.clear()
        self._pool_metas = []
        return [segments, metas]
