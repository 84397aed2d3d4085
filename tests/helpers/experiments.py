"""Plans of small experiments, and a lock in other hands."""
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

from lzero_mow.studies.experiment.jobs import Plan


def make_plan(folder, methods=('mow', ), seeds=(0, ), games=(), overrides=(), preset='debug', **changes):
    plan = Plan('atari', preset, tuple(methods), tuple(seeds), tuple(games), str(folder), tuple(overrides), 3)
    return replace(plan, **changes)


@contextmanager
def held_by_another_process(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    hold = 'import fcntl, sys, time; file = open(sys.argv[1], "a"); fcntl.lockf(file, fcntl.LOCK_EX); ' \
        'print(flush=True); time.sleep(60)'
    with subprocess.Popen([sys.executable, '-c', hold, str(path)], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        try:
            yield
        finally:
            other.kill()
