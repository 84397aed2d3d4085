"""The replay gives back what the environments did, evenly over tasks and in constant memory."""
import tracemalloc

import numpy as np
import pytest
import torch
from ding.utils import BUFFER_REGISTRY

from helpers.replay import TASKS, batches_equal, filled
from helpers.scripted_env import DEFAULT_SCRIPT, decode
from helpers.workers import make_policy_config
from lzero_mow.buffer import MoWGameBuffer, Replay, SequenceBatch
from lzero_mow.buffer.sampler import FairShares
from lzero_mow.buffer.stream import STEP_DTYPES, StepStream

pytestmark = pytest.mark.usefixtures('in_tmp_path')  # where LightZero writes its log files


def fill_stream(stream, count, episode_id=0, first_timestep=0, last_terminated=False):
    """Append `count` steps whose rewards count on from the stream's head."""
    steps = {name: np.zeros(count, dtype) for name, dtype in STEP_DTYPES.items() if name != 'first'}
    steps['reward'] = np.arange(stream.total, stream.total + count, dtype=np.float32)
    steps['obs'] = np.zeros((count, *stream.frames.shape), np.uint8)
    steps['terminated'][-1] = last_terminated
    stream.append(steps, episode_id, first_timestep)


@pytest.mark.unittest
@pytest.mark.parametrize('calls, size', [(40, 4000), (150, 200)])
def test_windows_equal_the_log(calls, size):
    """Windows of 64 steps run across many episode ends; also after the ring has wrapped."""
    sizes = dict(replay_buffer_size=size, batch_length=64)
    buffer, collector = filled(calls, envs_per_task=2, life_loss_as_termination=False, **sizes)
    assert buffer.get_num_of_transitions() <= 3 * size
    assert (buffer.get_num_of_transitions() == 3 * size) == (size == 200)
    batch = buffer.sample_sequences(24, 64)
    assert batch.obs.dtype == torch.uint8 and batch.action.dtype == torch.int64 and batch.first.dtype == torch.bool
    assert batch.reward.dtype == batch.terminated.dtype == torch.float32
    assert batch.task == tuple(sorted(batch.task))
    for row, task in enumerate(batch.task):
        env_id, episode, timestep = decode(batch.obs[row, 0].numpy())
        assert env_id // 2 == task
        log = collector._env._envs[env_id].log
        start = next(i for i, step in enumerate(log) if (step.episode, step.timestep) == (episode, timestep))
        for index, step in enumerate(log[start:start + 64]):
            assert decode(batch.obs[row, index].numpy()) == step[:3]
            assert int(batch.action[row, index]) == step.action
            assert float(batch.reward[row, index]) == step.reward
            assert float(batch.terminated[row, index]) == step.terminated
            assert bool(batch.first[row, index]) == (step.timestep == 0)
    assert batch.first.sum() > 2 * 24


@pytest.mark.unittest
def test_life_loss_is_a_termination_when_asked():
    buffer, collector = filled(60, life_loss_as_termination=True)
    batch = buffer.sample_sequences(9, 32)
    for row in range(9):
        env_id = decode(batch.obs[row, 0].numpy())[0]
        by_moment = {step[:3]: step for step in collector._env._envs[env_id].log}
        for index in range(32):
            step = by_moment[decode(batch.obs[row, index].numpy())]
            assert bool(batch.terminated[row, index]) == (step.terminated or step.life_loss)
    assert any(loss for _, _, losses in DEFAULT_SCRIPT for loss in losses)


@pytest.mark.unittest
def test_every_start_is_equally_likely():
    """Two streams of unequal length in one task: all windows of both are drawn, none outside."""
    model = dict(observation_shape=(1, 2, 2))
    config = make_policy_config(collector_env_num=2, replay_buffer_size=80, batch_length=4, model=model)
    buffer = MoWGameBuffer(config, ['Pong'])
    fill_stream(buffer._streams[0], 7)
    fill_stream(buffer._streams[1], 1000)
    batch = buffer.sample_sequences(20000, 4)
    starts, counts = np.unique(batch.reward[:, 0].numpy(), return_counts=True)
    assert list(starts) == [0, 1, 2, 3] + list(range(960, 997))
    assert counts.min() > 0.75 * 20000 / 41 and counts.max() < 1.25 * 20000 / 41
    assert torch.equal(batch.reward[:, 1:] - batch.reward[:, :-1], torch.ones(20000, 3))


@pytest.mark.unittest
def test_no_window_crosses_a_gap():
    stream = StepStream(capacity=40, observation_shape=(1, 2, 2))
    fill_stream(stream, 10, episode_id=0, first_timestep=0)
    fill_stream(stream, 5, episode_id=0, first_timestep=10, last_terminated=True)
    fill_stream(stream, 5, episode_id=1, first_timestep=0)
    assert stream.run_starts == [0]
    # Lost steps, a lost episode, and a segment that is not the beginning: three gaps.
    fill_stream(stream, 6, episode_id=1, first_timestep=7, last_terminated=True)
    fill_stream(stream, 3, episode_id=3, first_timestep=0, last_terminated=True)
    fill_stream(stream, 4, episode_id=4, first_timestep=1)
    assert stream.run_starts == [0, 20, 26, 29]
    starts, counts = stream.windows(4)
    assert list(starts) == [0, 20, 26, 29] and list(counts) == [17, 3, 0, 1]
    # The write head overwrites the first runs.
    fill_stream(stream, 30, episode_id=4, first_timestep=5)
    assert stream.oldest == 23 and stream.run_starts == [20, 26, 29]
    starts, counts = stream.windows(4)
    assert list(starts) == [23, 26, 29] and list(counts) == [0, 0, 31]
    fill_stream(stream, 30, episode_id=4, first_timestep=35)
    assert stream.run_starts == [29] and stream.windows(40)[1].sum() == 1 and stream.windows(41)[1].sum() == 0


@pytest.mark.unittest
def test_segment_longer_than_the_ring():
    stream = StepStream(capacity=8, observation_shape=(1, 2, 2))
    fill_stream(stream, 3)
    fill_stream(stream, 21, first_timestep=3)
    out = {'reward': np.empty((1, 8), np.float32)}
    stream.gather(np.array([stream.oldest]), 8, out)
    assert list(out['reward'][0]) == list(range(16, 24))


@pytest.mark.unittest
def test_memory_is_constant_once_full():
    buffer, collector = filled(60, replay_buffer_size=100, replay_compression=False)
    arrays = [array for stream in buffer._streams for array in (*stream.arrays.values(), stream.frames._ring)]
    pointers = [array.ctypes.data for array in arrays]
    assert all(len(stream) == 100 for stream in buffer._streams)
    tracemalloc.start()
    for calls in range(240):
        buffer.push_game_segments(collector.collect())
        collector.drain_episodes()
        for env in collector._env._envs:
            del env.log[:-20]
        if calls == 120:
            before = tracemalloc.get_traced_memory()[0]
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert all(stream.total > 3 * 100 for stream in buffer._streams)
    # A single step is 12 kB; the allowance is for what differs in flight.
    assert after - before < 30 * 12288
    assert [array.ctypes.data for array in arrays] == pointers
    assert sum(array.nbytes for array in arrays) == 3 * 100 * (12288 + 9)


@pytest.mark.unittest
def test_tasks_get_equal_shares():
    buffer, _ = filled(30)
    counts = np.zeros(3, int)
    for call in range(1, 31):
        batch = buffer.sample_sequences(8, 16)
        share = np.bincount(batch.task, minlength=3)
        assert share.max() - share.min() == 1
        counts += share
        assert counts.max() - counts.min() <= 1
    # One sequence for three tasks: everyone has a turn. Another kind of request alternating with it does not skew
    # either.
    shares = FairShares()
    first, second = np.zeros(4, int), np.zeros(4, int)
    for _ in range(20):
        first += shares(2, 64, 4)
        second += shares(6, 8, 4)
    assert list(first) == [10] * 4 and list(second) == [30] * 4


@pytest.mark.unittest
def test_sample_for_training():
    buffer, _ = filled(30, imagine_source='replay', imagine_batch_size=10, context_length=8)
    batch = buffer.sample(6)
    assert batch['world_model'].obs.shape == (6, 16, 3, 64, 64)
    assert batch['imagine'].obs.shape == (10, 8, 3, 64, 64)
    buffer, _ = filled(30, imagine_source='batch')
    assert buffer.sample(6, tasks=[0, 2])['world_model'].task == (0, 0, 0, 2, 2, 2)
    assert buffer.sample(6)['imagine'] is None
    moved = buffer.sample(6)['world_model'].to('meta')
    assert isinstance(moved, SequenceBatch) and moved.obs.device.type == 'meta' and len(moved.task) == 6


@pytest.mark.unittest
def test_own_generator_and_given_generator():
    twins = []
    for _ in range(2):
        np.random.seed(3)
        twins.append(filled(30)[0])
    # A generator of one's own draws the same again, and leaves no trace in what the buffer draws for training.
    given = [twins[0].sample_sequences(4, 16, np.random.default_rng(7)) for _ in range(2)]
    assert batches_equal(*given)
    for _ in range(3):
        assert batches_equal(*(twin.sample_sequences(4, 16) for twin in twins))
    assert not batches_equal(twins[0].sample_sequences(3, 16), twins[0].sample_sequences(3, 16))
    np.random.seed(4)
    assert filled(30)[0].sample_sequences(60, 16).reward.tolist() != twins[0].sample_sequences(60, 16).reward.tolist()


@pytest.mark.unittest
def test_interface():
    buffer, collector = filled(0)
    for _ in range(40):
        buffer.push_game_segments(collector.collect())
    assert 0 < collector.envstep - buffer.get_num_of_transitions() < 3 * 2 * 5
    assert BUFFER_REGISTRY.get('game_buffer_mow') is MoWGameBuffer and isinstance(buffer, Replay)


@pytest.mark.unittest
def test_bad_requests_are_one_clear_line():
    with pytest.raises(ValueError, match='policy.batch_length=16 is longer than the replay of one env.*10 steps'):
        MoWGameBuffer(make_policy_config(replay_buffer_size=20, collector_env_num=2), TASKS)
    with pytest.raises(ValueError, match='policy.context_length=300'):
        MoWGameBuffer(make_policy_config(imagine_source='replay', context_length=300), TASKS)
    with pytest.raises(ValueError, match='policy.batch_size=601 is larger than the replay of all tasks'):
        MoWGameBuffer(make_policy_config(batch_size=601), TASKS)
    buffer, collector = filled(1)
    with pytest.raises(ValueError, match='task (Pong|Boxing|Gopher): no 16 consecutive steps.*train_start'):
        buffer.sample(8)
    segments, metas = collector.collect()
    with pytest.raises(ValueError, match=r"collector 'segment_mow': no \['env_id', "):
        buffer.push_game_segments([segments, [{'done': False, 'priorities': None}] * len(segments)])
    segments[0].obs_segment = segments[0].obs_segment.astype(np.float32)
    with pytest.raises(ValueError, match='stores uint8 frames, the environment returned float32'):
        buffer.push_game_segments([segments, metas])
