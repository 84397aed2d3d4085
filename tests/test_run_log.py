"""The log of a run: rows, scalars, and what a resumed run takes back."""
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lzero_mow.entry.run.run_log import RunLog
from lzero_mow.report.tables.diagnostics import read_diagnostics
from lzero_mow.report.tables.results import read_results

TASKS = ('Pong', 'Boxing')
PONG, BOXING = (-20.7, 14.6), (0.1, 12.1)


def make_log(run_dir, references=(PONG, BOXING), **arguments):
    return RunLog(str(run_dir), 'mow', 3, TASKS, references, log_freq=2, **arguments)


def curves(run_dir):
    accumulator = EventAccumulator(str(run_dir / 'log' / 'serial'))
    accumulator.Reload()
    return {
        name: [(event.step, event.value) for event in accumulator.Scalars(name)]
        for name in accumulator.Tags()['scalars']
    }


@pytest.mark.unittest
def test_an_evaluation_is_a_row_per_task_and_scalars(tmp_path):
    log = make_log(tmp_path)
    score = log.evaluation(100, {'return': np.array([[-21.0, -20.4], [12.1, 12.1]])})
    log.close()
    assert score == pytest.approx(0.5)
    rows = read_results(log.results)
    keys = rows[['method', 'seed', 'task', 'env_step']].itertuples(index=False, name=None)
    assert list(keys) == [('mow', 3, task, 100) for task in TASKS]
    assert rows.episode_return.tolist() == pytest.approx([-20.7, 12.1])
    assert rows.normalised.tolist() == pytest.approx([0.0, 1.0])
    scalars = curves(tmp_path)
    assert scalars['evaluation/Boxing/normalised'] == [(100, pytest.approx(1.0))]
    assert scalars['evaluation/Pong/return'] == [(100, pytest.approx(-20.7))]
    for statistic in ('mean', 'median', 'iqm'):
        assert scalars[f'evaluation/normalised_{statistic}'] == [(100, pytest.approx(0.5))]


@pytest.mark.unittest
def test_without_references_no_task_outweighs_the_others(tmp_path):
    log = make_log(tmp_path, references=(PONG, None))
    first = log.evaluation(0, {'return': np.array([[np.e - 1], [-np.expm1(3)]])})
    assert first == pytest.approx((1 - 3) / 2), 'the mean of symlog(return)'
    better = log.evaluation(1, {'return': np.array([[np.expm1(2)], [-np.expm1(3) - 1]])})
    log.close()
    assert better > first, 'six points of the one count more than the loss of one in twenty of the other'
    scalars = curves(tmp_path)
    assert scalars['evaluation/symlog_return_mean'][0] == (0, pytest.approx(-1))
    assert 'evaluation/normalised_mean' not in scalars
    assert np.isnan(read_results(log.results).normalised[1])


@pytest.mark.unittest
def test_updates_are_averaged(tmp_path):
    log = make_log(tmp_path)
    for i in range(5):
        now = torch.tensor(float(i))
        log.update(10 * i, {'world_model/loss': now, 'now and then': torch.tensor(1.0)} if i % 2 else {'a': now})
    log.close()
    scalars = curves(tmp_path)
    assert scalars['world_model/loss'] == [(10, 1.0), (30, 3.0)]
    assert scalars['a'] == [(10, 0.0), (30, 2.0)]


@pytest.mark.unittest
def test_running_means_survive_a_stop(tmp_path):
    log = make_log(tmp_path)
    log.update(0, {'loss': torch.tensor(1.0)})
    torch.save(log.state_dict(), tmp_path / 'state.pt')
    log.close()
    resumed = make_log(tmp_path, resumed_at=0)
    resumed.load_state_dict(torch.load(tmp_path / 'state.pt', weights_only=True))
    resumed.update(10, {'loss': torch.tensor(2.0)})
    resumed.close()
    assert curves(tmp_path)['loss'] == [(10, 1.5)]


@pytest.mark.unittest
def test_resumed_log_takes_back_what_came_after_the_checkpoint(tmp_path):
    log = make_log(tmp_path)
    log.evaluation(0, {'return': np.array([[1.0], [2.0]])})
    state = log.state_dict()
    log.evaluation(50, {'return': np.array([[3.0], [4.0]])})
    log.writer.add_scalar('collect/Pong/episode_return', 5.0, 50)
    log.close()
    resumed = make_log(tmp_path, resumed_at=30)
    resumed.load_state_dict(state)
    assert read_results(log.results).env_step.tolist() == [0, 0]
    assert resumed.last_scores == pytest.approx([21.7 / 35.3, 1.9 / 12.0])
    resumed.evaluation(50, {'return': np.array([[6.0], [7.0]])})
    resumed.close()
    assert curves(tmp_path)['evaluation/Pong/return'] == [(0, 1.0), (50, 6.0)], 'TensorBoard hides the first 50'
    assert read_results(log.results).episode_return.tolist() == [1.0, 2.0, 6.0, 7.0]


@pytest.mark.unittest
def test_diagnoses_are_rows_and_scalars_and_are_cut_on_resume(tmp_path):
    diagnosis = dict(scalars={'dormant/all': 0.25}, conflict=dict(shared=np.array([[1.0, -0.5], [-0.5, 1.0]])))
    log = make_log(tmp_path)
    log.diagnosis(10, diagnosis)
    state = log.state_dict()
    log.diagnosis(20, diagnosis)
    log.close()
    resumed = make_log(tmp_path, resumed_at=10)
    resumed.load_state_dict(state)
    resumed.diagnosis(30, diagnosis)
    resumed.close()
    names = ('dormant/all', 0.25), ('gradient_conflict/shared/cosine/Pong/Boxing', -0.5)
    diagnoses = read_diagnostics(log.diagnostics).itertuples(index=False, name=None)
    assert list(diagnoses) == [(step, *row) for step in (10, 30) for row in names]
    assert curves(tmp_path) == {'plasticity/dormant/all': [(10, 0.25), (30, 0.25)]}


@pytest.mark.unittest
def test_a_closed_writer_ignores_everything(tmp_path):
    """A run that failed may close its log a second time."""
    log = make_log(tmp_path)
    for _ in range(2):
        log.close()
        log.writer.flush()
        log.writer.add_scalar('late', 1.0, 0)
    assert 'late' not in curves(tmp_path)


@pytest.mark.unittest
def test_a_log_that_cannot_be_written_is_named(tmp_path):
    log = make_log(tmp_path)
    log.results = str(tmp_path / 'results.csv')
    (tmp_path / 'results.csv').mkdir()
    with pytest.raises(OSError) as raised:
        log.evaluation(0, {'return': np.zeros((2, 1))})
    assert raised.value.filename == log.results
