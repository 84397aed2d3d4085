"""The stability command: what it compares, that its warm-up is a run's, and that finished seeds are kept."""
import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers.planted_env import PLANTED, TASKS
from helpers.tiny_run import tiny_config, train
from lzero_mow.entry import warm_up
from lzero_mow.report.tables.similarity import write_similarity
from lzero_mow.studies.stability import measure as stability
from lzero_mow.studies.stability.tables import LONGEST, POOLED, SEEDS, planted_groups, rand_indices, write_stability
from lzero_mow.studies.stability.tables import PLANTED as WITH_PLANTED

ROOT = Path(__file__).resolve().parent.parent


def config(run_dir, **policy):
    policy = dict(dict(clustering='gradient', warmup_steps=4, batch_size=6, imagine_batch_size=6), **policy)
    return tiny_config(run_dir, 'planted_mow', TASKS, policy=dict(policy, model=dict(num_clusters=3)))


@pytest.fixture(scope='module', autouse=True)
def quick():
    """A few batches per measurement."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warm_up, 'GRADIENT_BATCHES', 3)
        yield patch


@pytest.fixture(scope='module')
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp('stability') / 'out'
    stability.measure(config('unused'), [0, 1, 2], [2, 4], str(folder))
    return folder


@pytest.mark.unittest
def test_everything_is_written(measured):
    with open(measured / 'stability.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [(row['seed'], row['length'], row['task']) for row in rows] == [
        (seed, length, task) for seed in '012' for length in '24' for task in TASKS
    ]
    assert {row['cluster'] for row in rows} == {'0', '1', '2'}
    lines = (measured / 'stability.md').read_text().splitlines()
    assert lines[2] == '| updates | clusters | silhouette | between seeds | with the longest |'
    assert lines[4].startswith('| 2 | 3 | ') and lines[5].startswith('| 4 | 3 | ')
    assert lines[5].endswith('| 1.00 (1.00 to 1.00) |')
    assert (measured / 'stability.png').stat().st_size > 1000
    assert not (ROOT / 'unused').exists() and not os.path.exists('unused')


@pytest.mark.unittest
def test_its_warm_up_is_that_of_a_training_run(tmp_path, measured):
    for seed in (0, 2):
        train(dict(config(tmp_path / str(seed)), seed=seed), max_env_step=30)
        ours = Path(stability.similarity_file(str(measured), seed, 4)).read_text()
        assert ours == (tmp_path / str(seed) / 'similarity.csv').read_text()


@pytest.mark.unittest
def test_finished_seeds_are_not_computed_again(tmp_path, monkeypatch):
    computed = []
    compute = stability.warm_up

    def interrupted(config, seed, *arguments):
        computed.append(seed)
        if computed == [3, 4]:
            raise KeyboardInterrupt
        return compute(config, seed, *arguments)

    monkeypatch.setattr(stability, 'warm_up', interrupted)
    with pytest.raises(KeyboardInterrupt):
        stability.measure(config('unused'), [3, 4], [1], str(tmp_path))
    stability.measure(config('unused'), [3, 4], [1], str(tmp_path))
    assert computed == [3, 4, 4]
    other_number = config('unused')
    other_number['policy']['model']['num_clusters'] = 2
    stability.check_settings(other_number, str(tmp_path))
    stability.measure(other_number, [3, 4], [1], str(tmp_path))
    assert computed == [3, 4, 4], 'the measurements serve any number of clusters'
    assert '| 1 | 2 |' in (tmp_path / 'stability.md').read_text()
    with pytest.raises(ValueError, match='was made with policy.batch_size = 6, now 12 is asked for'):
        stability.check_settings(config('unused', batch_size=12), str(tmp_path))


@pytest.mark.unittest
def test_what_is_compared():
    assignments = {(0, 5): [0, 0, 1, 1], (1, 5): [0, 1, 0, 1], (0, 9): [0, 0, 1, 1], (1, 9): [0, 0, 1, 1]}
    indices = rand_indices(assignments, [0, 1], [5, 9], planted=[0, 0, 1, 1])
    values = indices.groupby(['comparison', 'updates']).value.agg(list)
    assert values[SEEDS].to_dict() == {5: [-0.5], 9: [1.0]}
    assert values[LONGEST].to_dict() == values[WITH_PLANTED].to_dict() == {5: [1.0, -0.5], 9: [1.0, 1.0]}
    assert planted_groups(['Asterix', 'Freeway', 'Freeway@1', 'Asterix@3']) == [0, 1, 1, 0]
    assert planted_groups(['Asterix', 'Freeway']) is None and len(set(PLANTED)) == 3


@pytest.mark.unittest
@pytest.mark.parametrize(
    'arguments, line', [
        (['--clusters', 'random'], "--clusters is 'random': only a number or auto groups by gradients"),
        (['--games', 'Pong', 'Boxing'], 'Pong and Boxing: fewer than three tasks have no grouping to compare'),
        (['--clusters', '4'], '4 clusters of 4 tasks are the same whatever the gradients: choose 2 to 3'),
        (['--clusters', '1'], '1 clusters of 4 tasks are the same'),
        (['--lengths', '0'], '--lengths must be whole numbers of at least 1, got 0'),
        (['--seeds', 'x', 'policy.log_freq=3'], '--seeds must be whole numbers of at least 0, got x'),
        (['--seed', '3'], '--seed has no meaning here: see --seeds and --output'),
        (['--clusters', '9'], 'policy.model.num_clusters is 9, more than there are tasks'),
    ]
)
def test_mistakes_get_one_line_without_importing_torch(tmp_path, arguments, line):
    for name in ('torch', 'ding', 'lzero', 'matplotlib'):
        (tmp_path / name).mkdir()
        (tmp_path / name / '__init__.py').write_text(f'raise SystemExit("{name} was imported")')
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]))
    command = [sys.executable, '-m', 'lzero_mow', 'stability', '--preset', 'laptop', *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == '' and done.stderr.count('\n') == 1, done.stderr
    assert line in done.stderr and done.stderr.startswith('python -m lzero_mow stability: error: ')


@pytest.mark.unittest
def test_cosines_averaged_over_seeds_are_compared_with_the_planted_groups(tmp_path):
    tasks = ['A', 'A@1', 'B', 'B@1']
    for seed, (i, j) in enumerate([(0, 2), (1, 3)]):  # each seed finds one pair of unlike tasks most alike
        similarity = np.full((4, 4), -0.5)
        similarity[[0, 1, 2, 3], [1, 0, 3, 2]] = 0.4
        similarity[i, j] = similarity[j, i] = 0.6
        np.fill_diagonal(similarity, 1.0)
        write_similarity(stability.similarity_file(str(tmp_path), seed, 7), similarity, tasks)
    write_stability(str(tmp_path), [0, 1], [7], tasks, 'gradient', 2)
    header, _, row = (tmp_path / 'stability.md').read_text().splitlines()[2:5]
    cells = dict(zip(header.split(' | '), row.split(' | ')))
    assert cells[f'{POOLED} |'] == '1.00 |' and not cells[WITH_PLANTED].startswith('1.00')
