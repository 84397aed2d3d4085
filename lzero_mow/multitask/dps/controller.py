"""When the next stage of Dynamic Parameter Scaling begins."""
from math import ceil
from typing import Any, Dict


class StageController:
    """
    Stage 0 trains the backbone itself, each later stage a new low-rank adapter. A stage ends when enough tasks have
    been solved since it began for the remaining adapters to suffice for the remaining tasks, or when it has lasted
    ``max_updates``; stage 0 never before ``min_first_updates``. Stages are never undone.
    """

    def __init__(self, num_stages: int, min_first_updates: int, max_updates: int) -> None:
        self._num_stages, self._min_first, self._max = num_stages, min_first_updates, max_updates
        self.stage = 0
        self._began = 0  # updates when this stage began
        self._solved = 0  # solved tasks when this stage began

    def step(self, updates: int, solved: int, unsolved: int) -> bool:
        """Begin the next stage if it is time, given the updates so far and the numbers of tasks; True if it began."""
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
        """The whole state, as primitives."""
        return dict(stage=self.stage, began=self._began, solved=self._solved)

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self.stage, self._began, self._solved = state['stage'], state['began'], state['solved']
