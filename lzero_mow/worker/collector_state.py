"""Saving and restoring a collector between two `collect` calls."""
from typing import Any, Dict, Optional, Sequence

import numpy as np
from ding.envs import BaseEnvManager
from ding.envs.env_manager.base_env_manager import EnvState
from ditk import logging

from .env_stream import pack_segment, unpack_segment
from .packing import pack, unpack

# Attributes of the collector that are saved as they are.
PLAIN_STATE = (
    '_total_envstep_count', '_total_episode_count', '_total_duration', '_last_train_iter', '_env_info', '_episode_info',
    '_envsteps', '_finished_episodes', '_interrupted', 'last_game_priorities'
)


class CollectorState:
    """Mixin of MoWSegmentCollector: its whole state, environments included, as tensors and primitives."""

    def state_dict(self) -> Dict[str, Any]:
        """
        Counters, segments in progress or held back, finished episodes that were not drained, and the states of the
        environments if they live in this process and have ``state_dict``. Call it between two ``collect``.
        """
        assert not self.game_segment_pool, 'a collector cannot be saved in the middle of collect()'
        plain = {name: pack(getattr(self, name)) for name in PLAIN_STATE}
        return dict(
            plain=plain, flights=[stream.state_dict() for stream in self._streams],
            held_segments=[pack(pack_segment(segment)) for segment in self.last_game_segments],
            environments=pack_environments(self._env)
        )

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """
        Continue where ``state_dict`` was called. Environments whose state was not saved start a new episode; the steps
        of the old one come with the next ``collect``, its last step marked as a truncation.
        """
        if len(state['flights']) != self._env_num:
            raise ValueError(
                f"the checkpoint has {len(state['flights'])} collector environments, this run {self._env_num}: "
                'resume with the same tasks and the same env.collector_env_num'
            )
        for name, value in state['plain'].items():
            setattr(self, name, unpack(value))
        for stream, saved in zip(self._streams, state['flights']):
            stream.load_state_dict(saved, self._new_segment())
        held = [unpack(saved) for saved in state['held_segments']]
        self.last_game_segments = [unpack_segment(saved, self._new_segment()) for saved in held]
        if state['environments'] is None or vars(self._env).get('_envs') is None:
            logging.warning('the states of the environments were not saved: every environment starts a new episode')
            self._interrupted = True
        else:
            unpack_environments(state['environments'], self._env)

    def load_counts(self, states: Sequence[Dict[str, Any]], env_ids: range) -> None:
        """
        Go on from the states that another number of ranks had, with the environments that have these numbers in the
        run: new episodes begin, and the newest steps, fewer than two segments per environment, are lost.
        """
        steps = np.concatenate([unpack(state['plain']['_envsteps']) for state in states])
        episodes = [unpack(flight)['episode_id'] for state in states for flight in state['flights']]
        self._envsteps[:] = steps[env_ids.start:env_ids.stop]
        self._total_envstep_count = int(self._envsteps.sum())
        for stream, env_id in zip(self._streams, env_ids):
            stream.episode_id = episodes[env_id] + 1


def pack_environments(manager: BaseEnvManager) -> Optional[Dict[str, Any]]:
    """The state of a manager's environments between two steps; None if they live in other processes or cannot save."""
    envs = vars(manager).get('_envs')
    if envs is None or not all(hasattr(env, 'state_dict') for env in envs):
        return None
    ids = range(manager.env_num)
    ready_obs, counts = [manager._ready_obs[i] for i in ids], [manager._env_episode_count[i] for i in ids]
    return pack(dict(envs=[env.state_dict() for env in envs], ready_obs=ready_obs, episode_count=counts))


def unpack_environments(state: Dict[str, Any], manager: BaseEnvManager) -> None:
    """Restore a state from ``pack_environments`` in a launched manager of the same environments."""
    state = unpack(state)
    for env_id, env in enumerate(manager._envs):
        env.load_state_dict(state['envs'][env_id])
        manager._ready_obs[env_id] = state['ready_obs'][env_id]
        manager._env_episode_count[env_id] = state['episode_count'][env_id]
        manager._env_states[env_id] = EnvState.RUN
