"""Finished runs side by side: what may be compared, the numbers on the page, and that a browser shows it."""
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from lzero_mow.config.atari import ATARI
from lzero_mow.config.build import build_config
from lzero_mow.config.minatar import MINATAR
from lzero_mow.config.references import normalised
from lzero_mow.config.saved import TOTAL_CONFIG, save_config
from lzero_mow.config.suites import references
from lzero_mow.report.pictures.router_map import write_router_map
from lzero_mow.report.pictures.video import write_open_loop_video
from lzero_mow.report.tables.csv_table import write_csv
from lzero_mow.report.tables.diagnostics import DIAGNOSTICS, append_diagnostics
from lzero_mow.report.tables.results import Result, append_results
from lzero_mow.report.tables.run_record import RunRecord, write_run_record
from lzero_mow.report.tables.times import TABLE as TIMES_TABLE
from lzero_mow.report.tables.times import TIMES, Times, append_times
from lzero_mow.studies.compare.command import main
from lzero_mow.studies.compare.runs import check_comparable, load_run
from lzero_mow.studies.summary.numbers import summarise
from lzero_mow.studies.summary.writer import write_summary
from lzero_mow.utils.paths import RESULTS

ROOT = Path(__file__).resolve().parent.parent
TASKS = ('Breakout', 'Freeway')
BROWSER = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
# Appended to a page, says what of it the browser could show.
PROBE = """<script>window.onload = () => setTimeout(() => { document.title = JSON.stringify({
  images: [...document.images].map(image => image.naturalWidth), videos: [...document.querySelectorAll('video')].map(
  video => video.videoWidth), rows: [...document.querySelectorAll('table')].map(table => table.rows.length),
  text: document.getElementById('games').innerText, elsewhere: performance.getEntriesByType('resource').map(
  resource => resource.name).filter(name => !name.startsWith('data:'))})}, 1500)
</script>"""


def make_run(
        folder, method='mow', seed=0, breakout=4.0, pictures=False, ended=True, env_step=192, successes=(),
        scored=True, **changes
):
    """The folder of a run that has ended, of numbers and without networks."""
    config = build_config('debug', suite='minatar', method='mow' if method in references() else method)
    config.update(seed=seed, method=method, exp_name=str(folder))
    for path, value in changes.items():
        part, _, key = path.partition('__')
        config[part] = {**config[part], key: value} if key else value
    os.makedirs(folder)
    save_config(config, os.path.join(folder, TOTAL_CONFIG))
    steps = (0, ) if method in references() else (0, 100, 192)
    points = [(step, task, value * (1 + step / 100)) for step in steps for task, value in zip(TASKS, (breakout, 0.5))]
    append_results(
        os.path.join(folder, RESULTS), [
            Result(
                method, seed, task, step, 20, value,
                normalised(value, MINATAR.references.of(task) if scored else None), *successes
            ) for step, task, value in points
        ]
    )
    if method not in references():
        for step in steps:
            append_times(os.path.join(folder, TIMES), Times(step, 2 * step, step // 10, step / 2, step, 0.002, 0.25))
            append_diagnostics(os.path.join(folder, DIAGNOSTICS), step, {'dormant/encoder': step / 1000})
    if pictures:
        write_router_map(os.path.join(folder, 'report', 'router.png'), np.eye(2), TASKS)
        frames = np.random.default_rng(0).random((3, 8, 3, 16, 16))
        write_open_loop_video(os.path.join(folder, 'report', 'open_loop_Breakout.mp4'), frames, 4)
    if ended:
        write_run_record(
            str(folder), RunRecord(
                method, seed, list(TASKS), env_step, 384, 19, 90.0, 120.0, 4_000_000, 300 * 2 ** 20
            )
        )
    return str(folder)


@pytest.fixture
def runs(tmp_path):
    made = [make_run(tmp_path / f'mow{s}', seed=s, breakout=4.0 + s, pictures=s == 0) for s in range(2)]
    made += [make_run(tmp_path / f'sz{s}', 'scalezero', s, 2.0 + s, pictures=s == 0) for s in range(2)]
    return made + [make_run(tmp_path / f'random{s}', 'random', s, 0.5 + 0.1 * s) for s in range(2)]


def cells(page, table):
    body = re.search(rf'<table id="{table}">(.*?)</table>', page, re.S).group(1)
    rows = re.findall(r'<tr>(.*?)</tr>', body, re.S)
    return [[re.sub('<.*?>', '', cell) for cell in re.findall(r'<t[hd]>(.*?)</t[hd]>', row, re.S)] for row in rows]


@pytest.mark.unittest
def test_the_page_has_the_numbers_of_the_runs(runs, tmp_path, capsys):
    path = str(tmp_path / 'page.html')
    assert main([*runs, '--output', path]) == 0 and capsys.readouterr().out == f'{path}\n'
    with open(path) as file:
        page = file.read()
    scores = {row[0]: row for row in cells(page, 'scores')}
    assert list(scores) == ['method', 'mow', 'scalezero', 'random'] and scores['mow'][1] == '2'
    assert scores['scalezero'][-1].startswith('0.75 [')  # surely better in one game, equal in the other
    games = {row[0]: row[1:] for row in cells(page, 'games')}
    assert games['Breakout'][0].startswith(f'{4.5 * 2.92:.2f} [') and games['Breakout'][2].startswith('0.55 [')
    header, mow, *_ = cells(page, 'costs')
    costs = dict(zip(header, mow))
    assert costs['million parameters'] == '1.00' and costs['interactions'] == '384'
    assert costs['seconds per decision'] == '0.0020' and costs['seconds per update'] == '0.250'
    assert costs['CPU minutes'] == '1.5' and costs['minutes'] == '2.0'
    assert page.count('data:video/mp4;base64,') == 2 and 'src="/' not in page
    assert 'http' not in re.sub('"data:[^"]*"', '', page)


@pytest.mark.unittest
def test_the_page_says_what_is_equal_and_what_was_reached_in_equal_cpu_minutes(runs, tmp_path):
    """MoW's evaluations were at 0, 50 and 96 CPU seconds, ScaleZero's at twice as many: its second is beyond 96."""
    path, times = tmp_path / 'page.html', [os.path.join(run, TIMES) for run in runs[2:4]]
    for name in times:
        table = TIMES_TABLE.read(name)
        write_csv(name, table.assign(cpu_seconds=2 * table.cpu_seconds))
    assert main([*runs, '--output', str(path)]) == 0
    page = path.read_text()
    assert '<h2>At equal CPU minutes: 1.6</h2>' in page and 'what mow, the cheapest, took until its last' in page
    header, *rows = cells(page, 'equal-time-scores')
    shown = [(row[0], *(row[header.index(name)] for name in ('steps per game', 'CPU minutes'))) for row in rows]
    assert shown == [
        ('mow', '192', '1.6 (1.6 to 1.6)'), ('scalezero', '0', '0.0 (0.0 to 0.0)'), ('random', '0', '-')
    ]
    _, (game, mow, scalezero, _), _ = cells(page, 'equal-time-games')
    assert game == 'Breakout' and mow.startswith('13.14 [') and scalezero.startswith('2.50 [')
    assert cells(page, 'equal') == [
        ['method', 'steps per game', 'updates', 'batch', 'imagined in an update', 'CPU minutes'],
        ['mow', '192', '19', '4 x 16', '8 x 4', '1.5'], ['scalezero', '192', '19', '4 x 4', '-', '1.5']
    ]
    for name in times:
        os.remove(name)
    assert main([*runs, '--output', str(path)]) == 0
    page = path.read_text()
    assert 'There is no table at equal CPU minutes' in page and 'id="equal-time' not in page


@pytest.mark.unittest
def test_experts_and_successes_have_their_place_on_the_page(tmp_path):
    made = [make_run(tmp_path / f'mow{s}', seed=s, successes=(0.5 + 0.1 * s, 0.25)) for s in range(2)]
    for name, of_player in (('random', (0, 0)), ('expert', (1, 0))):
        made.append(make_run(tmp_path / name, name, successes=of_player))
    path = tmp_path / 'page.html'
    assert main([*made, '--output', str(path)]) == 0
    page = path.read_text()
    assert [row[0] for row in cells(page, 'scores')] == ['method', 'mow', 'random', 'expert']
    assert [row[0] for row in cells(page, 'costs')] == ['method', 'mow']
    assert 'Episodes per game in an evaluation: 20 per method, 20 of random play, 20 of' in page
    assert 'over the episodes of that one run' in page and 'Successes over environment steps' in page
    none, all_ = ('0.00 [0.00, 0.16]', '0.00 [0.00, 0.09]'), ('1.00 [0.84, 1.00]', '1.00 [0.91, 1.00]')
    expected = ('success_any', '0.55 [0.50, 0.60]', all_), ('success_last', '0.25 [0.25, 0.25]', none)
    for name, ours, experts in expected:
        of_task, of_all = ([ours, random, expert] for random, expert in zip(none, experts))
        assert cells(page, name)[1:] == [*([task, *of_task] for task in TASKS), ['all tasks', *of_all]]
    assert '<title>mow</title>' in page


@pytest.mark.unittest
@pytest.mark.parametrize(
    'changes, words', [
        (dict(max_env_step=100), 'max_env_step=100'),
        (dict(env__sticky_action_prob=0.9), 'env.sticky_action_prob=0.9'),
        (dict(env__evaluator_env_num=3), 'episodes per task in an evaluation=3'),
        (dict(seed=0), "seed 0 of 'mow' is there twice"),
        (dict(ended=False), 'has not ended'),
        (dict(policy__replay_ratio=0.9), 'policy.replay_ratio=0.9'),
        (dict(policy__learning_rate=0.5), 'policy.learning_rate=0.5'),
        (dict(env_step=100), 'ended at environment step 100 of 192'),
        (dict(), "'scalezero' has the seeds [0, 1] and 'mow' [0, 1, 7]"),
    ]
)
def test_what_differs_in_more_than_the_method_is_refused(runs, tmp_path, capsys, changes, words):
    other = make_run(tmp_path / 'other', **{'seed': 7, **changes})
    with pytest.raises(SystemExit) as error:
        main([*runs, other, '--output', str(tmp_path / 'page.html')])
    assert error.value.code == 2 and words in capsys.readouterr().err
    assert not os.path.exists(tmp_path / 'page.html')


@pytest.mark.unittest
def test_the_number_of_evaluation_environments_may_differ(tmp_path):
    made = [
        make_run(tmp_path / f'mow{s}', seed=s, env__evaluator_env_num=count, env__evaluation_episodes=4)
        for s, count in enumerate((1, 2))
    ]
    check_comparable([load_run(folder) for folder in made])


@pytest.mark.unittest
def test_the_script_trains_and_compares_in_one_command(tmp_path):
    """The real thing, two methods of a minute each at most: training, tables, page; given again, only the page."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / 'tests')]), OMP_NUM_THREADS='1')
    command = [
        sys.executable, str(ROOT / 'zoo/atari/config/compare.py'), '--preset', 'debug', '--games', 'Direct', 'Shifted',
        '--methods', 'mow', 'scalezero_dps', 'random', '--seeds', '0', '--random-episodes', '2', 'max_env_step=112',
        'create.env.type=two_task_mow', 'create.env.import_names=[helpers.two_task_env]', 'create.env.suite=null',
        'policy.device=cpu'
    ]
    for words in ('mow, seed 0: started', '3 of them finished'):
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=280)
        assert done.returncode == 0 and words in done.stderr, done.stderr
    page = (tmp_path / 'data_mow' / 'compare' / 'atari.html').read_text()
    assert [row[0] for row in cells(page, 'costs')[1:]] == ['mow', 'scalezero_dps']
    assert page.count('data:video/mp4;base64,') == 2 and page.count('alt="Which game uses which expert"') == 2
    assert 'The same over time by the clock' in page


@pytest.mark.unittest
def test_an_ensemble_is_compared_as_a_whole(runs, tmp_path):
    members = []
    for task in TASKS:
        folder = make_run(tmp_path / f'storm_{task}', 'mow', 0)
        for name in (TOTAL_CONFIG, 'run.yaml'):
            with open(os.path.join(folder, name)) as file:
                content = yaml.safe_load(file)
            content['method'] = 'storm'
            content.update(tasks=[task]) if name == 'run.yaml' else content['env'].update(tasks=[task])
            with open(os.path.join(folder, name), 'w') as file:
                yaml.safe_dump(content, file)
        members.append(folder)
    runs = [runs[0], runs[2], *runs[4:]]  # seed 0 of each method
    check_comparable([load_run(folder) for folder in [*runs, *members]])
    with pytest.raises(ValueError, match="seed 0 of 'storm' has the games Breakout, .* has Breakout, Freeway"):
        check_comparable([load_run(folder) for folder in [*runs, members[0]]])


@pytest.mark.unittest
def test_a_run_has_one_score_whoever_stands_beside_it_on_page_and_summary(runs, tmp_path):
    shown = []
    for name, chosen in (('all', runs), ('two', [*runs[:2], *runs[4:]]), ('alone', runs[:2])):
        page, folder = tmp_path / f'{name}.html', tmp_path / name
        assert main([*chosen, '--output', str(page)]) == 0
        shown.append(cells(page.read_text(), 'scores')[1][2:5])
        folder.mkdir()
        for number, run in enumerate(chosen):
            shutil.copy(os.path.join(run, RESULTS), folder / f'{number}.csv')
        write_summary(str(folder), summarise(str(folder)))
        row = next(line for line in (folder / 'summary.md').read_text().splitlines() if line.startswith('| mow |'))
        shown.append([cell.strip() for cell in row.split('|')[4:7]])
    scores = [((4.0 + seed) * 2.92 - 0.43) / (10.3 - 0.43) for seed in range(2)] + [(0.5 * 2.92 - 0.06) / 49.84] * 2
    assert shown[0][1].startswith(f'{np.mean(scores):.3f} [') and shown == [shown[0]] * 6


@pytest.mark.unittest
def test_without_references_there_are_no_scores_and_the_page_says_why(tmp_path):
    made, path = [make_run(tmp_path / f'mow{s}', seed=s, scored=False) for s in range(2)], tmp_path / 'page.html'
    assert main([*made, '--output', str(path)]) == 0
    page = path.read_text()
    assert "the suite's record names no returns" in page and cells(page, 'scores')[1][2] == '-'


@pytest.mark.unittest
def test_peers_stand_on_the_page_of_a_suite_that_has_them_and_of_no_other(runs, tmp_path, capsys, monkeypatch):
    path = tmp_path / 'page.html'
    with pytest.raises(SystemExit) as error:
        main([*runs, '--output', str(path), '--peers'])
    assert error.value.code == 2 and 'only in those of atari' in capsys.readouterr().err and not path.exists()
    monkeypatch.setitem(globals(), 'MINATAR', ATARI)  # the same games
    made = [make_run(tmp_path / f'atari{s}', seed=s) for s in range(2)]
    assert main([*made, '--output', str(path), '--peers']) == 0
    page = path.read_text()
    header, breakout, _ = cells(page, 'games')
    assert dict(zip(header, breakout))['Simulus (published)'] == '148.86'
    assert 'Scores: human-normalised score, random play 0, a human 1.' in page
    assert 'One agent per game, 100,000 environment steps of that game alone' in page


@pytest.mark.unittest
@pytest.mark.skipif(BROWSER is None, reason='no Chromium or Chrome on this machine')
def test_a_browser_shows_it_from_a_file(runs, tmp_path):
    path = tmp_path / 'page.html'
    assert main([*runs, '--output', str(path)]) == 0
    path.write_text(path.read_text() + PROBE)
    options = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking']
    done = subprocess.run(
        [BROWSER, *options, f'--user-data-dir={tmp_path / "profile"}', '--virtual-time-budget=10000', '--dump-dom',
         path.as_uri()], capture_output=True, text=True, timeout=120
    )
    title = re.search(r'<title>(\{.*?\})</title>', done.stdout, re.S)
    assert title, done.stderr[-2000:]
    seen = json.loads(title.group(1).replace('&amp;', '&'))
    assert len(seen['images']) >= 6 and min(seen['images']) > 100  # scores, curves twice, plasticity, two routers
    assert seen['elsewhere'] == []  # nothing had to be fetched
    assert len(seen['videos']) == 2 and min(seen['videos']) > 0
    assert min(seen['rows']) > 2 and 'Breakout' in seen['text']
