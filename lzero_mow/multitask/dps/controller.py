"""When the next stage of Dynamic Parameter Scaling begins."""
from math import ceil
from typing import Any, Dict


class StageController:
    """
    Overview:
        Stage 0 trains the backbone itself, every later one a new low-rank adapter. A stage ends when its share of the
        tasks has been solved since it began, so that the adapters that are left suffice for the tasks that are left, or
        when it has lasted long enough; stage 0 lasts at least ``min_first_updates``. There is no way back.
    Arguments:
        - num_stages (:obj:`int`): Stage 0 and one an adapter.
        - min_first_updates (:obj:`int`): Updates that stage 0 lasts at least.
        - max_updates (:obj:`int`): Updates that a stage lasts at most; in stage 0 the minimum counts more.
    """

    def __init__(self, num_stages: int, min_first_updates: int, max_updates: int) -> None:
        self._num_stages, self._min_first, self._max = num_stages, min_first_updates, max_updates
        self.stage = 0
        self._began = 0  # at which update
        self._solved = 0  # tasks that were solved then

    def step(self, updates: int, solved: int, unsolved: int) -> bool:
        """
        Overview:
            Begin the next stage if it is time.
        Arguments:
            - updates (:obj:`int`): Updates so far.
            - solved (:obj:`int`), unsolved (:obj:`int`): Numbers of tasks.
        Returns:
            - changed (:obj:`bool`): Whether ``stage`` is another one now.
        """
        adapters_left = self._num_stages - 1 - self.stage
        lasted = updates - self._began
        if adapters_left == 0 or self.stage == 0 and lasted < self._min_first:
            return False
        share = max(1, ceil(unsolved / adapters_left))
        if solved - self._solved < share and lasted < self._max:
            return False
        self.stage, self._began, self._solved = self.stage + 1, updates, solved
        return True

    def state_dict(self) -> Dict[str, Any]:
        """Everything, as primitives."""
        return dict(stage=self.stage, began=self._began, solved=self._solved)

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self.stage, self._began, self._solved = state['stage'], state['began'], state['solved']
