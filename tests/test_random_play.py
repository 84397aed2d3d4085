"""What was learned: the last evaluation beside random play in the same environments."""
import os

import numpy as np
import pytest
from easydict import EasyDict

from helpers.tiny_run import tiny_config, train
from helpers.two_task_env import TASKS, TwoTaskEnv
from lzero_mow.config.suites import RANDOM
from lzero_mow.entry.run.last_evaluation import last_evaluation
from lzero_mow.entry.run.random_play import RANDOM_PLAY, Beside, Mean, random_play
from lzero_mow.report.tables.results import TABLE, Result, read_results

pytestmark = pytest.mark.unittest


def test_the_interval_of_a_mean():
    mean, low, high = Mean.of(np.array([0.0, 1.0] * 20))
    assert mean == 0.5 and low == pytest.approx(0.35, abs=0.03) and high == pytest.approx(0.65, abs=0.03)
    assert Mean.of(np.array([3.0, 3.0])) == (3.0, 3.0, 3.0)
    one = Mean.of(np.array([3.0]))
    assert one.mean == 3.0 and np.isnan(one.low) and np.isnan(one.high)


def test_the_line_says_what_is_above_below_and_between():
    played = np.array([[9.0, 11.0] * 5, [-3.0, -2.0] * 5, [0.0, 2.0] * 5])
    random = np.array([[1.0, 2.0] * 5, [1.0, 2.0] * 5, [1.0, 2.0] * 5])
    line = Beside.of(('high', 'low', 'same'), played, random).line()
    assert line.startswith('better than random play: high 10.0 [')
    assert '], not 1.5 [' in line and '; worse: low -2.5 [' in line and line.endswith('; not told apart from it: same')
    assert 'better than random play: none; worse: none;' in Beside.of(('same', ), random[:1], random[1:2]).line()


def test_the_table_has_both_with_their_intervals():
    rows = [Result('mow', 0, task, 10, 4, 10.0, 0.5) for task in ('a', 'b')]
    beside = Beside.of(('a', 'b'), np.array([[8.0, 12.0] * 2, [10.0] * 4]), np.array([[1.0] * 4, [2.0] * 4]))
    table = last_evaluation(TABLE.frame(rows), beside)
    assert [column.header for column in table.columns] == ['task', 'return', 'normalised score', 'random play']
    cells = [list(column.cells) for column in table.columns]
    assert cells[1] == ['10.0 [8.0, 12.0]', '10.0 [10.0, 10.0]', '']
    assert cells[3][:2] == ['1.0 [1.0, 1.0]', '2.0 [2.0, 2.0]']


def test_the_intervals_of_the_picture():
    beside = Beside.of(('a', ), np.array([[8.0, 12.0] * 2]), np.array([[1.0] * 4]))
    assert beside.ends('mow') == {'mow': {'a': (8.0, 12.0)}, RANDOM: {'a': (1.0, 1.0)}}
    one = Beside.of(('a', ), np.array([[8.0]]), np.array([[1.0] * 4]))
    assert one.ends('mow') == {'mow': {}, RANDOM: {'a': (1.0, 1.0)}}, 'one episode has no interval'


def test_random_play_is_that_of_the_environment_and_is_written_down(tmp_path):
    cfg = EasyDict(tasks=list(TASKS), collector_env_num=1, evaluator_env_num=40)
    returns = random_play(TwoTaskEnv, cfg, 3, str(tmp_path))
    assert returns.shape == (2, 40) and np.all(abs(returns.mean(1) - 4) < 1), 'one action of four is right, 16 times'
    rows = read_results(str(tmp_path / RANDOM_PLAY))
    assert rows.method.tolist() == [RANDOM] * 2 and rows.episodes.tolist() == [40] * 2
    assert rows.episode_return.tolist() == pytest.approx(returns.mean(1).tolist())
    again = random_play(TwoTaskEnv, cfg, 3, str(tmp_path))
    assert np.array_equal(again, returns) and len(read_results(str(tmp_path / RANDOM_PLAY))) == 2


def test_a_run_ends_with_it(tmp_path, caplog):
    run_dir = tmp_path / 'run'
    train(tiny_config(run_dir))
    assert os.path.exists(run_dir / RANDOM_PLAY)
    assert any('better than random play' in message for message in caplog.messages)
