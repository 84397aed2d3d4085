"""The processes of an experiment: how many at once, with how many threads, and how they end."""
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from helpers.experiments import held_by_another_process, make_plan
from lzero_mow.studies.experiment import command as experiment
from lzero_mow.studies.experiment import local, runs
from lzero_mow.studies.experiment.jobs import plan_jobs
from lzero_mow.utils.files import locked

FAKE = """
import sys, time, signal
from pathlib import Path
name, folder = sys.argv[1], Path(sys.argv[2])
signal.signal(signal.SIGTERM, signal.default_int_handler)  # as a run does
try:
    (folder / (name + '.started')).touch()
    while not (folder / (name + '.go')).exists():
        time.sleep(0.02)
except KeyboardInterrupt:
    (folder / (name + '.interrupted')).touch()
    sys.exit(130)
sys.exit(name.startswith('fails'))
"""


class Fakes:
    """Stand for runs: each waits for a file before it ends."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.ended = folder, []
        monkeypatch.setattr(runs, 'POLL_SECONDS', 0.01)
        fake = [sys.executable, '-c', FAKE]
        monkeypatch.setattr(runs, 'command', lambda job, plan: [*fake, job.method, str(folder)])
        monkeypatch.setattr(runs, 'is_finished', lambda job: False)
        monkeypatch.setattr(local, 'is_finished', lambda job: not job.method.startswith('fails'))

    def jobs(self, *names):
        job, = plan_jobs(make_plan(self.folder / 'runs'))
        return [
            replace(job, method=name, config=dict(job.config, exp_name=str(self.folder / 'runs' / name)))
            for name in names
        ]

    def go(self, *names):
        for name in names:
            (self.folder / f'{name}.go').touch()

    def seen(self, what):
        return {path.stem for path in self.folder.glob(f'*.{what}')}


@pytest.mark.unittest
def test_a_failed_run_does_not_stop_the_others(tmp_path, monkeypatch):
    fakes = Fakes(tmp_path, monkeypatch)
    fakes.go('a', 'fails', 'b')
    finished = []
    failed = local.run_jobs(fakes.jobs('a', 'fails', 'b'), None, 2, 1, lambda: finished.append(1))
    assert [job.method for job in failed] == ['fails'] and len(finished) == 2
    assert fakes.seen('started') == {'a', 'b', 'fails'}
    assert Path(failed[0].log).is_file()


@pytest.mark.unittest
@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM])
def test_only_so_many_at_once_and_an_interrupt_ends_them(tmp_path, monkeypatch, signum):
    fakes = Fakes(tmp_path, monkeypatch)

    def interrupt_when_two_have_started():
        while len(fakes.seen('started')) < 2:
            time.sleep(0.02)
        os.kill(os.getpid(), signum)

    Thread(target=interrupt_when_two_have_started).start()
    with pytest.raises(KeyboardInterrupt):
        local.run_jobs(fakes.jobs('a', 'b', 'c'), None, 2, 1, lambda: None)
    assert fakes.seen('started') == fakes.seen('interrupted') == {'a', 'b'}


@pytest.mark.unittest
def test_threads_are_divided_among_the_jobs(tmp_path, monkeypatch):
    calls = []

    def run_jobs(due, plan, at_once, threads, on_finished):
        calls.append((at_once, threads))
        return []

    monkeypatch.setattr(experiment.local, 'run_jobs', run_jobs)
    monkeypatch.setattr(experiment.os, 'sched_getaffinity', lambda _: set(range(8)))
    arguments = ['atari', '--preset', 'debug', '--methods', 'mow', 'mow_no_balance', '--runs', str(tmp_path / 'runs')]
    arguments += ['--output', str(tmp_path)]
    for extra, expected in (
        (['--seeds', '0'], (2, 4)), (['--seeds', *'0123456'], (8, 1)), (['--jobs', '2', '--seeds', *'0123'], (2, 4))
    ):
        assert experiment.main([*arguments, *extra]) == 0
        assert calls.pop() == expected


@pytest.mark.unittest
def test_two_experiments_may_not_share_a_method(tmp_path, capsys):
    lock = tmp_path / 'runs' / 'atari' / 'mow' / 'lock'
    with held_by_another_process(lock), pytest.raises(SystemExit) as left:
        experiment.main(['atari', '--preset', 'debug', '--methods', 'mow', '--runs', str(tmp_path / 'runs')])
    assert left.value.code == 2 and "another experiment is running 'mow'" in capsys.readouterr().err
    locked(str(lock)).close()
