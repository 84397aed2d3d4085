"""Six tasks that are three pairs of copies, on the interface of the two-task environment: a planted grouping."""
from typing import Any

from ding.utils import ENV_REGISTRY
from easydict import EasyDict

from helpers import two_task_env
from helpers.two_task_env import NUM_POSITIONS, TwoTaskEnv, make_frames

# By kind: the colour of its square, how far the right action lies from its position, and how it moves.
KINDS = {
    'Red': ((255, 64, 0), 0, 'anywhere'),
    'Blue': ((0, 128, 255), 1, 'round'),
    'Green': ((64, 255, 64), 2, 'never'),
}
TASKS = ('Red1', 'Blue1', 'Green1', 'Green2', 'Red2', 'Blue2')
PLANTED = [0, 1, 2, 2, 0, 1]
FRAMES = {kind: make_frames(colour) for kind, (colour, _, _) in KINDS.items()}


@ENV_REGISTRY.register('planted_mow')
class PlantedEnv(TwoTaskEnv):
    """Copies differ by nothing but their random numbers: environments of a run are seeded one by one."""
    config = dict(collector_env_num=1, evaluator_env_num=1, tasks=TASKS)

    def __init__(self, cfg: EasyDict) -> None:
        super().__init__(EasyDict(task=next(iter(two_task_env.TASKS))))
        self._task = cfg.task
        self._frames = FRAMES[cfg.task[:-1]]
        _, self._shift, self._moves = KINDS[cfg.task[:-1]]

    def step(self, action: Any):
        before = self._position
        timestep = super().step(action)
        if self._moves != 'anywhere':
            self._position = (before + (self._moves == 'round')) % NUM_POSITIONS
            timestep.obs['observation'] = self._frames[self._position].copy()
        return timestep

    @classmethod
    def check(cls, cfg: EasyDict) -> None:
        pass
