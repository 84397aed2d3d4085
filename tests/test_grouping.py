"""Which tasks form a cluster: rules, files, similarity, and a planted grouping recovered by a real warm-up."""
import importlib

import numpy as np
import pytest
import yaml

from helpers.planted_env import PLANTED, TASKS
from helpers.tiny_run import load, tiny_config, train
from lzero_mow.config.clusters import assign, canonical, read_assignment
from lzero_mow.multitask.clustering.grouping import agglomerate, agglomerate_auto, cosine_similarities
from lzero_mow.report.tables.similarity import read_similarity

ENTRY = importlib.import_module('lzero_mow.entry.train_multitask')
NAMES = ('a', 'b', 'c', 'd', 'e')


@pytest.mark.unittest
def test_rules_without_gradients():
    assert assign('task', NAMES, 2, seed=0) == [0, 1, 2, 3, 4]
    assert assign('order', NAMES, 2, seed=0) == [0, 0, 0, 1, 1]
    drawn = {tuple(assign('random', NAMES, 2, seed=seed)) for seed in range(20)}
    assert len(drawn) > 3 and all(sorted(np.bincount(clusters)) == [2, 3] for clusters in drawn)
    assert assign('random', NAMES, 2, seed=3) == assign('random', NAMES, 2, seed=3)
    assert all(canonical(clusters) == list(clusters) for clusters in drawn)


@pytest.mark.unittest
def test_a_file(tmp_path):
    path = tmp_path / 'clusters.yaml'
    path.write_text('{e: left, d: right, c: left, b: 7, a: 7}')
    assert read_assignment(str(path), NAMES) == [0, 0, 1, 2, 1]


@pytest.mark.unittest
@pytest.mark.parametrize(
    'content, message', [
        ('{a: 0, b: 0, c: 1, d: 1, e: 1, f: 2}', "assigns 'f', which is none of the run's tasks: a, b, c, d, e"),
        ('{a: 0, b: 0, c: 1}', 'has no cluster for d, e: add a line "d: CLUSTER"'),
        ('[a, b]', 'must have a line for each task, such as "a: 0"'),
        ('{a: [1], b: 0, c: 0, d: 0, e: 0}', 'must have a line for each task'),
        ('{a: 0', 'cannot read '),
        (None, 'no file, and none of gradient, auto, random, task, order'),
    ]
)
def test_a_file_that_does_not_fit(tmp_path, content, message):
    path = tmp_path / 'clusters.yaml'
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError) as raised:
        read_assignment(str(path), NAMES)
    assert message in str(raised.value) and str(path) in str(raised.value) and '\n' not in str(raised.value)


@pytest.mark.unittest
def test_a_file_in_another_encoding_is_refused(tmp_path):
    """Two names that differ in what cannot be read would become one cluster."""
    path = tmp_path / 'clusters.yaml'
    path.write_bytes('{a: é, b: è, c: é, d: é, e: è}'.encode('latin-1'))
    with pytest.raises(ValueError, match='cannot read'):
        read_assignment(str(path), NAMES)


def planted_signatures(groups, noise, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(groups) + 1, 40))
    return centres[groups] * rng.uniform(0.1, 10, (len(groups), 1)) + noise * rng.normal(size=(len(groups), 40))


@pytest.mark.unittest
def test_direction_decides_and_not_length():
    groups = [0, 1, 2, 1, 0, 2, 2]
    similarity = cosine_similarities(planted_signatures(groups, noise=0.02))
    assert np.array_equal(similarity, similarity.T) and np.array_equal(np.diag(similarity), np.ones(7))
    assert agglomerate(similarity, 3) == groups
    assert agglomerate(similarity, 1) == [0] * 7 and agglomerate(similarity, 7) == list(range(7))
    assert agglomerate_auto(similarity, 7) == groups
    assert max(agglomerate_auto(similarity, 2)) == 1


@pytest.fixture(scope='module', params=['gradient', 'auto'])
def planted(request, tmp_path_factory):
    """A run's folder: six tasks, warmed up for 60 updates on 288 steps of random play each."""
    run_dir = tmp_path_factory.mktemp(request.param) / 'run'
    model = dict(num_clusters=3 if request.param == 'gradient' else 5, stem_channels=4, categories=8, classes=8)
    policy = dict(
        clustering=request.param, warmup_steps=60, batch_size=24, imagine_batch_size=24, train_start_after_envsteps=288,
        learning_rate=1e-3, log_freq=20, imagine_source='batch', model=model
    )
    config = tiny_config(run_dir, 'planted_mow', TASKS, max_env_step=300, policy=policy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ENTRY, 'write_report', lambda *_: None)
        train(config)
    return run_dir


@pytest.mark.unittest
def test_a_planted_grouping_is_recovered_exactly(planted):
    clusters = yaml.safe_load((planted / 'clusters.yaml').read_text())
    assert clusters == dict(zip(TASKS, PLANTED))
    assert load(planted)['policy']['model']['world_model.clusters'].tolist() == PLANTED
    names, similarity = read_similarity(planted / 'similarity.csv')
    same = np.equal.outer(PLANTED, PLANTED)
    assert names == list(TASKS) and similarity[same].min() > similarity[~same].max()
    assert (planted / 'report' / 'clusters.png').stat().st_size > 1000
    header, *rows = [line.split(',') for line in (planted / 'warm_up.csv').read_text().splitlines()]
    assert header[:3] == ['update', 'task', 'world_model/reconstruction']
    assert [row[:2] for row in rows] == [[update, task] for update in ('20', '40', '60') for task in TASKS]
    assert float(rows[-1][2]) < 0.8 * float(rows[0][2]), 'it learns'
