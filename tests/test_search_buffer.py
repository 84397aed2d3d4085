"""The replay of ScaleZero gives back the play and the searches, and its masks keep episodes apart."""
import gc
import tracemalloc

import numpy as np
import pytest
import torch
from ding.utils import BUFFER_REGISTRY

from helpers.collection import make_collector
from helpers.replay import TASKS, batches_equal
from helpers.scripted_env import action_for
from helpers.search_play import FRAME_SHAPE, NUM_ACTIONS, RandomPlay, decode
from helpers.workers import Mode, make_policy_config, policy_output
from lzero_mow.buffer import MoWGameBuffer, ScaleZeroGameBuffer
from lzero_mow.model.scalezero.n_step import n_step_return

L, N = 6, 3

pytestmark = pytest.mark.usefixtures('in_tmp_path')  # where LightZero writes its log files


def make_config(**changes):
    model = dict(observation_shape=FRAME_SHAPE, action_space_size=NUM_ACTIONS)
    sizes = dict(num_unroll_steps=L, td_steps=N, collector_env_num=2, clip_rewards=False, model=model)
    return make_policy_config(**{**sizes, **changes})


def push(buffers, plays, rounds):
    for _ in range(rounds):
        segments = [play.segment() for play in plays]
        for buffer in buffers:
            buffer.push_game_segments(list(zip(*segments)))


def filled(rounds, **changes):
    """A buffer of random play in two environments of each of three tasks, and the plays."""
    buffer, plays = ScaleZeroGameBuffer(make_config(**changes), TASKS), [RandomPlay(e) for e in range(6)]
    push([buffer], plays, rounds)
    return buffer, plays


def rows(batch, plays):
    """Each row of a batch with the lines of the log it must equal."""
    for row, task in enumerate(batch.task):
        start = decode(batch.obs[row, 0].numpy())
        # Both environments of the task have a step of this number: the reward tells them apart.
        long_enough = [play.log for play in plays[2 * task:2 * task + 2] if len(play.log) >= start + L + N]
        same = [log for log in long_enough if np.float32(log[start].reward) == batch.reward[row, 0].numpy()]
        assert len(same) == 1
        yield row, start, same[0]


@pytest.mark.unittest
def test_rewards_are_clipped_to_their_signs_where_that_is_asked_for():
    raw, clipped = (filled(60, clip_rewards=clip)[0] for clip in (False, True))
    batches = [buffer.sample_search(30, np.random.default_rng(0)) for buffer in (raw, clipped)]
    assert batches[0].reward.abs().max() > 1
    assert torch.equal(batches[0].reward.sign(), batches[1].reward)


@pytest.mark.unittest
@pytest.mark.parametrize('rounds, size', [(60, 4000), (150, 200)])
def test_samples_equal_the_log(rounds, size):
    """Every field of every step; also after the ring has wrapped. No row has a gap in it."""
    buffer, plays = filled(rounds, replay_buffer_size=size)
    assert (buffer.get_num_of_transitions() == 3 * size) == (size == 200)
    batch = buffer.sample(48)['search']
    assert batch.obs.shape == (48, L + N, *FRAME_SHAPE) and batch.obs.dtype == torch.uint8
    assert batch.visits.shape == (48, L, NUM_ACTIONS) and batch.visits.dtype == torch.float32
    assert batch.action.dtype == torch.int64 and batch.reward.dtype == torch.float32
    for row, start, log in rows(batch, plays):
        steps = log[start:start + L + N]
        assert [decode(frame) for frame in batch.obs[row].numpy()] == list(range(start, start + L + N))
        assert not any(step.gap for step in steps[1:])
        for name in ('action', 'terminated', 'truncated', 'life_loss'):
            assert getattr(batch, name)[row].tolist() == [getattr(step, name) for step in steps]
        assert np.array_equal(batch.reward[row].numpy(), np.array([step.reward for step in steps], np.float32))
        visits = np.array([step.visits for step in steps[:L]])
        assert np.abs(batch.visits[row].numpy() - visits).max() < 3e-4
    # The illegal action was never visited, and half precision leaves distributions distributions.
    assert batch.visits[..., -1].eq(0).all() and (batch.visits.sum(-1) - 1).abs().max() < 1e-3
    assert any(step.gap for play in plays for step in play.log)


@pytest.mark.unittest
def test_masks_and_targets_keep_to_one_episode():
    """valid, has_next and n-step targets, worked out from the log of each episode."""
    buffer, plays = filled(80)
    batch = buffer.sample_search(300)
    value = torch.randn(300, L, generator=torch.Generator().manual_seed(0))
    for life_loss_ends in (False, True):
        ends = batch.return_ends(life_loss_ends)
        target, usable = n_step_return(batch.reward, value, ends, batch.truncated, 0.9, N)
        seen = set()
        for row, start, log in rows(batch, plays):
            for t in range(L):
                step = log[start + t]
                valid = step.episode == log[start].episode
                assert bool(batch.valid[row, t]) == valid
                goes_on = valid and log[start + t + 1].episode == step.episode
                goes_on = goes_on and not (step.life_loss and life_loss_ends)
                assert bool(batch.has_next(life_loss_ends)[row, t]) == goes_on
                # The step's own episode from here on, up to a lost life where that ends it.
                own = [later for later in log[start + t:start + t + N] if later.episode == step.episode]
                lives = [k for k, later in enumerate(own) if later.life_loss and life_loss_ends]
                own = own[:lives[0] + 1] if lives else own
                terminated = own[-1].terminated or bool(lives)
                bootstraps = not terminated and not own[-1].truncated
                expected = sum(0.9 ** k * later.reward for k, later in enumerate(own))
                expected += 0.9 ** N * float(value[row, t]) if bootstraps else 0
                assert bool(usable[row, t]) == (terminated or bootstraps)
                assert float(target[row, t]) == pytest.approx(expected, abs=1e-5)
                seen.add((valid, terminated, bootstraps))
        assert len(seen) == 6


@pytest.mark.unittest
def test_what_the_collector_returns():
    """LightZero's own segments from our collector: the search of a frame lies beside that frame."""

    def forward(*, data, action_mask, temperature, to_play, epsilon, ready_env_id, timestep):
        output = policy_output(data.numpy(), ready_env_id, timestep)
        for env_id, frame in zip(ready_env_id, data.numpy().astype(np.uint8)):
            counts = np.arange(18) == action_for(frame)
            output[env_id].update(visit_count_distributions=(49. * counts + 1).tolist())
        return output

    config = make_policy_config(num_unroll_steps=3, td_steps=2, clip_rewards=False)
    buffer, collector = ScaleZeroGameBuffer(config, TASKS), make_collector(3, config)
    collector.reset(Mode(forward, lambda *_, **__: None, lambda name: config))
    for _ in range(20):
        buffer.push_game_segments(collector.collect())
    batch = buffer.sample_search(30)
    wanted = torch.tensor([[action_for(frame) for frame in row] for row in batch.obs.numpy()])
    assert torch.equal(batch.action, wanted)
    assert torch.equal(batch.visits.argmax(-1), wanted[:, :3])
    torch.testing.assert_close(batch.visits.max(-1).values, torch.full((30, 3), 50 / 67), rtol=1e-3, atol=0)


@pytest.mark.unittest
@pytest.mark.parametrize('size', [60, 4000])
def test_saved_and_loaded(size, tmp_path):
    """The loaded replay samples as the saved one goes on to, and both go on with the same play."""
    buffer, plays = filled(30, replay_buffer_size=size)
    buffer.sample(7)
    buffer.save(tmp_path)
    push([buffer], plays, 10)
    torch.save(buffer.save(tmp_path), tmp_path / 'manifest.pt')
    manifest = torch.load(tmp_path / 'manifest.pt', weights_only=True)
    loaded = ScaleZeroGameBuffer(make_config(replay_buffer_size=size), TASKS)
    loaded.load(tmp_path, manifest)
    for _ in range(4):
        push([buffer, loaded], plays, 3)
        assert batches_equal(buffer.sample(7)['search'], loaded.sample(7)['search'])
    # A replay without search statistics is not mistaken for one with them.
    bare = MoWGameBuffer(make_config(replay_buffer_size=size, batch_length=9), TASKS)
    push([bare], [RandomPlay(e) for e in range(6)], 5)
    with pytest.raises(ValueError, match='visits'):
        loaded.load(tmp_path / 'bare', bare.save(tmp_path / 'bare'))


@pytest.mark.unittest
def test_memory_is_constant_once_full():
    buffer, plays = filled(150, replay_buffer_size=100)
    arrays = [array for stream in buffer._streams for array in stream.arrays.values()]
    pointers = [array.ctypes.data for array in arrays]
    tracemalloc.start()
    used = []
    for _ in range(2):  # after the first, numpy has filled its caches of small arrays
        push([buffer], plays, 200)
        for play in plays:
            del play.log[:]
        gc.collect()
        used.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    # 200 rounds are some 4500 steps of 25 bytes.
    assert used[1] - used[0] < 20000
    assert [array.ctypes.data for stream in buffer._streams for array in stream.arrays.values()] == pointers
    assert sum(array.nbytes for array in arrays) == 3 * 100 * (9 + 2 * NUM_ACTIONS)


@pytest.mark.unittest
def test_shares_generators_and_the_batch():
    buffer, _ = filled(30)
    counts = sum(np.bincount(buffer.sample_search(8).task, minlength=3) for _ in range(3))
    assert list(counts) == [8, 8, 8]
    given = [buffer.sample_search(8, np.random.default_rng(7)) for _ in range(2)]
    assert batches_equal(*given) and not batches_equal(buffer.sample_search(9), buffer.sample_search(9))
    batch = buffer.sample_search(9)
    own = batch.of_task(1)
    assert own.task == (1, 1, 1) and torch.equal(own.visits, batch.visits[3:6])
    assert torch.equal(own.valid, batch.valid[3:6])
    moved = batch.to('meta')
    assert moved.visits.device.type == 'meta' and moved.task == batch.task
    assert BUFFER_REGISTRY.get('game_buffer_scalezero') is ScaleZeroGameBuffer


@pytest.mark.unittest
def test_bad_requests_are_one_clear_line():
    with pytest.raises(ValueError, match=r'policy.num_unroll_steps \+ td_steps=9 is longer than the replay of one env'):
        ScaleZeroGameBuffer(make_config(replay_buffer_size=16), TASKS)
    buffer, plays = filled(1)
    with pytest.raises(ValueError, match='task Pong: no 9 consecutive steps'):
        buffer.sample(6)
    segment, meta = plays[0].segment()
    segment.child_visit_segment = segment.child_visit_segment[:, :-1]
    with pytest.raises(ValueError, match=r'visit distributions over all actions.*\(\d, 6\) and got \(\d, 5\)'):
        buffer.push_game_segments([[segment], [meta]])
