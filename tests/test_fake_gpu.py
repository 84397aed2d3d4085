"""
The path of a GPU, on machines without one: all that a run calls works with every tensor on the device, waits for it
only where it must, and launches no more than is written here. What the device can and cannot show: helpers/fake_cuda.
"""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROUTING, CHECK = 'model/mow/router.py', 'policy/finite.py'


def played(scenario: str) -> dict:
    """Phase -> {launches, waits, blocking}, by place, of a scenario in helpers/fake_cuda/scenarios.py."""
    environment = dict(os.environ, PYTHONPATH=f'{TESTS.parent}:{TESTS}', CUDA_VISIBLE_DEVICES='')
    command = [sys.executable, '-W', 'ignore', '-m', 'helpers.fake_cuda.scenarios', scenario]
    done = subprocess.run(command, env=environment, cwd=TESTS, capture_output=True, text=True)
    if 'could not be compiled' in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def total(counts: dict) -> int:
    return sum(counts.values())


def places(counts: dict) -> set:
    """The files among places in the package."""
    return {place.split(':')[0] for place in counts}


@pytest.fixture(scope='module')
def paper() -> dict:
    return played('paper')


@pytest.mark.unittest
@pytest.mark.parametrize('phase', ['update', 'warm-up', 'update after grouping'])
def test_an_update_of_mow_waits_once_and_launches_little(paper, phase):
    found = paper[phase]
    assert places(found['waits']) == {ROUTING} and total(found['waits']) == 1
    assert not found['blocking'] and total(found['launches']) <= 6000


@pytest.mark.unittest
def test_a_decision_of_mow_waits_for_its_actions_alone(paper):
    for phase in ('decision', 'decision of some, random', 'decision after reset', 'evaluation'):
        assert places(paper[phase]['waits']) == {'policy/decisions.py'} and total(paper[phase]['waits']) == 1, phase
        assert not paper[phase]['blocking'], phase
    assert total(paper['decision']['launches']) <= 480


@pytest.mark.unittest
def test_losses_that_are_not_finite_are_looked_for_once(paper):
    assert places(paper['check']['waits']) == {CHECK} and total(paper['check']['waits']) == 1


@pytest.mark.unittest
@pytest.mark.parametrize('scenario, launches', [('storm', 2550), ('continuous', 5550)])
def test_other_forms_of_mow(scenario, launches):
    found = played(scenario)
    for phase in ('first update', 'update'):
        assert total(found[phase]['waits']) <= 1 and not found[phase]['blocking']
    assert total(found['update']['launches']) <= launches


@pytest.mark.unittest
def test_an_update_of_scalezero_never_waits_and_a_decision_once_a_simulation():
    found = played('scalezero')
    for phase in ('first update', 'update'):
        assert not found[phase]['waits'] and not found[phase]['blocking']
    assert total(found['update']['launches']) <= 4300  # in two micro-batches
    decision = found['decision']
    assert places(decision['waits']) == {'mcts/tree_search.py'} and total(decision['waits']) == 9  # 8 simulations
    assert not decision['blocking'] and total(decision['launches']) <= 4500


@pytest.mark.unittest
def test_a_decision_does_not_wait_for_experts_on_cards_without_a_grouped_product():
    waits = played('without_grouped_product')['decision']['waits']
    assert places(waits) == {'mcts/tree_search.py'} and total(waits) == 9


@pytest.mark.unittest
def test_stages_and_tasks_that_rest_cost_no_wait():
    found = played('scalezero_dps')
    for phase in ('update', 'update while one rests', 'update of a later stage'):
        assert not found[phase]['waits'] and not found[phase]['blocking'], phase
