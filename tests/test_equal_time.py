"""What methods have reached in equal CPU time, and what they were given: against numbers worked out by hand."""
import pytest

from helpers.result_tables import GAMES, REFERENCES, random_rows, write
from lzero_mow.config.build import build_config
from lzero_mow.config.references import normalised
from lzero_mow.config.saved import TOTAL_CONFIG, save_config
from lzero_mow.report.tables.csv_table import write_csv
from lzero_mow.report.tables.results import TABLE, Result
from lzero_mow.report.tables.times import ALL_TIMES, RunTimes
from lzero_mow.studies.summary.equal_time import at_equal_time
from lzero_mow.studies.summary.numbers import summarise
from lzero_mow.studies.summary.writer import write_summary

STEPS = (50, 100)
# CPU seconds at the two evaluations, of each seed. Medians: mow 60 and 310, storm_multitask 50 and 114, scalezero 120.
SECONDS = {
    'mow': [(60, 300), (60, 320)],
    'storm_multitask': [(50, 100), (50, 114), (50, 200)],
    'scalezero': [(120, 500)],
}
# An ensemble's two models took 90 and 240 together: its second evaluation is beyond 114, though A's model took 100.
MEMBERS = {'A': (40, 100), 'B': (50, 140)}


def rows_of(method, seeds):
    """Returns of seed s, the same in A and B: 1 + s at the first evaluation, 11 + s at the second."""
    return [
        Result(method, seed, game, step, 1, value + seed, normalised(value + seed, REFERENCES[game]))
        for seed in range(seeds) for game in GAMES for step, value in zip(STEPS, (1.0, 11.0))
    ]


def times_of(method, seed, task, seconds):
    return [
        RunTimes(method, seed, task, step, step, step, float(cpu), float(cpu), 0.1, 0.1)
        for step, cpu in zip(STEPS, seconds)
    ]


EVALUATIONS = {
    **{method: rows_of(method, len(seeds)) for method, seeds in SECONDS.items()},
    'storm': rows_of('storm', 1),
    'mow_group_norm': rows_of('mow_group_norm', 1),  # of which no times are known
    'random': random_rows((0.5, 9), (1.5, 11)),
}
TIMES = [
    row for method, seeds in SECONDS.items() for seed, seconds in enumerate(seeds)
    for row in times_of(method, seed, 'all', seconds)
] + [row for task, seconds in MEMBERS.items() for row in times_of('storm', 0, task, seconds)]


def equal(times=TIMES, baseline=None):
    rows = TABLE.frame(row for of_method in EVALUATIONS.values() for row in of_method)
    return at_equal_time(rows, ALL_TIMES.frame(times), baseline)


def cells(text, heading):
    """The first table below a heading of a summary."""
    lines = iter(text.split(f'\n## {heading}')[1].splitlines())
    table = [line for line in lines if line.startswith('|') or line == '']
    table = '\n'.join(table).strip().split('\n\n')[0].splitlines()
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in table if '---' not in line]


@pytest.mark.unittest
def test_the_last_evaluations_within_the_minutes_of_the_cheapest_method():
    result = equal()
    assert (result.cheapest, result.minutes) == ('storm_multitask', pytest.approx(114 / 60))
    methods = {method.method: method for method in result.summary.methods}
    assert list(methods) == ['mow', 'storm', 'storm_multitask', 'random']
    steps = {name: method.env_steps for name, method in methods.items()}
    assert steps == {'mow': (50, 50), 'storm': (50, 50), 'storm_multitask': (100, 100), 'random': (0, 0)}
    returns = {name: method.returns['A'][0] for name, method in methods.items()}
    # The cheapest method's third seed took 200 seconds; its last evaluation is among them.
    assert returns == {'mow': 1.5, 'storm': 1.0, 'storm_multitask': 12.0, 'random': 1.0}
    assert methods['mow'].scores['mean'][0] == pytest.approx(((1.5 - 1) / 4 + (1.5 - 10) / 10) / 2)
    assert methods['mow'].returns['A'] == (1.5, 1.0, 2.0), 'the interval of two seeds spans them'
    assert methods['storm_multitask'].improvement[0] == 0.0, 'no run of mow beats one of it'
    spent = {method: [round(60 * minutes) for minutes in of_seeds] for method, of_seeds in result.spent.items()}
    assert spent == {'mow': [60, 60], 'storm': [90], 'storm_multitask': [100, 114, 200]}
    assert (result.late, result.untimed) == (['scalezero'], ['mow_group_norm'])


@pytest.mark.unittest
def test_a_baseline_that_is_too_late_is_none():
    assert equal(baseline='scalezero').summary.baseline == 'mow'
    assert equal(baseline='storm').summary.baseline == 'storm'


@pytest.mark.unittest
def test_a_member_that_ended_first_is_counted_until_the_others_have():
    """Without its last evaluation, storm's A still adds its 40 seconds to B's 140."""
    rows = [row for row in EVALUATIONS['storm'] if (row.task, row.env_step) != ('A', 100)]
    times = ALL_TIMES.frame(row for row in TIMES if row.method in ('mow', 'storm'))
    result = at_equal_time(TABLE.frame([*rows, *EVALUATIONS['mow']]), times)
    assert (result.cheapest, result.minutes) == ('storm', 3.0)
    assert result.spent['storm'].tolist() == [3.0] and result.spent['mow'].tolist() == [1.0, 1.0]


@pytest.mark.unittest
def test_the_summary_shows_the_table_its_minutes_and_who_is_not_in_it(tmp_path):
    folder = write(tmp_path, **EVALUATIONS)
    write_csv(str(tmp_path / 'times.csv'), ALL_TIMES.frame(TIMES))
    write_summary(folder, summarise(folder))
    text = (tmp_path / 'summary.md').read_text()
    header, *rows = cells(text, 'At equal CPU minutes: 1.9\n')
    shown = {row[0]: dict(zip(header, row)) for row in rows}
    assert list(shown) == ['mow', 'storm', 'storm_multitask', 'random']
    assert {name: row['CPU minutes'] for name, row in shown.items()} == {
        'mow': '1.0 (1.0 to 1.0)', 'storm': '1.5', 'storm_multitask': '1.9 (1.7 to 3.3)', 'random': '-'
    }
    assert shown['mow']['steps per game'] == '50' and shown['mow']['mean'].startswith('-0.363 [-0.450, -0.275]')
    assert 'within 1.9 CPU minutes per seed: what storm_multitask, the cheapest, took' in text
    assert 'since the first evaluation came later: scalezero.' in text
    assert 'since times are not known: mow_group_norm.' in text
    assert '| mow | 1.50 [1.00, 2.00] | 1.50 [1.00, 2.00] |' in text
    assert 'There is no table at equal CPU minutes' not in text


@pytest.mark.unittest
@pytest.mark.parametrize('times', [None, TIMES[:4]], ids=['no times.csv', 'of one method'])
def test_without_times_one_line_says_why_there_is_no_table(tmp_path, times):
    folder = write(tmp_path, **EVALUATIONS)
    if times is not None:
        write_csv(str(tmp_path / 'times.csv'), ALL_TIMES.frame(times))
    write_summary(folder, summarise(folder))
    text = (tmp_path / 'summary.md').read_text()
    assert text.count('There is no table at equal CPU minutes: the times of fewer than two methods are known') == 1
    assert 'Mean return over seeds, at the same evaluations' not in text


@pytest.mark.unittest
def test_times_that_stand_there_twice_are_refused_in_one_line():
    with pytest.raises(ValueError, match='not a many-to-one merge'):
        equal([*TIMES, TIMES[0]])


@pytest.mark.unittest
def test_what_is_equal_is_read_from_the_runs_beside_the_tables(tmp_path):
    folder = write(tmp_path, **EVALUATIONS)
    write_summary(folder, summarise(folder))
    heading = 'What is equal\n'
    header, *_ = cells((tmp_path / 'summary.md').read_text(), heading)
    assert header == ['method', 'steps per game'], 'nothing else is known'
    for method, names in (('mow', ['seed0', 'seed1']), ('storm', ['A_seed0', 'B_seed0']), ('scalezero', ['seed0'])):
        for name in names:
            config = build_config('debug', suite='minatar', method=method)
            save_config(dict(config, seed=int(name[-1])), str(tmp_path / method / name / TOTAL_CONFIG))
    write_summary(folder, summarise(folder))
    rows = {row[0]: row[1:] for row in cells((tmp_path / 'summary.md').read_text(), heading)}
    assert rows['method'] == ['steps per game', 'batch', 'imagined in an update']
    assert rows['mow'] == ['100', '4 x 16', '8 x 4'] and rows['scalezero'] == ['100', '4 x 4', '-']
    assert rows['storm'] == ['100', '8 x 16', '16 x 4'], 'both models together'
    assert rows['storm_multitask'] == ['100', '-', '-'] and 'random' not in rows
