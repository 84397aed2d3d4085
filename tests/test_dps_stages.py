"""Which tasks count as solved, and when a stage ends."""
import pytest

from lzero_mow.multitask.dps.controller import StageController
from lzero_mow.multitask.dps.solved import SolvedTasks

TASKS = ('a', 'b', 'c')


def noted(*returns_of_a, patience=2):
    tasks = SolvedTasks(TASKS, dict(a=5.0, b=None), patience)
    for value in returns_of_a:
        tasks.record(dict(a=value, b=100.0, c=100.0))
    return tasks


@pytest.mark.unittest
@pytest.mark.parametrize(
    'returns, solved', [
        ([9], False),  # one lucky evaluation
        ([9, 1, 9, 1, 9], False),
        ([1, 5, 5], True),
        ([9, 9, 1], True),  # one unlucky evaluation
        ([9, 9, 1, 9, 1], True),
        ([9, 9, 1, 1], False),
        ([9, 9, 1, 1, 9, 9], True),
    ]
)
def test_a_task_is_solved_and_returns_after_evaluations_in_a_row(returns, solved):
    tasks = noted(*returns)
    assert tasks.solved == (['a'] if solved else [])
    other = noted()
    other.load_state_dict(tasks.state_dict())
    for value in (9, 1, 1, 9):  # the evaluations before a resume count too
        tasks.record(dict(a=value))
        other.record(dict(a=value))
        assert tasks.solved == other.solved


def switches(controller, solved_at, first=0, last=200, tasks=6):
    """The updates at which a stage begins, when one more task is solved at each of `solved_at`."""
    begun = []
    for update in range(first, last + 1):
        solved = sum(update >= when for when in solved_at)
        if controller.step(update, solved, tasks - solved):
            begun.append(update)
    return begun


@pytest.mark.unittest
@pytest.mark.parametrize(
    'min_first, solved_at, begun', [
        (30, [], [50, 100, 150]),  # stages that solve nothing end by themselves
        (60, [], [60, 110, 160]),  # stage 0 not before its time
        (30, [5, 6], [30, 80, 130]),  # two of six, with three adapters left for four: as soon as stage 0 may end
        (30, [35, 36, 41, 42, 45, 46], [36, 42, 45]),
    ]
)
def test_a_stage_ends_when_its_share_of_tasks_is_solved_or_its_time_is_over(min_first, solved_at, begun):
    controller = StageController(num_stages=4, min_first_updates=min_first, max_updates=50)
    assert switches(controller, solved_at) == begun
    assert controller.stage == 3


@pytest.mark.unittest
def test_a_stage_continues_after_a_resume():
    controller, other = (StageController(3, 10, 20) for _ in range(2))
    assert switches(controller, [], last=25) == [20]
    other.load_state_dict(controller.state_dict())
    assert switches(controller, [], first=26) == switches(other, [], first=26) == [40]
