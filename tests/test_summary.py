"""From tables of evaluations to one table of methods: against numbers worked out by hand, and against rliable."""
import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pandas.testing import assert_frame_equal
from PIL import Image
from rliable import library, metrics

from helpers.result_tables import random_rows, reference_rows, rows_of, write, write_table
from lzero_mow.report.pictures.curves import write_curves
from lzero_mow.report.stats import intervals
from lzero_mow.report.stats.intervals import interval, iqm, mean, median, probability_of_improvement
from lzero_mow.report.stats.scale import UNKNOWN
from lzero_mow.report.stats.scores import curves, finals, methods_of
from lzero_mow.report.tables.costs import COSTS, RunCost, read_costs
from lzero_mow.report.tables.csv_table import write_csv
from lzero_mow.report.tables.results import TABLE, Result, append_results
from lzero_mow.studies.summary.numbers import summarise
from lzero_mow.studies.summary.writer import write_summary

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def table(tmp_path):
    return write_table(tmp_path)


# ------------------------------------------------------------------ numbers


@pytest.mark.unittest
def test_numbers_of_a_table_by_hand(table):
    summary = summarise(table)
    assert [method.method for method in summary.methods] == ['mow', 'storm', 'random']
    assert summary.scale is UNKNOWN
    mow, storm, random = summary.methods
    # Scores of mow: A 3/4, 5/4; B 4/5, 6/5. Of four scores the interquartile mean keeps the middle two.
    assert mow.scores['iqm'][0] == pytest.approx(1) and mow.scores['mean'][0] == pytest.approx(1)
    assert mow.scores['median'][0] == pytest.approx(1) and mow.improvement is None
    # Storm: A 2/4, B 2. Both runs of mow beat 3 in A; none beats 30 in B.
    assert storm.scores['mean'][0] == pytest.approx(1.25) and storm.improvement[0] == pytest.approx(0.5)
    assert random.scores['mean'][0] == pytest.approx(0.0) and random.improvement[0] == pytest.approx(1.0)
    assert mow.returns['A'] == pytest.approx((5, 4, 6)) and mow.returns['B'] == pytest.approx((20, 18, 22))
    assert mow.above_random == ['A', 'B'] and storm.above_random == [], 'one seed says nothing'
    assert (mow.updates, mow.cpu_minutes, mow.megabytes) == (50, 5.0, 8.0)
    assert (storm.updates, storm.cpu_minutes, storm.megabytes) == (50, 5.0, 6.0), 'both members together'
    assert random.updates is None and random.env_steps == (0, 0) and mow.env_steps == (100, 100)


@pytest.mark.unittest
def test_where_there_is_success_it_decides_which_is_better(tmp_path):
    ends = {'mow': ((9.0, 0.0), (9.0, 0.5)), 'expert': ((5.0, 1.0), (5.0, 0.5))}  # (return, success), A and B
    for method, of_games in ends.items():
        write(tmp_path, **{method: [
            Result(method, 0, game, 0, 10, value, None, success, 0.0) for game, (value, success) in zip('AB', of_games)
        ]})
    mow, expert = (summary := summarise(str(tmp_path))).methods
    assert expert.improvement[0] == 0.25, 'lost in A, a tie in B, though both returns are higher'
    assert mow.scores['mean'][0] == 0.25 and mow.successes['success_any']['B'][0] == 0.5
    write_summary(str(tmp_path), summary)
    text = (tmp_path / 'summary.md').read_text()
    assert 'mean over all games, by success; a tie' in text
    assert 'Episodes per game in an evaluation: 10 per method, 10 of scripted' in text
    assert mow.successes['success_any']['B'] == pytest.approx((0.5, 0.2366, 0.7634), abs=1e-4), "one seed: Wilson's"
    assert mow.successes['success_any']['all tasks'] == pytest.approx((0.25, 0.1119, 0.4687), abs=1e-4)
    assert '0.50 [0.24, 0.76]' in text and 'over the episodes of that one run' in text


@pytest.mark.unittest
def test_statistics_and_intervals_are_those_of_rliable():
    random = np.random.default_rng(0)
    ours, theirs = random.normal(1, 1, (5, 7)), random.normal(0.5, 1, (3, 7)).round(1)
    ours[:3] = ours[:3].round(1)  # ties
    assert iqm(ours) == pytest.approx(metrics.aggregate_iqm(ours))
    assert mean(ours) == pytest.approx(metrics.aggregate_mean(ours))
    assert median(ours) == pytest.approx(metrics.aggregate_median(ours))
    expected = metrics.probability_of_improvement(ours, theirs)
    assert probability_of_improvement(ours, theirs) == pytest.approx(expected)

    point, low, high = interval(iqm, ours)
    np.random.seed(0)
    points, ends = library.get_interval_estimates(
        {'x': ours}, lambda scores: np.array([metrics.aggregate_iqm(scores)]), reps=intervals.REPETITIONS
    )
    assert (point, low, high) == pytest.approx((points['x'][0], *ends['x'][:, 0]))
    assert low < point < high


@pytest.mark.unittest
def test_intervals_are_the_same_each_time_and_leave_the_generator_alone():
    scores = np.random.default_rng(1).normal(size=(3, 4))
    np.random.seed(7)
    first = interval(probability_of_improvement, scores, scores + 0.1)
    drawn = np.random.rand()
    np.random.seed(7)
    assert drawn == np.random.rand()
    assert first == interval(probability_of_improvement, scores, scores + 0.1)


@pytest.mark.unittest
def test_one_seed_has_no_interval():
    one, many = np.ones((1, 4)), np.random.default_rng(0).random((3, 4))
    for arrays in ((one, ), (one, many), (many, one)):
        statistic = iqm if len(arrays) == 1 else probability_of_improvement
        point, low, high = interval(statistic, *arrays)
        assert np.isfinite(point) and np.isnan(low) and np.isnan(high)
    point, low, high = interval(mean, np.ones((1, 4, 6)))
    assert point.shape == low.shape == high.shape == (6, )


@pytest.mark.unittest
def test_how_many_seeds_there_are_stands_at_the_head(table, tmp_path):
    write_summary(table, summarise(table))
    text = (tmp_path / 'summary.md').read_text()
    assert '- Seeds: 1 to 2 per method, 2 of random play.' in text
    assert 'with three of them the interval of a game can only span their three values' in text


@pytest.mark.unittest
def test_curves_of_some_methods_in_the_colours_that_they_have_among_all(table, tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr('matplotlib.axes.Axes.plot', lambda self, *_, **style: lines.append(style))
    drawn = lambda: {style['label']: style['color'] for style in lines if 'label' in style}
    for method in ('storm_multitask', 'mow_no_experts', 'mow_no_shared', 'mow_no_balance'):
        write(tmp_path, **{method: rows_of(method, [(4, 15)])})
    write_summary(table, summarise(table))
    first = ['mow', 'storm', 'storm_multitask', 'mow_no_experts', 'mow_no_shared']
    assert list(drawn()) == first, 'six would hide one another'
    assert f"Learning curves of {', '.join(first)}, random." in (tmp_path / 'summary.md').read_text()
    colours = drawn()
    lines.clear()
    write_summary(table, summarise(table, drawn=['storm', 'mow_no_balance']))
    assert list(drawn()) == ['storm', 'mow_no_balance'] and drawn()['storm'] == colours['storm']
    assert '--curves storm mow_no_balance`' in (tmp_path / 'summary.md').read_text()


@pytest.mark.unittest
def test_the_last_evaluations_of_a_run():
    rows = [Result('mow', 0, 'A', step, 1, float(step), None) for step in (0, 100, 203, 301)]
    for last, expected in ((1, 301.0), (2, 252.0)):
        assert finals(TABLE.frame(rows), ['A'], 'episode_return', last).tolist() == [[expected]]


@pytest.mark.unittest
def test_curves_of_seeds_that_were_evaluated_at_other_steps():
    rows = [Result('mow', 0, 'A', step, 1, 1.0 * step, None) for step in (0, 10, 20)]
    rows += [Result('mow', 1, 'A', step, 1, 2.0 * step, None) for step in (0, 12, 22)]
    steps, values = curves(TABLE.frame(rows), ['A'], 'episode_return')
    assert steps.tolist() == [0, 10, 12, 20], 'where both have been'
    np.testing.assert_allclose(values, [[[0, 10, 12, 20]], [[0, 20, 24, 40]]])


@pytest.mark.unittest
def test_methods_stand_in_the_order_of_their_file():
    methods = ('random', 'scalezero', 'storm', 'mow_group_norm', 'mow')
    rows = [Result(method, 0, 'A', 0, 1, 0.0, None) for method in methods]
    assert methods_of(TABLE.frame(rows)) == ['mow', 'storm', 'mow_group_norm', 'scalezero', 'random']


@pytest.mark.unittest
def test_experts_are_listed_next_to_random_play_and_train_nothing(table, tmp_path, monkeypatch):
    levels = []
    monkeypatch.setattr('matplotlib.axes.Axes.axhline', lambda self, y, **style: levels.append((y, style)))
    write(tmp_path, expert=reference_rows('expert', [(9, 90)]))
    summary = summarise(table)
    assert [method.method for method in summary.methods] == ['mow', 'storm', 'random', 'expert']
    assert summary.drawn == ['mow', 'storm', 'random', 'expert'] and summary.methods[-1].returns['B'][0] == 90
    write_summary(table, summary)
    text = (tmp_path / 'summary.md').read_text()
    assert '- Seeds: 1 to 2 per method, 2 of random play, 1 of scripted experts.' in text
    assert '| expert | 1 | 0 |' in text
    drawn = {(style['label'], style['color'], style['linestyle']) for _, style in levels}
    assert drawn == {('random', 'grey', '--'), ('expert', 'black', '--')}
    summarise(table, last=2)  # they have one evaluation, and need no more


# ------------------------------------------------------------------ files


@pytest.mark.unittest
def test_what_is_written(table, tmp_path):
    (tmp_path / 'mow.csv').unlink()
    write(tmp_path, mow=rows_of('mow', [(8, 18), (12, 22)]))
    paths = write_summary(table, summarise(table, last=2))
    assert [Path(path).name for path in paths] == ['summary.md', 'summary.csv', 'games.csv', 'curves.png', 'iqm.png']
    text = Path(paths[0]).read_text()
    assert '| storm | 1 | 100 |' in text and '(one seed)' in text and '--last 2' in text
    assert '**' in text and '- mow: A (1 of 2)' in text, 'half of what is reached at the end'
    with open(paths[1]) as file:
        first, second, _ = csv.DictReader(file)
    assert first['method'] == 'mow' and float(first['iqm_low']) < float(first['iqm']) < float(first['iqm_high'])
    assert second['iqm_low'] == '' and second['megabytes'] == '6.0'
    with open(paths[2]) as file:
        games = list(csv.DictReader(file))
    assert [(row['method'], row['game']) for row in games[:3]] == [('mow', 'A'), ('mow', 'B'), ('storm', 'A')]
    assert Image.open(paths[3]).size[0] > 600 and Image.open(paths[4]).size[0] > 600
    again = write_summary(table, summarise(table, last=2))
    assert Path(again[0]).read_text() == text, 'its own tables are no methods'


@pytest.mark.unittest
def test_without_references_there_are_tables_without_scores(tmp_path):
    folder = write(tmp_path, mow=rows_of('mow', [(1, 2)], scored=False), random=random_rows((3, 3), scored=False))
    (tmp_path / 'iqm.png').touch()  # of an earlier summary
    paths = write_summary(folder, summarise(folder))
    assert [Path(path).name for path in paths] == ['summary.md', 'summary.csv', 'games.csv', 'curves.png']
    assert not (tmp_path / 'iqm.png').exists()
    text = (tmp_path / 'summary.md').read_text()
    assert 'There are no scores' in text and '| mow | 1 | 100 | - | - | - |' in text and '1.00 (one seed)' in text
    with open(paths[1]) as file:
        assert next(csv.DictReader(file))['iqm'] == ''


@pytest.mark.unittest
def test_games_become_rows_where_there_are_more_of_them_than_methods(tmp_path):
    folder = write(tmp_path, mow=rows_of('mow', [(4, 15), (6, 25)]))
    write_summary(folder, summarise(folder))
    text = (tmp_path / 'summary.md').read_text()
    assert '|  | mow |' in text and '| B | 20.00 [15.00, 25.00] |' in text


@pytest.mark.unittest
def test_several_seeds_get_a_band_and_one_a_line(tmp_path, monkeypatch):
    bands = []
    monkeypatch.setattr('matplotlib.axes.Axes.fill_between', lambda self, steps, *_, **__: bands.append(list(steps)))
    write(tmp_path, mow=rows_of('mow', [(4, 15), (6, 25)]), storm=rows_of('storm', [(3, 30)]))
    files = [str(tmp_path / 'mow.csv'), str(tmp_path / 'storm.csv')]
    write_curves(str(tmp_path / 'curves.png'), files)
    assert bands == [[50, 100]] * 3, "mow's, in two games and over all"


@pytest.mark.unittest
def test_costs_round_trip(tmp_path):
    path, row = str(tmp_path / 'runs.csv'), RunCost('mow', 3, 'all', 100, 500, 7, 1.25, 2.5, 3.125, 640.0)
    write_csv(path, COSTS.frame([row]))
    assert_frame_equal(read_costs(path), COSTS.frame([row]))
    assert len(read_costs(str(tmp_path / 'none.csv'))) == 0
    Path(path).write_text('a,b\n1,2\n')
    with pytest.raises(ValueError, match='not a table of runs'):
        read_costs(path)


# ------------------------------------------------------------------ mistakes


@pytest.mark.unittest
@pytest.mark.parametrize(
    'rows, arguments, message', [
        ({}, {}, "holds no METHOD.csv: `python -m lzero_mow experiment` writes them"),
        (dict(mow=rows_of('mow', [(1, 2)])), dict(baseline='storm'), "holds no method 'storm'"),
        (dict(mow=rows_of('mow', [(1, 2)])), dict(drawn=['strom']), "holds no method 'strom'"),
        (dict(mow=rows_of('mow', [(1, 2)])), dict(last=0), '--last must be at least 1, got 0'),
        (dict(mow=rows_of('mow', [(1, 2)])), dict(last=3), "seed 0 of 'mow' has 2 evaluations of A"),
        (dict(mow=rows_of('mow', [(1, float('nan'))])), {}, 'the return of B, seed 0 at step 100 is nan'),
        (dict(mow=rows_of('mow', [(1, 2), (1, 2)])[:6]), {}, "seed 1 of 'mow' has no evaluation of B"),
        (
            dict(mow=rows_of('mow', [(1, 2)]), twice=rows_of('mow', [(1, 2)])), {},
            "A, seed 0 at step 50 of 'mow' is there twice"
        ),
    ]
)
def test_tables_that_say_nothing_are_refused_in_one_line(tmp_path, rows, arguments, message):
    write(tmp_path, **rows)
    with pytest.raises(ValueError) as raised:
        summarise(str(tmp_path), **arguments)
    assert message in str(raised.value) and '\n' not in str(raised.value)


@pytest.mark.unittest
def test_without_rliable_one_line_says_so_and_one_seed_needs_none(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'rliable', None)
    folder = write(tmp_path, mow=rows_of('mow', [(4, 15), (6, 25)]))
    with pytest.raises(ValueError, match="need rliable: pip install 'rliable==1.2.0'"):
        summarise(folder)
    append_results(str(tmp_path / 'one.csv'), rows_of('mow', [(4, 15)]))
    write_curves(str(tmp_path / 'curves.png'), [str(tmp_path / 'one.csv')])


@pytest.mark.unittest
def test_the_command(tmp_path):
    done = subprocess.run(
        [sys.executable, '-m', 'lzero_mow', 'summary', str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stderr.count('\n') == 1 and 'holds no METHOD.csv' in done.stderr
