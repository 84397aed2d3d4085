"""The replay on disk: append-only shard files, each written once and complete or not at all, and patches of them."""
import copy
import zipfile
import zlib
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple, Union

import numpy as np

from lzero_mow.utils.files import replacing
from .frames import CHUNK
from .stream import StepStream

SHARD_STEPS = 4096  # the most steps in a shard, a multiple of CHUNK
SHARD_SUFFIX = '.npz'
# [file name, start, stop]; by stream name, its shards, ascending; and its patch.
Entry = List[Any]
Index = Dict[str, List[Entry]]
Patches = Dict[str, Entry]


class ShardStore:
    """
    Writes the streams of a replay into a folder, each time only the steps that are new since the last save. A shard
    ``<stream>_<start>_<stop>.npz`` holds the steps of that range of absolute indices, frames as `PackedFrames` keeps
    them; it starts at a multiple of CHUNK, hence before the last one ends. It is written under another name, flushed to
    the disk and then renamed (``lzero_mow.utils.files``), so a file of that name is always complete, whenever the
    process is killed. The index that ``save`` returns lists the shards of the replay; it belongs in the checkpoint.
    ``prune`` removes files that no durable checkpoint names.

    What is rewritten in a stream after its shards (results of a search, some bytes per step) lies beside them in one
    patch per stream, ``<stream>_rewritten_<number>_<stop>.npz``, which is written anew where there was more of it.
    """

    def __init__(self, streams: Dict[str, StepStream]) -> None:
        self.streams = streams
        self._folder = None
        self._shards: Index = {}
        self._patches: Patches = {}

    def save(self, folder: Union[str, Path]) -> Tuple[Index, Patches]:
        """
        Bring the folder, which is created if necessary, up to date with the streams. If this fails, files written
        before stay valid, and the next save continues there.
        """
        folder = Path(folder).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if folder != self._folder:
            self._folder, self._shards, self._patches = folder, {}, {}
        for name, stream in self.streams.items():
            shards = [shard for shard in self._shards.get(name, []) if shard[2] > stream.oldest]
            self._shards[name] = shards
            written = shards[-1][2] if shards else stream.oldest
            while written < stream.total:
                start = written - written % CHUNK
                stop = min(start + SHARD_STEPS, stream.total)
                file_name = f'{name}_{start:010d}_{stop:010d}{SHARD_SUFFIX}'
                _write(folder / file_name, stream.packed(start, stop))
                shards.append([file_name, start, stop])
                written = stop
            prefix = f'{name}_rewritten_{stream.rewrites:08d}_'
            if stream.rewrites and not self._patches.get(name, [''])[0].startswith(prefix):
                file_name = f'{prefix}{stream.total:010d}{SHARD_SUFFIX}'
                _write(folder / file_name, stream.patch())
                self._patches[name] = [file_name, stream.oldest, stream.total]
        return copy.deepcopy(self._shards), copy.deepcopy(self._patches)

    def load(self, folder: Union[str, Path], index: Index, patches: Patches) -> None:
        """
        Write the steps of all shards back into the streams, which have loaded their state at ``save`` already, and
        their patches; ValueError if a file is missing, damaged or of another shape.
        """
        folder = Path(folder).resolve()
        for name, stream in self.streams.items():
            position = stream.oldest
            for file_name, start, stop in index[name]:
                if start > position:
                    break
                _restore_shard(folder / file_name, stream, start, stop)
                position = stop
            if position != stream.total:
                raise ValueError(
                    f'the replay in {folder} lacks the steps from {position} of {name}: it cannot be resumed'
                )
            if name in patches:
                file_name, start, stop = patches[name]
                fields = {field: stream.arrays[field] for field in stream.rewritten}
                stream.apply(start, _read(folder / file_name, fields, stop - start))
        self._folder = folder
        self._shards = {name: copy.deepcopy(index[name]) for name in self.streams}
        self._patches = {name: list(patches[name]) for name in self.streams if name in patches}


def prune(folder: Union[str, Path], index: Index, patches: Patches) -> None:
    """Remove the files that the index and the patches of a durable checkpoint do not name, and unfinished ones."""
    needed = {shard[0] for shards in index.values() for shard in shards} | {patch[0] for patch in patches.values()}
    for path in Path(folder).iterdir():
        if path.name.endswith(SHARD_SUFFIX) and path.name not in needed:
            path.unlink()


def _restore_shard(path: Path, stream: StepStream, start: int, stop: int) -> None:
    """Read a shard into its stream; ValueError unless it has these steps, with the stream's fields, shapes, dtypes."""
    steps = _read(path, stream.arrays, stop - start, ('obs', 'obs_sizes'))
    try:
        stream.restore(start, steps)
    except ValueError as error:
        shape = stream.frames.shape
        raise ValueError(f'the replay shard {path} holds other frames than of shape {shape} ({error})') from error


def _write(path: Path, steps: Dict[str, np.ndarray]) -> None:
    with replacing(str(path)) as temporary, open(temporary, 'wb') as file:
        np.savez(file, **steps)


def _read(path: Path, like: Dict[str, np.ndarray], count: int, others: Sequence[str] = ()) -> Dict[str, np.ndarray]:
    """The fields of `count` steps, with the shapes and types of those of a stream, and others of any."""
    try:
        with np.load(path, allow_pickle=False) as file:
            steps = {name: file[name] for name in (*like, *others)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f'the replay shard {path} is missing or damaged ({error}): it cannot be resumed') from error
    for name, array in like.items():
        expected = (count, *array.shape[1:])
        if steps[name].shape != expected or steps[name].dtype != array.dtype:
            raise ValueError(
                f'the replay shard {path} holds {name} of shape {steps[name].shape} and type {steps[name].dtype}, '
                f'this run needs {expected} and {array.dtype}'
            )
    return steps
