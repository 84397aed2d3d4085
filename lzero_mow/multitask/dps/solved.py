"""Which tasks count as solved: they are neither collected nor trained on until they fail again."""
from collections import Counter
from typing import Any, Dict, List, Mapping, Optional, Sequence


class SolvedTasks:
    """
    A task becomes solved after ``patience`` consecutive evaluations with a mean return at or above its target, and
    unsolved after as many below it, because a single lucky or unlucky evaluation proves nothing. A task without a
    target never becomes solved. Solved tasks are still evaluated.
    """

    def __init__(self, tasks: Sequence[str], targets: Mapping[str, Optional[float]], patience: int) -> None:
        self._tasks, self._targets, self._patience = list(tasks), dict(targets), patience
        self._solved = {task: False for task in tasks}
        self._against = Counter()  # consecutive evaluations that contradict a task's status

    def record(self, returns: Mapping[str, float]) -> None:
        """Take one evaluation into account: the mean return of each task."""
        for task, mean_return in returns.items():
            target = self._targets.get(task)
            if target is None:
                continue
            contradicts = (mean_return >= target) != self._solved[task]
            self._against[task] = self._against[task] + 1 if contradicts else 0
            if self._against[task] == self._patience:
                self._solved[task] = not self._solved[task]
                self._against[task] = 0

    @property
    def solved(self) -> List[str]:
        """The solved tasks, in the order of all tasks."""
        return [task for task in self._tasks if self._solved[task]]

    def state_dict(self) -> Dict[str, Any]:
        """The whole state, as primitives."""
        return dict(solved=dict(self._solved), against=dict(self._against))

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self._solved, self._against = dict(state['solved']), Counter(state['against'])
