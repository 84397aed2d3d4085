"""The replay survives a stop at any moment: the loaded replay samples what the original would have sampled."""
import io

import numpy as np
import pytest
import torch

from helpers.replay import TASKS, batches_equal, filled
from helpers.workers import make_policy_config
from lzero_mow.buffer import MoWGameBuffer, shards
from lzero_mow.buffer.frames import pack

pytestmark = pytest.mark.usefixtures('in_tmp_path')  # where LightZero writes its log files


@pytest.mark.unittest
@pytest.mark.parametrize('size', [60, 4000])
def test_save_and_load(size, tmp_path, monkeypatch):
    """Saved repeatedly while the ring wraps; the loaded replay samples what the original samples next."""
    monkeypatch.setattr(shards, 'SHARD_STEPS', 16)
    buffer, collector = filled(10, replay_buffer_size=size, batch_length=12, imagine_source='replay')
    written = set()
    for _ in range(12):
        for _ in range(8):
            buffer.push_game_segments(collector.collect())
        buffer.sample(8 if written else 7)
        before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / 'replay').glob('*')}
        manifest = buffer.save(tmp_path / 'replay')
        torch.save(manifest, tmp_path / 'manifest.pt')
        after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / 'replay').glob('*')}
        # Only new files are written, none is touched twice.
        assert before.items() <= after.items() and not any(name.startswith('.') for name in after)
        written |= set(after)
        buffer.prune(tmp_path / 'replay', manifest)
    kept = {path.name for path in (tmp_path / 'replay').glob('*')}
    assert kept == {shard[0] for index in manifest['shards'].values() for shard in index}
    assert (len(kept) < len(written)) == (size == 60)

    config = make_policy_config(replay_buffer_size=size, batch_length=12, imagine_source='replay')
    loaded = MoWGameBuffer(config, TASKS)
    loaded.load(tmp_path / 'replay', torch.load(tmp_path / 'manifest.pt', weights_only=True))
    for _ in range(5):
        segments = collector.collect()
        for twin in (buffer, loaded):
            twin.push_game_segments(segments)
        pair = [twin.sample(8) for twin in (buffer, loaded)]
        assert all(batches_equal(pair[0][key], pair[1][key]) for key in ('world_model', 'imagine'))
    assert buffer.get_num_of_transitions() == loaded.get_num_of_transitions()
    # The loaded replay goes on appending to the same folder, and so does one that is loaded from that.
    manifest = loaded.save(tmp_path / 'replay')
    assert manifest == buffer.save(tmp_path / 'replay')
    for _ in range(3):
        loaded.push_game_segments(collector.collect())
    manifest = loaded.save(tmp_path / 'elsewhere')
    buffer.load(tmp_path / 'elsewhere', manifest)
    assert batches_equal(buffer.sample_sequences(8, 12), loaded.sample_sequences(8, 12))


@pytest.mark.unittest
def test_kill_between_shards_and_checkpoint(tmp_path):
    """The manifest of the last durable checkpoint stays good whatever later, unreferenced files lie in the folder."""
    buffer, collector = filled(20, replay_buffer_size=100)
    manifest = buffer.save(tmp_path)
    expected = [buffer.sample_sequences(6, 16) for _ in range(3)]
    for _ in range(20):
        buffer.push_game_segments(collector.collect())
    buffer.save(tmp_path)
    (tmp_path / '.writing-env0000_0000000900_0000001000.npz').write_bytes(b'half a shard')
    loaded = MoWGameBuffer(make_policy_config(replay_buffer_size=100), TASKS)
    loaded.load(tmp_path, manifest)
    assert all(batches_equal(batch, loaded.sample_sequences(6, 16)) for batch in expected)
    MoWGameBuffer.prune(tmp_path, manifest)
    needed = {shard[0] for index in manifest['shards'].values() for shard in index}
    assert {path.name for path in tmp_path.glob('*.npz*')} == needed


@pytest.mark.unittest
def test_full_disk_loses_nothing(tmp_path, monkeypatch):
    buffer, collector = filled(20)
    first = buffer.save(tmp_path)
    for _ in range(10):
        buffer.push_game_segments(collector.collect())
    real, calls = np.savez, []

    def full_disk(file, **arrays):
        calls.append(file)
        if len(calls) == 2:
            file.write(b'the beginning of a shard')
            raise OSError(28, 'No space left on device')
        real(file, **arrays)

    monkeypatch.setattr(np, 'savez', full_disk)
    with pytest.raises(OSError, match='No space left on device'):
        buffer.save(tmp_path)
    assert not list(tmp_path.glob('.writing-*'))
    second = buffer.save(tmp_path)
    # The shard that was complete is not written again.
    assert len(calls) == 2 + 2
    for manifest in (first, second):
        loaded = MoWGameBuffer(make_policy_config(), TASKS)
        loaded.load(tmp_path, manifest)
    assert batches_equal(loaded.sample_sequences(6, 16), buffer.sample_sequences(6, 16))


@pytest.mark.unittest
def test_damaged_or_foreign_replay_is_refused(tmp_path):
    buffer, _ = filled(20)
    manifest = buffer.save(tmp_path)
    with pytest.raises(ValueError, match=r"saved replay has \{'tasks': \['Pong', 'Boxing', 'Gopher'\].*same tasks"):
        MoWGameBuffer(make_policy_config(), ['Pong', 'Gopher', 'Boxing']).load(tmp_path, manifest)
    with pytest.raises(ValueError, match="'capacity': 200"):
        MoWGameBuffer(make_policy_config(replay_buffer_size=300), TASKS).load(tmp_path, manifest)
    shard = tmp_path / manifest['shards']['env0001'][0][0]
    content = shard.read_bytes()
    flipped = bytearray(content)
    flipped[200] ^= 255
    for damage in (content[:len(content) // 2], b'', b'\x80\x04N.', bytes(flipped)):
        shard.write_bytes(damage)
        with pytest.raises(ValueError, match=f'{shard.name} is missing or damaged'):
            MoWGameBuffer(make_policy_config(), TASKS).load(tmp_path, manifest)
    with np.load(io.BytesIO(content)) as file:
        saved = dict(file)
    smaller = np.frombuffer(pack(np.zeros((16, 3, 32, 32), np.uint8)), np.uint8)
    for wrong, message in (
        (dict(reward=saved['reward'][:3]), 'this run needs'),
        (dict(obs=smaller, obs_sizes=np.array([len(smaller)])), r'other frames than of shape \(3, 64, 64\)')
    ):
        np.savez(shard, **{**saved, **wrong})
        with pytest.raises(ValueError, match=message):
            MoWGameBuffer(make_policy_config(), TASKS).load(tmp_path, manifest)
    shard.unlink()
    with pytest.raises(ValueError, match='missing or damaged'):
        MoWGameBuffer(make_policy_config(), TASKS).load(tmp_path, manifest)
    manifest['shards']['env0002'].pop()
    shard.write_bytes(content)
    with pytest.raises(ValueError, match='lacks the steps from'):
        MoWGameBuffer(make_policy_config(), TASKS).load(tmp_path, manifest)
