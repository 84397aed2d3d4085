"""The scale of scores: which games count, what is 1, and that it stays as it is."""
import pytest
from helpers.result_tables import random_rows, rows_of, write, write_table

from lzero_mow.report.scale import HUMAN, table_scale
from lzero_mow.report.summary import summarise, write_summary


@pytest.fixture
def table(tmp_path):
    return write_table(tmp_path)


@pytest.mark.unittest
def test_a_game_in_which_nobody_beats_random_play_is_not_scored(tmp_path):
    folder = write(tmp_path, mow=rows_of('mow', [(4, 5), (6, 5)]), random=random_rows((1, 9), (1, 9)))
    summary = summarise(folder)
    assert list(summary.scale.bounds) == ['A'] and summary.methods[0].scores['mean'][0] == pytest.approx(1.0)
    write_summary(summary)
    assert 'Not in the scores: B. When the scale was made, no method' in (tmp_path / 'summary.md').read_text()


@pytest.mark.unittest
@pytest.mark.parametrize(
    'mow, storm, expected', [
        ([(5, 9), (7, 9)], [(1.02, 9), (1.02, 9)], {'A': (1.0, 6.0, 'mow')}),
        ([(1.02, 9), (1.02, 9)], [(0, 9), (0, 9)], {}),  # barely above random play: within its interval
        ([(0, 9), (9, 9)], [(3, 9), (4, 9)], {'A': (1.0, 3.5, 'storm')}),  # a mean that may be chance is no measure
        ([(1.6, 9)], [(1.4, 9)], {'A': (1.0, 1.6, 'mow')}),  # one seed, above the upper end of random play
        ([(1.4, 9)], [(1.2, 9)], {}),
    ]
)
def test_a_game_counts_if_a_method_is_surely_better_than_random_play(mow, storm, expected):
    rows = rows_of('mow', mow) + rows_of('storm', storm) + random_rows((0.5, 9), (1.5, 9))
    if expected:
        assert table_scale(rows, last=1).bounds == expected
    else:
        with pytest.raises(ValueError, match='no method has ended above random play'):
            table_scale(rows, last=1)


@pytest.mark.unittest
def test_a_method_that_is_added_leaves_the_scale_as_it_is(table, tmp_path):
    write_summary(summarise(table))
    before = summarise(table)
    write(tmp_path, mow_no_experts=rows_of('mow_no_experts', [(9, 90), (9, 90)]))
    after = summarise(table)
    assert after.scale == before.scale and after.methods[0].scores == before.methods[0].scores
    assert after.methods[2].scores['mean'][0] == pytest.approx(3.0), 'A 8/4, B 80/20'
    anew = summarise(table, rescale=True)
    assert anew.scale.bounds == {'A': (1.0, 9.0, 'mow_no_experts'), 'B': (10.0, 90.0, 'mow_no_experts')}
    write_summary(anew)
    assert summarise(table).scale == anew.scale


@pytest.mark.unittest
@pytest.mark.parametrize(
    'text, told', [
        ('', 'is no scale of games'), ('a,b\n1,2\n', 'is no scale of games'),
        ('game,random,best,method\n', 'is no scale of games'),
        ('game,random,best,method\nA,1,x,mow\n', 'is no scale of games'),
        ('game,random,best,method\nA,1,1,mow\n', 'is no scale of games'),
        ('game,random,best,method\nC,1,2,mow\n', 'has none of the games A, B'),
    ]
)
def test_a_scale_that_cannot_be_used_is_refused_in_one_line(table, tmp_path, text, told):
    (tmp_path / 'scale.csv').write_text(text)
    with pytest.raises(ValueError) as raised:
        summarise(table)
    message = str(raised.value)
    assert told in message and 'scale.csv' in message and '--rescale' in message and '\n' not in message
    assert list(summarise(table, rescale=True).scale.bounds) == ['A', 'B']


@pytest.mark.unittest
def test_human_normalised_scores_are_taken_as_they_are(tmp_path):
    folder = write(tmp_path, mow=rows_of('mow', [(4, 15), (6, 25)], human=True))
    summary = summarise(folder)
    assert summary.scale is HUMAN and summary.methods[0].scores['mean'][0] == pytest.approx(1.25)


@pytest.mark.unittest
def test_random_play_is_needed_for_a_scale_of_returns():
    rows = rows_of('mow', [(4, 15)]) + random_rows((1, 10))
    assert table_scale(rows, last=1).bounds == {'A': (1.0, 4.0, 'mow'), 'B': (10.0, 15.0, 'mow')}
    assert table_scale(rows_of('mow', [(4, 15)], human=True), last=1) is HUMAN
