"""The replay on disk: append-only shard files, each written once and complete or not at all."""
import zipfile
import zlib
from pathlib import Path
from typing import Any, Dict, List, Union

import numpy as np

from lzero_mow.utils.files import replacing
from .stream import StepStream

# Steps in a shard at most: bounds the memory that saving and loading need (4096 steps are 50 MB of frames).
SHARD_STEPS = 4096
SHARD_SUFFIX = '.npz'


class ShardStore:
    """
    Overview:
        Writes the streams of a replay into a folder, each time only the steps that are new since the last save.
        A shard ``<stream>_<start>_<stop>.npz`` holds the steps of that range of absolute indices, compressed and
        without loss. It is written under another name, flushed to the disk and then renamed (``lzero_mow.utils.files``), so
        its own name is always a whole file's, whenever the process is killed. Which shards make up a replay is said
        by the index that ``save`` returns; it belongs in the checkpoint. Files that no durable checkpoint names are
        removed by ``prune``.
    Interfaces:
        ``save``, ``load``.
    """

    def __init__(self) -> None:
        self._folder = None
        # By stream name, [file name, start, stop] of the shards that lie in the folder, ascending.
        self._shards: Dict[str, List[List[Any]]] = {}

    def save(self, folder: Union[str, Path], streams: Dict[str, StepStream]) -> Dict[str, List[List[Any]]]:
        """
        Overview:
            Bring the folder up to date with the streams.
        Arguments:
            - folder (:obj:`Union[str, Path]`): Made if it is not there.
            - streams (:obj:`Dict[str, StepStream]`): By name.
        Returns:
            - index (:obj:`Dict[str, List[List[Any]]]`): By stream name, [file name, start, stop] of every shard \
                needed.
        Raises:
            - OSError: The disk is full or not writable. Shards written before stay valid, the next save continues \
                there.
        """
        folder = Path(folder).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if folder != self._folder:
            self._folder, self._shards = folder, {}
        for name, stream in streams.items():
            shards = [shard for shard in self._shards.get(name, []) if shard[2] > stream.oldest]
            self._shards[name] = shards
            start = shards[-1][2] if shards else stream.oldest
            while start < stream.total:
                stop = min(start + SHARD_STEPS, stream.total)
                file_name = f'{name}_{start:010d}_{stop:010d}{SHARD_SUFFIX}'
                write_shard(folder / file_name, stream.rows(start, stop))
                shards.append([file_name, start, stop])
                start = stop
        return {name: [list(shard) for shard in shards] for name, shards in self._shards.items()}

    def load(self, folder: Union[str, Path], index: Dict[str, List[List[Any]]], streams: Dict[str, StepStream]) -> None:
        """
        Overview:
            Write the steps of all shards back into their streams.
        Arguments:
            - folder (:obj:`Union[str, Path]`): Where ``save`` put them.
            - index (:obj:`Dict[str, List[List[Any]]]`): From ``save``.
            - streams (:obj:`Dict[str, StepStream]`): By name, with the state they had at ``save`` already loaded.
        Raises:
            - ValueError: A shard is missing, damaged or of another shape.
        """
        folder = Path(folder).resolve()
        for name, stream in streams.items():
            position = stream.oldest
            for file_name, start, stop in index[name]:
                if start > position:
                    break
                stream.write(start, read_shard(folder / file_name, stream, stop - start))
                position = stop
            if position != stream.total:
                raise ValueError(
                    f'the replay in {folder} lacks the steps from {position} of {name}: it cannot be resumed'
                )
        self._folder = folder
        self._shards = {name: [list(shard) for shard in index[name]] for name in streams}


def prune(folder: Union[str, Path], index: Dict[str, List[List[Any]]]) -> None:
    """
    Overview:
        Remove the shards that a checkpoint does not name, and unfinished ones. Call it once that checkpoint is
        durable.
    Arguments:
        - folder (:obj:`Union[str, Path]`): Where ``ShardStore.save`` put them.
        - index (:obj:`Dict[str, List[List[Any]]]`): The index in that checkpoint.
    """
    needed = {shard[0] for shards in index.values() for shard in shards}
    for path in Path(folder).iterdir():
        if path.name.endswith(SHARD_SUFFIX) and path.name not in needed:
            path.unlink()


def write_shard(path: Path, arrays: Dict[str, np.ndarray]) -> None:
    """
    Overview:
        Write a compressed .npz file that is there whole or not at all.
    Arguments:
        - path (:obj:`Path`): Ends in '.npz'.
        - arrays (:obj:`Dict[str, np.ndarray]`): By name.
    Raises:
        - OSError: The disk is full or not writable; nothing is left behind.
    """
    with replacing(str(path)) as temporary, open(temporary, 'wb') as file:
        np.savez_compressed(file, **arrays)


def read_shard(path: Path, stream: StepStream, count: int) -> Dict[str, np.ndarray]:
    """
    Overview:
        Read a shard and check that it fits the stream.
    Arguments:
        - path (:obj:`Path`): Written by ``write_shard``.
        - stream (:obj:`StepStream`): Says which fields, dtypes and shapes are expected.
        - count (:obj:`int`): Steps expected.
    Returns:
        - steps (:obj:`Dict[str, np.ndarray]`): Every field of the stream.
    Raises:
        - ValueError: The shard is missing, damaged or of another shape.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            steps = {name: file[name] for name in stream.arrays}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f'the replay shard {path} is missing or damaged ({error}): it cannot be resumed') from error
    for name, array in stream.arrays.items():
        expected = (count, *array.shape[1:])
        if steps[name].shape != expected or steps[name].dtype != array.dtype:
            raise ValueError(
                f'the replay shard {path} holds {name} of shape {steps[name].shape} and type {steps[name].dtype}, '
                f'this run needs {expected} and {array.dtype}'
            )
    return steps
