"""The replay on disk: append-only shard files, each written once and complete or not at all."""
import zipfile
import zlib
from pathlib import Path
from typing import Any, Dict, List, Union

import numpy as np

from lzero_mow.utils.files import replacing
from .frames import CHUNK
from .stream import StepStream

SHARD_STEPS = 4096  # the most steps in a shard, a multiple of CHUNK
SHARD_SUFFIX = '.npz'
# By stream name, [file name, start, stop] of its shards, ascending.
Index = Dict[str, List[List[Any]]]


class ShardStore:
    """
    Writes the streams of a replay into a folder, each time only the steps that are new since the last save. A shard
    ``<stream>_<start>_<stop>.npz`` holds the steps of that range of absolute indices, frames as `PackedFrames` keeps
    them; it starts at a multiple of CHUNK, hence before the last one ends. It is written under another name, flushed to
    the disk and then renamed (``lzero_mow.utils.files``), so a file of that name is always complete, whenever the
    process is killed. The index that ``save`` returns lists the shards of the replay; it belongs in the checkpoint.
    ``prune`` removes files that no durable checkpoint names.
    """

    def __init__(self, streams: Dict[str, StepStream]) -> None:
        self.streams = streams
        self._folder = None
        self._shards: Index = {}

    def save(self, folder: Union[str, Path]) -> Index:
        """
        Bring the folder, which is created if necessary, up to date with the streams. If this fails, shards written
        before stay valid, and the next save continues there.
        """
        folder = Path(folder).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if folder != self._folder:
            self._folder, self._shards = folder, {}
        for name, stream in self.streams.items():
            shards = [shard for shard in self._shards.get(name, []) if shard[2] > stream.oldest]
            self._shards[name] = shards
            written = shards[-1][2] if shards else stream.oldest
            while written < stream.total:
                start = written - written % CHUNK
                stop = min(start + SHARD_STEPS, stream.total)
                file_name = f'{name}_{start:010d}_{stop:010d}{SHARD_SUFFIX}'
                with replacing(str(folder / file_name)) as temporary, open(temporary, 'wb') as file:
                    np.savez(file, **stream.packed(start, stop))
                shards.append([file_name, start, stop])
                written = stop
        return {name: [list(shard) for shard in shards] for name, shards in self._shards.items()}

    def load(self, folder: Union[str, Path], index: Index) -> None:
        """
        Write the steps of all shards back into the streams, which have loaded their state at ``save`` already;
        ValueError if a shard is missing, damaged or of another shape.
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
        self._folder = folder
        self._shards = {name: [list(shard) for shard in index[name]] for name in self.streams}


def prune(folder: Union[str, Path], index: Index) -> None:
    """Remove the shards that the index of a durable checkpoint does not name, and unfinished ones."""
    needed = {shard[0] for shards in index.values() for shard in shards}
    for path in Path(folder).iterdir():
        if path.name.endswith(SHARD_SUFFIX) and path.name not in needed:
            path.unlink()


def _restore_shard(path: Path, stream: StepStream, start: int, stop: int) -> None:
    """Read a shard into its stream; ValueError unless it has these steps, with the stream's fields, shapes, dtypes."""
    try:
        with np.load(path, allow_pickle=False) as file:
            steps = {name: file[name] for name in (*stream.arrays, 'obs', 'obs_sizes')}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f'the replay shard {path} is missing or damaged ({error}): it cannot be resumed') from error
    for name, array in stream.arrays.items():
        expected = (stop - start, *array.shape[1:])
        if steps[name].shape != expected or steps[name].dtype != array.dtype:
            raise ValueError(
                f'the replay shard {path} holds {name} of shape {steps[name].shape} and type {steps[name].dtype}, '
                f'this run needs {expected} and {array.dtype}'
            )
    try:
        stream.restore(start, steps)
    except ValueError as error:
        shape = stream.frames.shape
        raise ValueError(f'the replay shard {path} holds other frames than of shape {shape} ({error})') from error
