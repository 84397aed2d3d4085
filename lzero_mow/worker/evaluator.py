"""MoWEvaluator: LightZero's evaluator with the returns of every task apart."""
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional, Sequence

import lzero.worker.muzero_evaluator as stock
import numpy as np
from ding.utils import SERIAL_EVALUATOR_REGISTRY
from ding.worker.collector.base_serial_evaluator import VectorEvalMonitor
from lzero.mcts.buffer.game_segment import GameSegment
from lzero.worker import MuZeroEvaluator

from .env_health import WaitingManager, close_environments, explained_failures, wait_until_ready


@SERIAL_EVALUATOR_REGISTRY.register('mow')
class MoWEvaluator(MuZeroEvaluator):
    """
    Overview:
        Plays as many episodes in each evaluation environment, equally long ones if several, and tells the tasks apart.
        ``policy_config.evaluator_env_num`` environments belong to each task, in task order.
    Interfaces:
        ``play_same``, ``eval_tasks``; the rest is inherited.
    """
    _seeds: Optional[Sequence[int]] = None

    def play_same(self, seeds: Sequence[int]) -> None:
        """
        Overview:
            Make every evaluation play the same episodes. Needed where it is several in an environment; one is
            repeated by an environment that is seeded without ``dynamic_seed``.
        Arguments:
            - seeds (:obj:`Sequence[int]`): One per environment.
        """
        self._seeds = tuple(seeds)

    def eval_tasks(self, train_iter: int, envstep: int) -> Dict[str, np.ndarray]:
        """
        Overview:
            Evaluate all tasks with ``MuZeroEvaluator.eval``, one forward pass per step for all environments that
            still play.
        Arguments:
            - train_iter (:obj:`int`): Update counter, for the log.
            - envstep (:obj:`int`): Environment steps per task so far, for the log.
        Returns:
            - episodes (:obj:`Dict[str, np.ndarray]`): float64, shape (K, episodes per task), in task order: \
                ``return``, raw, and what the environments put into ``info['episode_info']`` at the end of an episode. \
                Only ``return``, NaN, on ranks other than 0, where LightZero does not evaluate.
        Raises:
            - RuntimeError: An environment died; named with its task.
        """
        monitors, each = [], self._default_n_episode // self._env_num
        # A reset of the last evaluation may still run; if its process died, `eval` would wait for it forever.
        wait_until_ready(self._env)
        if self._seeds is not None and each > 1:
            self._env.seed(list(self._seeds), dynamic_seed=True)
        manager, self._env = self._env, WaitingManager(self._env)
        try:
            with _observed_evaluation(monitors), explained_failures(manager):
                self.eval(train_iter=train_iter, envstep=envstep)
        finally:
            self._env = manager
        of_task = each * self.policy_config.evaluator_env_num
        if not monitors:
            return {'return': np.full((self._env_num * each // of_task, of_task), np.nan)}
        episodes = [info for env_id in range(self._env_num) for info in monitors[0]._info[env_id]]
        return {
            'return' if name == 'eval_episode_return' else name: np.array(
                [float(np.asarray(episode[name])) for episode in episodes]
            ).reshape(-1, of_task)
            for name in episodes[0]
        }

    def close(self) -> None:
        """Close the environments, and the log of LightZero's class."""
        close_environments(self._env)
        super().close()


class RecentFrames(GameSegment):
    """
    Overview:
        A segment that keeps only the frames the policy sees. LightZero's evaluator keeps a whole episode of float32
        frames, 49 kB per step: 1.3 GB for one environment at the limit of 27,000 steps.
    Interfaces:
        ``append``, ``get_obs``; the rest is inherited.
    """

    def append(self, *args: Any, **kwargs: Any) -> None:
        """
        Overview:
            Append a transition and drop the frame that left the window.
        Arguments:
            - args, kwargs: As in ``GameSegment.append``.
        """
        super().append(*args, **kwargs)
        del self.obs_segment[:-self.frame_stack_num]

    def get_obs(self) -> List[np.ndarray]:
        """
        Overview:
            The frames that the policy sees.
        Returns:
            - frames (:obj:`List[np.ndarray]`): The last ``frame_stack_num`` frames.
        """
        return list(self.obs_segment)


@contextmanager
def _observed_evaluation(monitors: List[VectorEvalMonitor]) -> Iterator[None]:
    """
    Overview:
        While the block runs, ``MuZeroEvaluator.eval`` keeps recent frames only, and its monitor, which holds the
        return of each environment and is local to ``eval`` otherwise, is appended to ``monitors``.
    Arguments:
        - monitors (:obj:`List[VectorEvalMonitor]`): Receives the monitor.
    """

    def keep_monitor(env_num: int, n_episode: int) -> VectorEvalMonitor:
        monitors.append(VectorEvalMonitor(env_num, n_episode))
        return monitors[-1]

    original = stock.GameSegment, stock.VectorEvalMonitor
    stock.GameSegment, stock.VectorEvalMonitor = RecentFrames, keep_monitor
    try:
        yield
    finally:
        stock.GameSegment, stock.VectorEvalMonitor = original
