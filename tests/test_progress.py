"""The screen: live lines on a terminal, plain lines elsewhere."""
import io
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from lzero_mow.entry.run import progress
from lzero_mow.entry.run.progress import Progress
from lzero_mow.utils import screen

ROOT = Path(__file__).resolve().parent.parent


def play(shown: Progress) -> None:
    shown.evaluation([0.125, None])
    shown.step(0, 0)
    shown.episode(1, -7.0)
    shown.phase('training')
    shown.step(64, 12)


@pytest.mark.unittest
def test_live_lines_on_a_terminal(monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(progress, 'SCREEN', Console(file=written, force_terminal=True, width=100))
    with Progress(['Pong', 'Boxing'], 1000) as shown:
        play(shown)
    lines = written.getvalue()
    assert all(word in lines for word in ('Pong', '64/1000', '0.125', '-7.0', 'steps/s', 'training, 12 updates'))


@pytest.mark.unittest
def test_plain_lines_elsewhere(monkeypatch, caplog):
    written = io.StringIO()
    monkeypatch.setattr(progress, 'SCREEN', Console(file=written))
    monkeypatch.setattr(progress, 'LINES_EVERY', 0.0)
    with caplog.at_level(logging.INFO), Progress(['Pong', 'Boxing'], 1000) as shown:
        play(shown)
        shown.write_evaluation(64, [1.5, 3.5], 0.5)
    assert written.getvalue() == ''
    lines = [record.getMessage() for record in caplog.records]
    assert lines[-3].startswith('Pong: step 64/1000, last return -, score 0.125, ')
    assert lines[-2].startswith('Boxing: step 64/1000, last return -7.0, score -, ')
    assert lines[-1] == 'evaluation at step 64: Pong 1.5 (score 0.12), Boxing 3.5'


@pytest.mark.unittest
def test_only_our_lines_and_warnings_reach_the_screen():
    code = f"""
import logging, sys
sys.orig_argv, sys.argv[:] = ['python', '-m', 'lzero_mow'], ['-m']
from lzero_mow.utils import screen
sys.argv[:] = ['x']
screen.set_up_screen()
def record(level, path, text, name='root'):
    logging.getLogger(name).handle(logging.LogRecord(name, level, path, 1, text, (), None))
record(logging.INFO, '{screen.PACKAGE}/entry/run.py', 'ours')
record(logging.INFO, '/site-packages/lzero/x.py', 'theirs')
record(logging.WARNING, '/site-packages/lzero/x.py', 'their warning')
record(logging.INFO, '{screen.PACKAGE}/worker/collector.py', 'into the file', 'collector_logger')
"""
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == ''
    assert [line.split(' ', 1)[1] for line in done.stderr.splitlines()] == ['ours', 'their warning']
