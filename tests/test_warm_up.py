"""The warm-up as a run's first phase: stopped anywhere and resumed it is the same; other policies have none."""
import importlib

import pytest
import torch

from helpers.tiny_run import Stopped, differences, load, tiny_config, train
from lzero_mow.entry import warm_up
from lzero_mow.policy.mow import MoWPolicy
from lzero_mow.policy.mow_grouping import GroupingPolicy

ENTRY = importlib.import_module('lzero_mow.entry.train_multitask')
WRITTEN = ('results.csv', 'warm_up.csv', 'clusters.yaml', 'similarity.csv')


@pytest.fixture(scope='module', autouse=True)
def quick():
    """No pictures, and a checkpoint every fourth update."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ENTRY, 'write_report', lambda *_: None)
        patch.setattr(warm_up, 'SAVE_EVERY', 4)
        patch.setattr(warm_up, 'GRADIENT_BATCHES', 3)
        yield patch


def config(run_dir, clustering='gradient', warmup_steps=10, **changes):
    return tiny_config(run_dir, policy=dict(clustering=clustering, warmup_steps=warmup_steps), **changes)


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp('uninterrupted') / 'run'
    train(config(run_dir))
    return run_dir


def stop_at(monkeypatch, owner, name, when):
    function = getattr(owner, name)

    def stop(self, *arguments):
        if when(self):
            raise Stopped
        return function(self, *arguments)

    monkeypatch.setattr(owner, name, stop)


@pytest.mark.unittest
def test_updates_of_the_warm_up_are_not_counted_as_online_ones(uninterrupted):
    state = load(uninterrupted)
    assert state['train_iter'] == 8 and state['policy']['updates'] == 18
    assert state['schedule']['warm_up_iter'] == 10 and state['schedule']['warmed_up']
    assert state['policy']['model']['world_model.clusters'].tolist() == [0, 1]
    assert (uninterrupted / 'clusters.yaml').read_text() == 'Direct: 0\nShifted: 1\n'
    rows = (uninterrupted / 'warm_up.csv').read_text().splitlines()
    assert [row.split(',')[0] for row in rows[1::2]] == ['2', '4', '6', '8', '10']
    assert state['warm_up'] == {name: (uninterrupted / name).read_text() for name in WRITTEN[1:]}


@pytest.mark.unittest
@pytest.mark.parametrize('update', [0, 1, 3, 4, 7, 10, 12, 15])
def test_stopped_at_an_update_and_resumed(tmp_path, uninterrupted, monkeypatch, update):
    """In the warm-up, right before and right after the tasks are grouped, and in the training that follows."""
    stop_at(monkeypatch, MoWPolicy, '_forward_learn', lambda policy: policy._updates == update)
    with pytest.raises(Stopped):
        train(config(tmp_path / 'run'))
    monkeypatch.undo()
    saved = load(tmp_path / 'run')
    assert saved['policy']['updates'] <= update
    assert len(set(saved['policy']['model']['world_model.clusters'].tolist())) == (1 if update < 10 else 2)
    train(config(tmp_path / 'run'), resume=str(tmp_path / 'run'))
    assert differences(load(tmp_path / 'run'), load(uninterrupted)) == []
    for name in WRITTEN:
        assert (tmp_path / 'run' / name).read_text() == (uninterrupted / name).read_text(), name


@pytest.mark.unittest
def test_stopped_while_grouping(tmp_path, uninterrupted, monkeypatch):
    stop_at(monkeypatch, GroupingPolicy, '_split', lambda _: True)
    with pytest.raises(Stopped):
        train(config(tmp_path / 'run'))
    monkeypatch.undo()
    train(config(tmp_path / 'run'), resume=str(tmp_path / 'run'))
    assert differences(load(tmp_path / 'run'), load(uninterrupted)) == []


@pytest.mark.unittest
def test_every_rule_gets_the_same_warm_up(tmp_path, uninterrupted):
    """One module set, whatever the rule; grouping by gradients leaves no trace in the training's random numbers."""
    train(config(tmp_path / 'run', 'task'))
    assert (tmp_path / 'run' / 'warm_up.csv').read_text() == (uninterrupted / 'warm_up.csv').read_text()
    assert differences(load(tmp_path / 'run')['policy'], load(uninterrupted)['policy']) == []
    assert not (tmp_path / 'run' / 'similarity.csv').exists()


@pytest.mark.unittest
@pytest.mark.parametrize('clustering, warmup_steps', [('order', 0), ('random', 0), ('random', 3)])
def test_rules_that_need_no_gradients(tmp_path, clustering, warmup_steps):
    train(config(tmp_path / 'run', clustering, warmup_steps), max_env_step=48)
    assert (tmp_path / 'run' / 'clusters.yaml').read_text() == 'Direct: 0\nShifted: 1\n'
    assert (tmp_path / 'run' / 'warm_up.csv').exists() == bool(warmup_steps)


@pytest.mark.unittest
def test_one_task_and_one_cluster(tmp_path):
    for tasks in (['Direct'], ['Direct', 'Shifted']):
        policy = dict(warmup_steps=3, clustering='gradient', model=dict(num_clusters=1))
        train(tiny_config(tmp_path / str(len(tasks)), tasks=tasks, policy=policy), max_env_step=48)
        assert set(load(tmp_path / str(len(tasks)))['policy']['model']['world_model.clusters'].tolist()) == {0}


@pytest.mark.unittest
def test_weights_with_clusters_keep_them(tmp_path, uninterrupted):
    path = str(uninterrupted / 'ckpt' / 'latest.pth.tar')
    policy = train(config(tmp_path / 'run'), model_path=path, max_train_iter=0)
    ours, theirs = policy._model.state_dict(), torch.load(path, weights_only=True)['policy']['model']
    assert policy._model.world_model.num_clusters == 2
    assert all(torch.equal(ours[name], value) for name, value in theirs.items() if 'agent.action_mask' not in name)
    train(config(tmp_path / 'whole'), model_path=path)
    assert load(tmp_path / 'whole')['policy']['model']['world_model.clusters'].tolist() == [0, 1]


@pytest.mark.unittest
def test_an_agent_that_begins_after_the_warm_up(tmp_path, monkeypatch):
    """It has made no update until then; stopped on either side and resumed the run is the same."""
    whole = dict(warmup_steps=10, clustering='gradient', warmup_agent=False)
    train(tiny_config(tmp_path / 'whole', policy=whole))
    end = load(tmp_path / 'whole')
    steps = lambda state: {int(of['step']) for of in state['policy']['agent_optimizer']['state'].values()}
    assert steps(end) == {8} and end['train_iter'] == 8
    header = (tmp_path / 'whole' / 'warm_up.csv').read_text().splitlines()[0]
    assert 'world_model/reward' in header and 'agent/' not in header
    for update in (7, 10, 12):
        run_dir = tmp_path / str(update)
        stop_at(monkeypatch, MoWPolicy, '_forward_learn', lambda policy: policy._updates == update)
        with pytest.raises(Stopped):
            train(tiny_config(run_dir, policy=whole))
        monkeypatch.undo()
        assert update > 10 or steps(load(run_dir)) == set()
        train(tiny_config(run_dir, policy=whole), resume=str(run_dir))
        assert differences(load(run_dir), end) == []


@pytest.mark.unittest
def test_another_grouping_cannot_be_resumed(tmp_path, uninterrupted):
    for changes, key in ((dict(clustering='task'), 'clustering'), (dict(warmup_steps=11), 'warmup_steps')):
        with pytest.raises(ValueError, match=f'another policy.{key}: it was started with'):
            train(config(uninterrupted, **changes), resume=str(uninterrupted))
