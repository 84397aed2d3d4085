"""LightZero's own UniZero in our MinAtar, the script of the benchmarks: really run, with few steps."""
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from lzero_mow.report.tables.results import read_results

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = 'lzero_mow.studies.bench.lightzero_unizero'
STEPS, EVERY, RANDOM = 300, 150, 100


def start(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.envtest
def test_lightzero_sees_our_frames_larger_and_the_legal_actions_alone():
    pytest.importorskip('minatar')
    code = """
import numpy as np
from lzero_mow.envs.minatar import MinAtarMoWEnv
from lzero_mow.studies.bench.lightzero_unizero import LightZeroMinAtarEnv
cfg = dict(task='Breakout', obs_shape=(3, 16, 16), action_space='minimal', sticky_action_prob=0.0)
ours, theirs = MinAtarMoWEnv(cfg), LightZeroMinAtarEnv(cfg)
for env in (ours, theirs):
    env.seed(3)
pairs = [(ours.reset(), theirs.reset())]
legal = np.flatnonzero(pairs[0][0]['action_mask'])
assert theirs.action_space.n == len(legal) == 3
for action in (0, 2, 1, 2):
    steps = ours.step(int(legal[action])), theirs.step(action)
    assert steps[0].reward == steps[1].reward and steps[0].done == steps[1].done
    pairs.append(tuple(step.obs for step in steps))
for a, b in pairs:
    assert b['observation'].dtype == np.float32 and b['observation'].shape == (3, 64, 64)
    assert (np.rint(b['observation'][:, ::4, ::4] * 255) == a['observation']).all()
    assert (b['observation'][:, 3::4, 3::4] == b['observation'][:, ::4, ::4]).all()
    assert b['observation'].max() <= 1 and b['action_mask'].tolist() == [1, 1, 1] and b['timestep'] == a['timestep']
"""
    done = start('-c', code)
    assert done.returncode == 0, done.stderr


@pytest.mark.envtest
def test_lightzeros_curve_stands_beside_ours(tmp_path):
    pytest.importorskip('minatar')
    small = ('--batch-size', '4', '--channels', '4', '--simulations', '3', '--updates-per-step', '0.1')
    short = ('--steps', str(STEPS), '--evaluate-every', str(EVERY), '--random-steps', str(RANDOM))
    arguments = ('-m', SCRIPT, '--seed', '3', *small, *short, '--output', str(tmp_path))
    done = start(*arguments)
    assert done.returncode == 0, done.stderr
    assert 'INFO' not in done.stdout + done.stderr and 'updates' in done.stdout

    results, costs = read_results(str(tmp_path / 'results.csv')), pd.read_csv(tmp_path / 'lightzero.csv')
    assert len(results) == 3 and set(results.method) == {'lightzero_unizero'} and set(results.task) == {'Breakout'}
    assert set(results.seed) == {3} and set(results.episodes) == {20}
    assert (results.episode_return >= 0).all() and results.normalised.notna().all()
    # LightZero evaluates between collections, the first of which after the step that was asked for.
    assert results.env_step[0] == 0 and (results.env_step[1:] >= [EVERY, STEPS]).all()
    assert results.env_step[1] < STEPS <= results.env_step[2] < STEPS + EVERY

    assert costs.env_step.tolist() == results.env_step.tolist()
    assert costs.transitions[0] == costs.updates[0] == 0
    assert (costs.transitions <= costs.env_step).all() and (costs.transitions[1:] > 0).all()
    assert costs.updates.tolist() == [max(0, (step - RANDOM) // 10) for step in costs.env_step]

    ours = tmp_path / 'ours.csv'
    ours.write_text((tmp_path / 'results.csv').read_text().replace('lightzero_unizero', 'unizero_multitask_dense'))
    picture = tmp_path / 'curves.png'
    done = start('-m', 'lzero_mow', 'curves', str(tmp_path / 'results.csv'), str(ours), '--output', str(picture))
    assert done.returncode == 0 and picture.is_file(), done.stderr

    done = start(*arguments)
    assert done.returncode == 2 and 'already has results.csv' in done.stderr, done.stderr


@pytest.mark.unittest
@pytest.mark.parametrize(
    'arguments, message', [
        (('--game', 'Pong'), "unknown game 'Pong'"), (('--learning-rate', '0'), 'must be above 0'),
        (('--batch-size', '0'), '--batch-size must be at least 1, got 0')
    ]
)
def test_impossible_arguments_are_refused_in_one_line(arguments, message):
    done = start('-m', SCRIPT, *arguments)
    assert done.returncode == 2 and message in done.stderr and 'Traceback' not in done.stderr, done.stderr
