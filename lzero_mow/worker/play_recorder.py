"""PlayRecorder: keeps the beginning of an evaluation episode, to measure a model on play that it was not trained on."""
from typing import Any, Dict, List

import numpy as np

from lzero_mow.buffer.batch import RecordedPlay


class PlayRecorder:
    """
    Overview:
        Keeps the first episode that is played in one environment of each task; frames of its first ``LONGEST`` steps.
    Arguments:
        - num_tasks (:obj:`int`), envs_per_task (:obj:`int`): Environments are numbered task by task.
    """
    LONGEST = 500

    def __init__(self, num_tasks: int, envs_per_task: int) -> None:
        first = [task * envs_per_task for task in range(num_tasks)]
        self._seen: Dict[int, List[tuple]] = {env_id: [] for env_id in first}  # frames and actions
        self._steps: Dict[int, List[tuple]] = {env_id: [] for env_id in first}  # rewards and flags
        self._finished = set()

    def add(self, env_id: int, frame: np.ndarray, action: Any, timestep: Any) -> None:
        """A step of any environment: the frame it was decided on, the action, and what came of it."""
        steps = self._steps.get(env_id)
        if steps is None or env_id in self._finished:
            return
        info = timestep.info
        terminated = bool(info.get('terminated', timestep.done))
        if len(steps) < self.LONGEST:
            self._seen[env_id].append((frame, action))
        steps.append((float(timestep.reward), terminated, bool(info.get('life_loss', False))))
        if timestep.done:
            self._finished.add(env_id)

    def plays(self) -> List[RecordedPlay]:
        """What was recorded of each task."""
        return [self._play(self._seen[env_id], steps) for env_id, steps in self._steps.items()]

    @staticmethod
    def _play(seen: List[tuple], steps: List[tuple]) -> RecordedPlay:
        obs, action, reward, terminated, life_loss = (np.array(column) for column in (*zip(*seen), *zip(*steps)))
        return RecordedPlay(obs, action, reward.astype(np.float32), terminated, life_loss)
