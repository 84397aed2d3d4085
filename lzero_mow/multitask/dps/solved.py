"""Which tasks count as solved: they are neither collected nor trained, until they are seen to fail again."""
from collections import Counter
from typing import Any, Dict, List, Mapping, Optional, Sequence


class SolvedTasks:
    """
    Overview:
        A task is solved after several evaluations in a row at or above its target, and no longer solved after several
        in a row below it: one lucky evaluation proves nothing, one unlucky one neither. Solved tasks go on being
        evaluated.
    Arguments:
        - tasks (:obj:`Sequence[str]`): All tasks.
        - targets (:obj:`Mapping`): Mean return of an evaluation from which on a task is solved; a task without one
            never is.
        - patience (:obj:`int`): Evaluations in a row, of either kind.
    """

    def __init__(self, tasks: Sequence[str], targets: Mapping[str, Optional[float]], patience: int) -> None:
        self._tasks, self._targets, self._patience = list(tasks), dict(targets), patience
        self._solved = {task: False for task in tasks}
        self._against = Counter()  # evaluations in a row that speak against what is held of a task

    def note(self, returns: Mapping[str, float]) -> None:
        """
        Overview:
            Take in one evaluation.
        Arguments:
            - returns (:obj:`Mapping`): Mean return of each task.
        """
        for task, mean_return in returns.items():
            target = self._targets.get(task)
            if target is None:
                continue
            if (mean_return >= target) == self._solved[task]:
                self._against[task] = 0
                continue
            self._against[task] += 1
            if self._against[task] == self._patience:
                self._solved[task] = not self._solved[task]
                self._against[task] = 0

    @property
    def solved(self) -> List[str]:
        """The solved tasks, in the order of all tasks."""
        return [task for task in self._tasks if self._solved[task]]

    @property
    def active(self) -> List[str]:
        """The others."""
        return [task for task in self._tasks if not self._solved[task]]

    def state_dict(self) -> Dict[str, Any]:
        """Everything, as primitives."""
        return dict(solved=dict(self._solved), against=dict(self._against))

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self._solved, self._against = dict(state['solved']), Counter(state['against'])
