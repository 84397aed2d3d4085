"""A finished checkpoint, played once more by the command line."""
import shutil
import subprocess
import sys

import pytest

from helpers.tiny_run import differences, load, tiny_config, train
from lzero_mow.__main__ import main
from lzero_mow.report.tables.results import SUCCESSES, read_results


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp('evaluate') / 'run'
    train(tiny_config(folder))
    return folder


def table(folder, name):
    return list(read_results(str(folder / name)).drop(columns=['normalised', *SUCCESSES]).itertuples(index=False))


@pytest.mark.unittest
def test_the_latest_checkpoint_does_what_its_run_ended_with(run, capsys):
    before, state = (run / 'results.csv').read_text(), load(run)
    assert main(['evaluate', str(run)]) == 0
    assert table(run, 'evaluation.csv') == table(run, 'results.csv')[-2:], 'the same episodes and random numbers'
    assert (run / 'results.csv').read_text() == before and differences(load(run), state) == []
    text = capsys.readouterr().err
    assert ', step 96, 2 episodes per task' in text and 'Direct' in text


@pytest.mark.unittest
def test_more_episodes_of_the_best_checkpoint(run):
    best = load(run, 'ckpt_best.pth.tar')
    assert main(['evaluate', str(run), '--best', '--episodes', '5', 'policy.eval_greedy=true']) == 0
    rows = table(run, 'evaluation.csv')
    assert [(row.task, row.env_step) for row in rows] == [('Direct', best['env_step']), ('Shifted', best['env_step'])]
    assert all(row.episode_return * 5 == pytest.approx(round(row.episode_return * 5)) for row in rows)
    assert rows != table(run, 'results.csv')[-2:]


@pytest.mark.unittest
@pytest.mark.parametrize(
    'arguments, message', [
        (['--episodes', '0'], '--episodes must be at least 1, got 0'),
        (['env.evaluator_env_nun=3'], "unknown key 'env.evaluator_env_nun'"),
        (['policy.model.width=32'], 'another policy.model.width'),
    ]
)
def test_what_cannot_be_evaluated_gets_one_line(run, capsys, arguments, message):
    try:
        code = main(['evaluate', str(run), *arguments])
    except SystemExit as error:
        code = error.code
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == 2 and message in last and last.startswith('python -m lzero_mow evaluate: error:')


@pytest.mark.unittest
def test_runs_that_have_nothing_to_play_or_are_at_work(run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(['evaluate', str(shutil.copytree(run, tmp_path / 'copy', ignore=lambda *_: ['ckpt']))])
    assert 'has no checkpoint to evaluate' in capsys.readouterr().err
    code = 'import sys; from lzero_mow.utils.files import locked; ' \
        "a = locked(sys.argv[1]); print('held', flush=True); input()"
    command = [sys.executable, '-c', code, str(run / 'log' / 'lock')]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b'held\n'
        assert main(['evaluate', str(run)]) == 2
        other.kill()
    assert 'another process is training' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(['evaluate', str(tmp_path)])
    assert 'is no run folder' in capsys.readouterr().err
