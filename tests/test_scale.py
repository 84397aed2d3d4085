"""The scale of scores: fixed references, the same for a run wherever it stands."""
import pandas as pd
import pytest

from helpers.result_tables import random_rows, rows_of, write, write_table
from lzero_mow.config.atari import ATARI
from lzero_mow.config.minatar import MINATAR
from lzero_mow.config.references import normalised
from lzero_mow.report.pictures.curves import write_curves
from lzero_mow.report.stats.scale import SUCCESS, UNKNOWN, table_scale
from lzero_mow.report.stats.scores import result_files
from lzero_mow.report.tables.results import TABLE, Result, append_results
from lzero_mow.studies.summary.numbers import summarise
from lzero_mow.studies.summary.writer import write_summary


def rows_in(suite, returns, **changes):
    """One evaluation of each game, with the scores of a suite."""
    rows = [
        Result('mow', 0, game, 0, 1, value, normalised(value, suite.references.of(game)))
        for game, value in returns.items()
    ]
    return TABLE.frame(rows).assign(**changes)


@pytest.mark.unittest
def test_a_better_method_moves_no_score(tmp_path):
    table = write_table(tmp_path)
    before = {method.method: str(method.scores) for method in summarise(table).methods}
    write(tmp_path, mow_no_experts=rows_of('mow_no_experts', [(90, 900), (90, 900)]))
    after = {method.method: str(method.scores) for method in summarise(table).methods}
    assert len(after) == 4 and {method: after[method] for method in before} == before
    assert summarise(table).methods[0].scores['mean'][0] == pytest.approx(1.0)  # A 3/4, 5/4; B 4/5, 6/5


@pytest.mark.unittest
def test_random_play_is_not_needed_for_scores(tmp_path):
    rows = rows_of('mow', [(4, 18), (6, 22)])
    alone = summarise(write(tmp_path, mow=rows)).methods[0].scores
    assert alone == summarise(write(tmp_path, random=random_rows((0, 9), (9, 0)))).methods[0].scores


@pytest.mark.unittest
@pytest.mark.parametrize('suite, name', [(ATARI, 'atari'), (MINATAR, 'minatar')])
def test_games_of_two_suites_have_the_scale_of_their_own(suite, name):
    scale = table_scale(rows_in(suite, {'Breakout': 4.0, 'Freeway': 3.0}))
    assert scale.suite == name and (scale.label, scale.meaning) == suite.references[1:3]


@pytest.mark.unittest
def test_scores_of_no_known_suite_are_taken_as_they_are():
    assert table_scale(rows_in(MINATAR, {'Breakout': 4.0}, normalised=0.5)) is UNKNOWN
    assert table_scale(rows_in(MINATAR, {'Breakout': 4.0}, task='Nobody')) is UNKNOWN


@pytest.mark.unittest
def test_success_goes_before_returns_and_a_missing_score_leaves_none():
    rows = rows_in(MINATAR, {'Breakout': 4.0})
    assert table_scale(rows.assign(success_any=0.5)) is SUCCESS
    assert table_scale(pd.concat([rows, rows.assign(normalised=float('nan'))])) is None


@pytest.mark.unittest
def test_the_text_says_whose_return_is_1(tmp_path):
    rows = rows_in(MINATAR, {'Breakout': 10.3, 'SpaceInvaders': 45.4})
    append_results(str(tmp_path / 'mow.csv'), [Result(*row) for row in rows.itertuples(index=False)])
    summary = summarise(str(tmp_path))
    write_summary(str(tmp_path), summary)
    assert summary.methods[0].scores['mean'][0] == pytest.approx(1.0)
    text = (tmp_path / 'summary.md').read_text()
    assert '- DQN-normalised score: random play 0, DQN after 5 million frames (Young and Tian 2019) 1. Both' in text


@pytest.mark.unittest
def test_curves_are_drawn_of_returns_where_there_are_no_scores(tmp_path):
    folder = write(tmp_path, mow=rows_of('mow', [(0, 0), (0, 0)], scored=False))
    write_curves(str(tmp_path / 'curves.png'), result_files(folder))
    assert (tmp_path / 'curves.png').stat().st_size > 1000


@pytest.mark.unittest
def test_a_table_of_another_version_is_refused_in_one_line(tmp_path):
    folder = write(tmp_path, mow=rows_of('mow', [(4, 15)]))
    path = tmp_path / 'mow.csv'
    path.write_text(path.read_text().replace('normalised', 'human_normalised'))
    with pytest.raises(ValueError, match='mow.csv is not a results table: .*human_normalised.* this version') as error:
        summarise(folder)
    assert '\n' not in str(error.value)
