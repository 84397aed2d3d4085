"""MoWEvaluator: LightZero's evaluator for many tasks, whose episodes it keeps apart."""
from collections import deque
from typing import Any, Dict, List, Optional, Sequence, Set

import numpy as np
import torch
from ding.torch_utils import to_ndarray
from ding.utils import SERIAL_EVALUATOR_REGISTRY
from lzero.mcts.utils import prepare_observation
from lzero.worker import MuZeroEvaluator

from lzero_mow.buffer.batch import RecordedPlay
from .env_health import close_environments, explained_failures, wait_until_ready
from .play_recorder import PlayRecorder


@SERIAL_EVALUATOR_REGISTRY.register('mow')
class MoWEvaluator(MuZeroEvaluator):
    """
    Overview:
        Plays the same number of episodes in each evaluation environment, and keeps only the frames that the policy
        sees; LightZero's ``eval`` keeps whole episodes of float32 frames, 1.3 GB for an environment at the limit of
        27,000 steps. ``policy_config.evaluator_env_num`` environments belong to each task, in task order.
    Interfaces:
        ``play_same``, ``eval_tasks``, ``plays``; the rest is inherited.
    """
    _seeds: Optional[Sequence[int]] = None
    # The beginning of an episode of each task in the last evaluation.
    plays: Sequence[RecordedPlay] = ()

    def play_same(self, seeds: Sequence[int]) -> None:
        """
        Overview:
            Make every evaluation play the same episodes. Needed where each environment plays several; a single one is
            repeated by an environment that is seeded without ``dynamic_seed``.
        Arguments:
            - seeds (:obj:`Sequence[int]`): One per environment.
        """
        self._seeds = tuple(seeds)

    def eval_tasks(self, train_iter: int, envstep: int) -> Dict[str, np.ndarray]:
        """
        Overview:
            Evaluate all tasks, with one forward pass per step for all environments that still play.
        Arguments:
            - train_iter (:obj:`int`), envstep (:obj:`int`): Updates and environment steps per task, for the log.
        Returns:
            - episodes (:obj:`Dict[str, np.ndarray]`): float64, shape (K, episodes per task), in task order:
              ``return``, raw, and what the environments put into ``info['episode_info']`` at the end of an episode.
        Raises:
            - RuntimeError: An environment died; named with its task.
        """
        each = self._default_n_episode // self._env_num
        # A reset of the last evaluation may still run; if its process died, the next reset would wait for it forever.
        wait_until_ready(self._env)
        if self._seeds is not None and each > 1:
            self._env.seed(list(self._seeds), dynamic_seed=True)
        with explained_failures(self._env):
            self._env.reset()
            self._policy.reset()
            infos = [info for of_env in self._play(each) for info in of_env]
        # LightZero's evaluator returns float32 numbers, and so does this one.
        episodes = {
            name: np.array([info[name] for info in infos], np.float32).astype(np.float64)
            .reshape(-1, each * self.policy_config.evaluator_env_num)
            for name in infos[0]
        }
        if self._logger is not None:  # as LightZero's evaluator has it on ranks other than 0
            self._logger.info('update %d, step %d: returns %s', train_iter, envstep, episodes['return'].tolist())
        return episodes

    def _play(self, each: int) -> List[List[Dict[str, Any]]]:
        """What there is to say of the episodes of each environment, in order."""
        finished: List[List[Dict[str, Any]]] = [[] for _ in range(self._env_num)]
        frames: Dict[int, deque] = {}
        playing, per_task = set(range(self._env_num)), self.policy_config.evaluator_env_num
        recorder = PlayRecorder(self._env_num // per_task, per_task)
        while playing:
            # The order of this set is that of the rows of the forward pass, hence of the random numbers that actions
            # are drawn with. It is copied at each step as LightZero does, because a copy may have another order.
            playing = set(playing)
            actions = self._act(playing, frames)
            for env_id, timestep in self._env.step(actions).items():
                recorder.add(env_id, frames[env_id][-1], actions[env_id], timestep)
                if timestep.done:
                    info = timestep.info
                    own = {'return': info['eval_episode_return'], **info.get('episode_info', {})}
                    finished[env_id].append({name: float(value) for name, value in own.items()})
                    self._policy.reset([env_id])
                    del frames[env_id]
                    if len(finished[env_id]) == each:
                        playing.remove(env_id)
        self.plays = recorder.plays()
        return finished

    def _act(self, playing: Set[int], frames: Dict[int, deque]) -> Dict[int, Any]:
        """The actions of these environments, by one forward pass; `frames`: what the policy sees of each of them."""
        obs, config = wait_until_ready(self._env), self.policy_config
        for env_id in playing:
            frame, stack = to_ndarray(obs[env_id]['observation']), config.model.frame_stack_num
            frames.setdefault(env_id, deque([frame] * stack, maxlen=stack)).append(frame)
        stacked = prepare_observation([list(frames[env_id]) for env_id in playing], config.model.model_type)
        output = self._policy.forward(
            torch.from_numpy(stacked).to(config.device).float(),
            [to_ndarray(obs[env_id]['action_mask']) for env_id in playing],
            [to_ndarray(obs[env_id]['to_play']) for env_id in playing], ready_env_id=playing,
            timestep=[to_ndarray(obs[env_id].get('timestep', -1)) for env_id in playing]
        )
        return {env_id: output[env_id]['action'] for env_id in playing}

    def close(self) -> None:
        """Close the environments, and the log of LightZero's class."""
        close_environments(self._env)
        super().close()
