"""Checkpoint files are complete or absent, and harmless to open."""
import errno
import os
import pickle

import pytest
import torch

from lzero_mow.entry.run import checkpoint
from lzero_mow.utils.files import replacing


class FakeReplay:
    """A replay of one file; notes the order of what is done with it."""

    def __init__(self):
        self.calls = []

    def save(self, folder):
        self.calls.append('save')
        return {'shards': ['a.npz']}

    def prune(self, folder, manifest):
        saved = checkpoint.read(os.path.join(os.path.dirname(folder), 'latest.pth.tar'))
        assert saved['ranks'][0]['replay'] == manifest
        self.calls.append('prune')


@pytest.fixture
def fill_disk(monkeypatch):
    """From the call on, checkpoints are written to a full device, after a first half that still found room."""

    def open_on_full_disk(path, mode):
        with open(path, mode) as file:
            file.write(b'first half')
        return open('/dev/full', mode)

    return lambda: monkeypatch.setattr(checkpoint, 'open', open_on_full_disk, raising=False)


class FakePart:
    """A part of a run with a given state."""

    def __init__(self, state):
        self.state_dict = lambda: state


def save_run(run_dir, replay, **states):
    """Save a run whose parts have these states."""
    parts = {name: FakePart(state) for name, state in {**dict.fromkeys(checkpoint.OF_RANK), **states}.items()}
    parts = dict(parts, replay=checkpoint.ReplayFolder(replay, str(run_dir)))
    checkpoint.save_run(str(run_dir), {'env_step': 3}, parts)


@pytest.mark.unittest
def test_save_and_load(tmp_path):
    replay = FakeReplay()
    state = {'weights': torch.arange(5.), 'nested': [1, None, 'text', {'deep': 2.5}]}
    save_run(tmp_path, replay, **state)
    assert replay.calls == ['save', 'prune'], 'shards go only after the checkpoint is there'
    loaded = checkpoint.load_run(str(tmp_path))
    assert torch.equal(loaded['weights'], state['weights']) and loaded['nested'] == state['nested']
    assert loaded['env_step'] == 3
    assert [own['replay'] for own in loaded['ranks']] == [{'shards': ['a.npz']}]
    assert sorted(os.listdir(tmp_path / 'ckpt')) == ['latest.pth.tar', 'replay']


@pytest.mark.unittest
def test_full_disk_leaves_the_last_checkpoint(tmp_path, fill_disk):
    save_run(tmp_path, FakeReplay(), step=1)
    fill_disk()
    before = (tmp_path / 'ckpt' / 'latest.pth.tar').read_bytes()
    replay = FakeReplay()
    with pytest.raises(checkpoint.CheckpointError) as raised:
        save_run(tmp_path, replay, step=2, weights=torch.zeros(10000))
    assert 'No space left on device' in str(raised.value) and 'last good checkpoint is untouched' in str(raised.value)
    assert '\n' not in str(raised.value) and 'latest.pth.tar' in str(raised.value)
    assert (tmp_path / 'ckpt' / 'latest.pth.tar').read_bytes() == before
    assert replay.calls == ['save'], 'nothing is pruned that the old checkpoint needs'
    assert sorted(os.listdir(tmp_path / 'ckpt')) == ['latest.pth.tar', 'replay'], 'no half file stays'


@pytest.mark.unittest
def test_full_disk_in_the_replay(tmp_path):
    replay = FakeReplay()

    def save(folder):
        raise OSError(errno.ENOSPC, 'No space left on device')

    replay.save = save
    with pytest.raises(checkpoint.CheckpointError, match='cannot save .*replay: No space left on device'):
        save_run(tmp_path, replay)
    assert replay.calls == [] and not (tmp_path / 'ckpt' / 'latest.pth.tar').exists()


@pytest.mark.unittest
def test_a_bug_is_not_reported_as_a_full_disk(tmp_path, monkeypatch):

    def save(state, file):
        raise RuntimeError('a bug')

    monkeypatch.setattr(torch, 'save', save)
    with pytest.raises(RuntimeError, match='^a bug$'):
        checkpoint.write_atomically({}, str(tmp_path / 'x.pth.tar'))
    assert os.listdir(tmp_path) == []


@pytest.mark.unittest
@pytest.mark.parametrize('damage', ['cut', 'text', 'empty', 'foreign'])
def test_damaged_checkpoints_are_refused(tmp_path, damage):
    path = tmp_path / 'x.pth.tar'
    checkpoint.write_atomically({'format': checkpoint.FORMAT, 'weights': torch.zeros(1000)}, str(path))
    whole = path.read_bytes()
    path.write_bytes(
        {
            'cut': whole[:len(whole) // 2],
            'text': b'not a checkpoint',
            'empty': b'',
            'foreign': b''
        }[damage]
    )
    if damage == 'foreign':
        torch.save({'model': torch.zeros(3)}, path)
    with pytest.raises(checkpoint.CheckpointError) as raised:
        checkpoint.read(str(path))
    assert str(path) in str(raised.value) and '\n' not in str(raised.value)


@pytest.mark.unittest
def test_unknown_checkpoint(tmp_path):
    with pytest.raises(checkpoint.CheckpointError, match='there is no checkpoint .*none.pth.tar'):
        checkpoint.read(str(tmp_path / 'none.pth.tar'))


class Trap:
    """Pickles into a call of os.mkdir."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path, )


@pytest.mark.unittest
@pytest.mark.parametrize('save', [torch.save, lambda trap, path: path.write_bytes(pickle.dumps(trap))])
def test_no_code_runs_when_a_checkpoint_is_read(tmp_path, save):
    save({'format': checkpoint.FORMAT, 'trap': Trap(str(tmp_path / 'sprung'))}, tmp_path / 'x.pth.tar')
    with pytest.raises(checkpoint.CheckpointError, match='damaged or no checkpoint'):
        checkpoint.read(str(tmp_path / 'x.pth.tar'))
    assert not (tmp_path / 'sprung').exists()


@pytest.mark.unittest
def test_replacing_names_the_file_that_cannot_be_written(tmp_path):
    path = tmp_path / 'x.txt'
    path.write_text('old')
    with pytest.raises(OSError) as raised:
        with replacing(str(path)) as temporary:
            with open(temporary, 'w') as file:
                file.write('half of it')
            raise OSError(errno.ENOSPC, 'No space left on device')
    assert raised.value.filename == str(path) and path.read_text() == 'old' and os.listdir(tmp_path) == ['x.txt']
