"""Dynamic Parameter Scaling as a policy uses it: which tasks are active, and in which stage the networks are."""
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Mapping

import torch
from ditk import logging
from easydict import EasyDict

from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel
from .controller import StageController
from .freeze import enter_stage, set_stage
from .solved import SolvedTasks


class ParameterScaling:
    """
    Joins the three parts of ScaleZero's section 4: solved tasks rest, stages follow one another, and each stage trains
    its own parameters of the model; the target is its slowly moving copy. With ``model.stages`` 1, no task ever rests
    and no parameter is frozen.
    """

    def __init__(self, model: ScaleZeroModel, target: ScaleZeroModel, cfg: EasyDict) -> None:
        self._scaled = cfg.model.stages > 1
        targets = dict(cfg.solved_returns or {}) if self._scaled else {}
        self._model, self._target, self._tasks = model, target, list(cfg.tasks)
        self._solved = SolvedTasks(self._tasks, targets, cfg.solved_patience)
        self._controller = StageController(cfg.model.stages, cfg.stage_min_updates, cfg.stage_max_updates)
        self._adapters_learn = not cfg.upstream_compat
        self.adopt_stage(model.stage)  # the stage of a loaded model

    @property
    def active_tasks(self) -> List[int]:
        """Ids of the unsolved tasks, ascending."""
        solved = self._solved.solved
        return [k for k, task in enumerate(self._tasks) if task not in solved]

    def note_evaluation(self, returns: Mapping[str, float]) -> None:
        """Take an evaluation into account: the mean return of every task."""
        before = self._solved.solved
        self._solved.record(returns)
        for task in self._tasks:
            if (task in before) != (task in self._solved.solved):
                logging.info('%s is %s', task, 'no longer solved' if task in before else 'solved: it rests from now on')

    @contextmanager
    def solved_heads_frozen(self) -> Iterator[None]:
        """
        Around a step of the optimizer: keeps the heads of solved tasks the same bit for bit. They get no gradient, but
        momentum and weight decay would still move them.
        """
        solved = [k for k, task in enumerate(self._tasks) if task in self._solved.solved]
        heads = [p for head in self._model.task_heads() for p in head.parameters()] if solved else []
        if not heads:
            yield
            return
        solved = torch.tensor(solved).to(heads[0].device, non_blocking=True)
        kept = [p.detach().index_select(0, solved) for p in heads]
        yield
        with torch.no_grad():
            for parameter, rows in zip(heads, kept):
                parameter.index_copy_(0, solved, rows)

    def step(self, updates: int) -> None:
        """Begin the next stage if it is time, given the updates so far."""
        solved = len(self._solved.solved)
        if self._controller.step(updates, solved, len(self._tasks) - solved):
            logging.info('stage %d begins after update %d', self._controller.stage, updates)
            self._enter()

    def adopt_stage(self, stage: int) -> None:
        """Continue in the stage of networks that were loaded."""
        self._controller.stage = stage
        self._enter()

    def _enter(self) -> None:
        enter_stage(self._model, self._controller.stage, self._adapters_learn)
        set_stage(self._target, self._controller.stage)

    def scalars(self) -> Dict[str, float]:
        """The stage, the number of solved tasks, and which ones; empty with a single stage."""
        if not self._scaled:
            return {}
        solved = self._solved.solved
        return {
            'dps/stage': float(self._controller.stage),
            'dps/solved': float(len(solved)),
            **{f'dps/solved/{task}': float(task in solved) for task in self._tasks},
        }

    def state_dict(self) -> Dict[str, Any]:
        """The whole state except the networks, as primitives."""
        return dict(solved=self._solved.state_dict(), controller=self._controller.state_dict())

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self._solved.load_state_dict(state['solved'])
        self._controller.load_state_dict(state['controller'])
        self._enter()
