"""The scale of scores: which games count, and what is 1."""
import pytest

from helpers.result_tables import random_rows, reference_rows, rows_of, write, write_table
from lzero_mow.report.pictures.curves import write_curves
from lzero_mow.report.stats.scale import HUMAN, table_scale
from lzero_mow.report.stats.scores import result_files
from lzero_mow.report.tables.results import TABLE
from lzero_mow.studies.summary.numbers import summarise
from lzero_mow.studies.summary.writer import write_summary


@pytest.fixture
def table(tmp_path):
    return write_table(tmp_path)


@pytest.mark.unittest
def test_a_game_in_which_nobody_beats_random_play_is_not_scored(tmp_path):
    folder = write(tmp_path, mow=rows_of('mow', [(4, 5), (6, 5)]), random=random_rows((1, 9), (1, 9)))
    summary = summarise(folder)
    assert list(summary.scale.bounds) == ['A'] and summary.methods[0].scores['mean'][0] == pytest.approx(1.0)
    write_summary(folder, summary)
    assert 'Not in the scores: B. No method is so far' in (tmp_path / 'summary.md').read_text()


@pytest.mark.unittest
@pytest.mark.parametrize(
    'mow, storm, expected', [
        ([(5, 9), (7, 9)], [(1.02, 9), (1.02, 9)], {'A': (1.0, 6.0, 'mow')}),
        ([(1.9, 9), (1.9, 9)], [(0, 9), (0, 9)], {}),  # above random play's interval, but not above twice of it
        ([(0, 9), (9, 9)], [(3, 9), (4, 9)], {'A': (1.0, 3.5, 'storm')}),  # a mean that may be chance is no measure
        ([(2.1, 9)], [(1.9, 9)], {'A': (1.0, 2.1, 'mow')}),  # one seed, above twice random play's interval
        ([(1.9, 9)], [(1.2, 9)], {}),
        ([(8, 9)], [(3, 9), (4, 9)], {'A': (1.0, 3.5, 'storm')}),  # one seed, beside a method that has two
        ([(8, 9)], [(1, 9), (1, 9)], {}),  # the same where that one is not above random play
    ]
)
def test_a_game_counts_if_a_method_is_surely_better_than_random_play(mow, storm, expected):
    rows = rows_of('mow', mow) + rows_of('storm', storm) + random_rows((0.5, 9), (1.5, 9))
    scale = table_scale(TABLE.frame(rows), last=1)
    assert scale is None if not expected else scale.bounds == expected


@pytest.mark.unittest
def test_a_better_method_moves_the_scale_and_the_text_says_where_it_is(table, tmp_path):
    write(tmp_path, mow_no_experts=rows_of('mow_no_experts', [(9, 90), (9, 90)]))
    summary = summarise(table)
    assert summary.scale.bounds == {'A': (1.0, 9.0, 'mow_no_experts'), 'B': (10.0, 90.0, 'mow_no_experts')}
    assert summary.methods[0].scores['mean'][0] == pytest.approx((4 / 8 + 10 / 80) / 2)
    write_summary(table, summary)
    assert '1 is A 9.00 (mow_no_experts), B 90.00 (mow_no_experts).' in (tmp_path / 'summary.md').read_text()


@pytest.mark.unittest
def test_human_normalised_scores_are_taken_as_they_are(tmp_path):
    folder = write(tmp_path, mow=rows_of('mow', [(4, 15), (6, 25)], human=True))
    summary = summarise(folder)
    assert summary.scale is HUMAN and summary.methods[0].scores['mean'][0] == pytest.approx(1.25)


@pytest.mark.unittest
def test_random_play_is_needed_for_a_scale_of_returns():
    rows = rows_of('mow', [(4, 15)]) + random_rows((1, 10))
    assert table_scale(TABLE.frame(rows), last=1).bounds == {'A': (1.0, 4.0, 'mow'), 'B': (10.0, 15.0, 'mow')}
    assert table_scale(TABLE.frame(rows_of('mow', [(4, 15)])), last=1) is None
    assert table_scale(TABLE.frame(rows_of('mow', [(4, 15)], human=True)), last=1) is HUMAN


@pytest.mark.unittest
def test_experts_are_not_compared_with_methods():
    rows = rows_of('mow', [(4, 15)]) + random_rows((1, 10))
    experts = reference_rows('expert', [(9, 90), (9, 90)])
    assert table_scale(TABLE.frame(rows + experts), last=1).bounds == table_scale(TABLE.frame(rows), last=1).bounds
    assert table_scale(TABLE.frame(random_rows((1, 10)) + experts), last=1) is None


@pytest.mark.unittest
def test_curves_are_drawn_of_returns_where_nobody_beats_random_play(tmp_path):
    folder = write(tmp_path, mow=rows_of('mow', [(0, 0), (0, 0)]), random=random_rows((1, 9), (1, 9)))
    write_curves(str(tmp_path / 'curves.png'), result_files(folder))
    assert (tmp_path / 'curves.png').stat().st_size > 1000
