"""When things happen, and random numbers that leave no trace."""
import random

import numpy as np
import pytest
import torch

from lzero_mow.entry.run.random_state import RandomState, isolated_rng
from lzero_mow.entry.run.schedule import Every, Schedule, UpdateRatio


def draw():
    return random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(3).tolist()


@pytest.mark.unittest
def test_every_multiple_once_and_jumps():
    every = Every(10)
    assert [step for step in (0, 0, 3, 9, 12, 13, 20, 20, 45, 49, 50) if every(step)] == [0, 12, 20, 45, 50]


@pytest.mark.unittest
def test_forced_once_at_the_end():
    every = Every(10)
    assert every(0) and not every(7) and every(7, force=True) and not every(7, force=True)
    assert every(10), 'the forced one does not use up the next multiple'


@pytest.mark.unittest
@pytest.mark.parametrize('ratio', [0.03, 0.4, 1.0, 2.5])
def test_update_ratio_carries_fractions(ratio):
    updates = UpdateRatio(ratio)
    steps = [7, 1, 0, 16, 3] * 40
    due = [updates(step) for step in steps]
    assert abs(sum(due) - ratio * sum(steps)) <= 1 and 0 <= updates.carry < 1
    assert max(due) <= ratio * 16 + 1


@pytest.mark.unittest
def test_schedule_round_trip():
    schedule = Schedule(10, 20, 30, 0.3)
    for step in range(0, 57, 7):
        schedule.evaluate(step), schedule.checkpoint(step), schedule.report(step), schedule.updates(7)
    schedule.train_iter, schedule.best_score = 5, 0.25
    twin = Schedule(10, 20, 30, 0.3)
    twin.load_state_dict(schedule.state_dict())
    assert twin.state_dict() == schedule.state_dict()
    for step in range(57, 200, 7):
        for name in ('evaluate', 'checkpoint', 'report'):
            assert getattr(schedule, name)(step) == getattr(twin, name)(step)
        assert schedule.updates(7) == twin.updates(7)


@pytest.mark.unittest
def test_random_state_round_trip_through_a_file(tmp_path):
    draw()
    torch.save(RandomState.state_dict(), tmp_path / 'state')
    expected = draw()
    RandomState.load_state_dict(torch.load(tmp_path / 'state', weights_only=True))
    assert draw() == expected


@pytest.mark.unittest
def test_isolated_rng_depends_on_the_seed_alone_and_leaves_no_trace():
    before = RandomState.state_dict()
    expected = draw()
    RandomState.load_state_dict(before)
    with isolated_rng(3):
        inside = draw()
    assert draw() == expected
    with isolated_rng(3):
        assert draw() == inside
    with pytest.raises(KeyError):
        with isolated_rng(4):
            assert draw() != inside
            RandomState.load_state_dict(before)
            raise KeyError
