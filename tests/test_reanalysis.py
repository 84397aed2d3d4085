"""Reanalysis: which steps are searched anew, from what, and where the results go."""
import importlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_scalezero_continuous import batch_towards, config_of, numbers_policy
from test_search_buffer import L as LENGTH
from test_search_buffer import filled, make_config, push

from helpers.replay import TASKS, batches_equal
from helpers.scalezero_policy import L, random_search_batch, tiny_scalezero_policy
from helpers.search import python_trees, traverse_with_switch
from helpers.tiny_run import Stopped, differences, load, train
from lzero_mow.buffer.game_buffer_scalezero import ScaleZeroGameBuffer
from lzero_mow.config.build import build_config
from lzero_mow.entry.run import checkpoint
from lzero_mow.mcts import reanalysis, trees
from lzero_mow.policy.scalezero import ScaleZeroPolicy

ENTRY = importlib.import_module('lzero_mow.entry.train_multitask')


def search_anew(batch):
    """Takes the place of the policy: all visits go to the action before the one that was played."""
    actions = batch.visits.shape[-1]
    visits = torch.nn.functional.one_hot((batch.action[:, :LENGTH] - 1) % actions, actions)
    return replace(batch, visits=visits.float())


@pytest.mark.unittest
@pytest.mark.parametrize('ratio', [0.0, 0.3, 0.5, 1.0])
def test_a_share_of_each_tasks_sequences(ratio):
    batch = random_search_batch(tasks=(0, ) * 10 + (1, ) * 10 + (2, ) * 10)
    rows = reanalysis.share_of_rows(batch, ratio)
    assert np.bincount(np.asarray(batch.task)[rows], minlength=3).tolist() == [round(10 * ratio)] * 3


@pytest.mark.unittest
@pytest.mark.parametrize('cache_bytes', [1, 2 ** 31])
def test_searches_begin_where_acting_would(monkeypatch, cache_bytes):
    """From the last steps up to each root, as encoded now; few roots at once or all of them."""
    policy, batch, windows = tiny_scalezero_policy(), random_search_batch(), []
    batch.terminated[3, 1] = True
    search = reanalysis.search
    monkeypatch.setattr(reanalysis, 'CACHE_BYTES', cache_bytes)
    monkeypatch.setattr(reanalysis, 'search', lambda *args: windows.append(args[1]) or search(*args))
    policy.reanalyze(batch, np.array([0, 3, 5]))
    roots = [(0, t) for t in range(L)] + [(3, 0), (3, 1)] + [(5, t) for t in range(L)]
    assert (len(windows) == 1) == (cache_bytes > 1)
    assert [task for window in windows for task in window.task] == [batch.task[row] for row, _ in roots]
    found = [(window, row) for window in windows for row in range(len(window.task))]
    for (window, place), (row, t) in zip(found, roots):
        length = int(window.length[place])
        assert length == min(t + 1, policy._cfg.context_length)
        with torch.no_grad():
            latent = policy._target.encode(batch.obs[row, t + 1 - length:t + 1])
        torch.testing.assert_close(window.latent[place, :length], latent)
        assert torch.equal(window.action[place, :length - 1], batch.action[row, t + 1 - length:t])


@pytest.mark.unittest
def test_only_the_asked_rows_change_and_only_their_valid_steps():
    policy, batch = tiny_scalezero_policy(num_simulations=40), random_search_batch()
    policy._model.action_mask[1, 0] = False
    batch.truncated[2, 1] = True
    batch.visits[:] = 0
    fresh = policy.reanalyze(batch, np.array([2, 4]))
    searched = torch.zeros(6, L, dtype=torch.bool)
    searched[2, :2] = searched[4] = True
    assert torch.equal(fresh.searched, searched) and not batch.searched.any()
    torch.testing.assert_close(fresh.visits[searched].sum(-1), torch.ones(2 + L))
    assert fresh.visits[2, :, 0].eq(0).all() and fresh.visits[4, :, 0].any()


@pytest.mark.unittest
def test_random_play_teaches_the_policy_once_it_is_searched_from():
    batch = random_search_batch()
    batch.visits[:] = 0
    logs = [
        tiny_scalezero_policy(reanalyze_ratio=ratio).learn_mode.forward(dict(search=batch)) for ratio in (0.0, 0.5)
    ]
    assert logs[0]['world_model/policy'] == 0 and logs[1]['world_model/policy'] > 0.5


@pytest.mark.unittest
def test_samples_of_continuous_actions_are_drawn_anew():
    policy, batch = numbers_policy(), batch_towards([0.6, -0.4])
    fresh = policy.reanalyze(batch, np.array([1]))
    assert torch.equal(fresh.sampled_actions[2:], batch.sampled_actions[2:])
    assert (fresh.sampled_actions[1] != batch.sampled_actions[1]).all()
    torch.testing.assert_close(fresh.visits[1].sum(-1), torch.ones(L))


@pytest.mark.unittest
@pytest.mark.usefixtures('in_tmp_path')
def test_results_replace_the_old_ones_in_the_replay(tmp_path):
    """The valid steps of the drawn sequences and no others; saved, loaded, and saved again after more of it."""
    buffer, plays = filled(60, replay_buffer_size=200)
    before = [stream.arrays['visits'].copy() for stream in buffer._streams]
    buffer.save(tmp_path)
    asked = []
    buffer.reanalyze_buffer(9, lambda batch: asked.append(batch) or search_anew(batch), tasks=[0, 2])
    assert sorted(set(asked[0].task)) == [0, 2] and len(asked[0].task) == 9
    changed = [(stream.arrays['visits'] != old).any(-1).sum() for stream, old in zip(buffer._streams, before)]
    assert changed[2:4] == [0, 0] and 0 < sum(changed) <= int(asked[0].valid.sum())
    for _ in range(3):
        buffer.reanalyze_buffer(50, search_anew)
    loaded, manifests = ScaleZeroGameBuffer(make_config(replay_buffer_size=200), TASKS), []
    for _ in range(2):
        push([buffer], plays, 5)
        manifests.append(buffer.save(tmp_path))
        buffer.prune(tmp_path, manifests[-1])
        loaded.load(tmp_path, manifests[-1])
        for one, other in zip(buffer._streams, loaded._streams):
            assert np.array_equal(*(np.roll(s.arrays['visits'], -s.total, 0)[-len(s):] for s in (one, other)))
        assert batches_equal(buffer.sample(12)['search'], loaded.sample(12)['search'])
        for twin in (buffer, loaded):
            twin.reanalyze_buffer(20, search_anew)
    assert not set(patch[0] for patch in manifests[0]['patches'].values()) & {path.name for path in tmp_path.iterdir()}
    assert all((tmp_path / patch[0]).is_file() for patch in manifests[1]['patches'].values())


@pytest.mark.unittest
def test_once_in_so_many_collections_and_not_before_the_first_update():
    policy = tiny_scalezero_policy(reanalyze_freq=3, reanalyze_batch_size=7)
    assert [policy.reanalysis_due() for _ in range(4)] == [0] * 4
    policy.learn_mode.forward(dict(search=random_search_batch()))
    assert [policy.reanalysis_due() for _ in range(7)] == [0, 0, 7, 0, 0, 7, 0]
    other = tiny_scalezero_policy(reanalyze_freq=3, reanalyze_batch_size=7)
    other.learn_mode.load_state_dict(policy.learn_mode.state_dict())
    assert [other.reanalysis_due() for _ in range(2)] == [0, 7]


@pytest.mark.unittest
@pytest.mark.timeout(900)
def test_a_run_reanalyzes_and_resumes_bit_for_bit(tmp_path, monkeypatch):
    """Both ways at once, samples of continuous actions too; with trees that break ties the same way every time."""
    monkeypatch.setattr(ENTRY, 'write_report', lambda *_: None)
    monkeypatch.setattr(trees, 'mz_tree', python_trees(traverse_with_switch))
    config = lambda name: config_of(
        tmp_path / name, 'scalezero', reanalyze_ratio=0.5, reanalyze_freq=2, reanalyze_batch_size=3
    )
    asked, reanalyze = [], ScaleZeroPolicy.reanalyze
    with monkeypatch.context() as patch:
        patch.setattr(
            ScaleZeroPolicy, 'reanalyze', lambda self, batch, rows: asked.append(len(rows)) or
            reanalyze(self, batch, rows)
        )
        train(config('whole'))
    state = load(tmp_path / 'whole')
    half = build_config('debug', method='scalezero')['policy']['batch_size'] // 2
    assert asked.count(half) == state['train_iter'] and asked.count(3) == state['policy']['collections'] // 2 > 1
    assert state['ranks'][0]['replay']['patches']
    save = checkpoint.save_run

    def save_once(*arguments):
        save(*arguments)
        if load(tmp_path / 'stopped')['policy']['collections'] >= 3:
            raise Stopped

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(checkpoint, 'save_run', save_once)
        train(config('stopped'))
    assert load(tmp_path / 'stopped')['ranks'][0]['replay']['patches']
    train(config('stopped'), resume=str(tmp_path / 'stopped'))
    assert differences(load(tmp_path / 'stopped'), state) == []
