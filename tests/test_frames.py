"""Frames in memory: what is compressed comes back bit for bit, and both forms read what either of them saved."""
import numpy as np
import pytest

from helpers.replay import TASKS, batches_equal, filled
from helpers.workers import make_policy_config
from lzero_mow.buffer import MoWGameBuffer
from lzero_mow.buffer.frames import CHUNK, PackedFrames, PlainFrames, pack, unpack

SHAPE = (3, 4, 4)


def written(kind, capacity, sizes, seed=0):
    """Frames of some kind after writes of these sizes, and all frames that were ever written."""
    frames, rng = kind(capacity, SHAPE), np.random.default_rng(seed)
    everything = rng.integers(256, size=(sum(sizes), *SHAPE), dtype=np.uint8)
    start = 0
    for size in sizes:
        frames.write(start, everything[start:start + size])
        start += size
    return frames, everything


@pytest.mark.unittest
@pytest.mark.parametrize('kind', [PlainFrames, PackedFrames])
@pytest.mark.parametrize('capacity', [5, 16, 40, 1000])
@pytest.mark.parametrize('sizes', [[1] * 70, [20, 16, 3, 50], [200], [16, 16]])
def test_the_last_ones_are_what_was_written(kind, capacity, sizes):
    frames, everything = written(kind, capacity, sizes)
    total = len(everything)
    index = np.arange(max(0, total - capacity), total)[::-1].reshape(1, -1)
    out = np.empty((*index.shape, *SHAPE), np.uint8)
    frames.take(index, out)
    np.testing.assert_array_equal(out, everything[index])


@pytest.mark.unittest
def test_each_reads_what_the_other_saved():
    total, capacity = 89, 40
    for kind in (PlainFrames, PackedFrames):
        start = (total - capacity) // CHUNK * CHUNK
        frames, everything = written(kind, capacity, [total])
        chunks = frames.chunks(start, total)
        for other in (PlainFrames, PackedFrames):
            loaded = other(capacity, SHAPE)
            loaded.write_chunks(start, total, chunks)
            more = np.full((30, *SHAPE), 7, np.uint8)
            loaded.write(total, more)
            index, out = np.arange(total + 30 - capacity, total + 30), np.empty((capacity, *SHAPE), np.uint8)
            loaded.take(index, out)
            np.testing.assert_array_equal(out, np.concatenate([everything, more])[index])


@pytest.mark.unittest
def test_old_chunks_are_forgotten():
    frames, _ = written(PackedFrames, 40, [17] * 40)
    assert len(frames._chunks) <= 40 // CHUNK + 1


@pytest.mark.unittest
def test_neighbours_that_hardly_differ_take_little_room():
    frames = np.tile(np.random.default_rng(0).integers(256, size=(1, 3, 64, 64), dtype=np.uint8), (CHUNK, 1, 1, 1))
    frames[np.arange(CHUNK), :, 0, np.arange(CHUNK)] = 0
    packed = pack(frames)
    assert len(packed) < frames.nbytes / 10
    np.testing.assert_array_equal(unpack(packed, frames.shape), frames)


@pytest.mark.unittest
def test_what_is_no_frame_is_refused():
    with pytest.raises(ValueError, match='no compressed frames'):
        unpack(b'nothing', (2, *SHAPE))
    with pytest.raises(ValueError):
        unpack(pack(np.zeros((4, 3, 2, 2), np.uint8)), (2, *SHAPE))


@pytest.mark.unittest
@pytest.mark.parametrize('before', [True, False])
def test_a_replay_samples_the_same_with_and_without_compression(before, tmp_path, in_tmp_path):
    np.random.seed(0)
    buffer, collector = filled(60, replay_buffer_size=100, replay_compression=before)
    manifest = buffer.save(tmp_path / 'replay')
    other = MoWGameBuffer(make_policy_config(replay_buffer_size=100, replay_compression=not before), TASKS)
    other.load(tmp_path / 'replay', manifest)
    for _ in range(3):
        assert batches_equal(buffer.sample_sequences(9, 16), other.sample_sequences(9, 16))
        segments = collector.collect()
        buffer.push_game_segments(segments)
        other.push_game_segments(segments)
