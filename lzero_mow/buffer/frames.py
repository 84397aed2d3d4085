"""Frames of a stream in memory: as they are, or compressed without loss in chunks of consecutive steps."""
from typing import Dict, List, Sequence, Tuple

import numpy as np
import zstandard

CHUNK = 16  # steps: neighbours differ little, and a window needs few frames that it does not show
LEVEL = 1  # of zstandard: higher ones take far longer and save little


def pack(frames: np.ndarray) -> bytes:
    """Consecutive frames (n, C, H, W) as one compressed string."""
    return zstandard.ZstdCompressor(level=LEVEL).compress(np.ascontiguousarray(frames).data)


def unpack(packed: bytes, shape: Sequence[int]) -> np.ndarray:
    """The frames of such a string, which are of the given shape (n, C, H, W); ValueError if they are not."""
    try:
        return np.frombuffer(zstandard.ZstdDecompressor().decompress(packed), np.uint8).reshape(shape)
    except zstandard.ZstdError as error:
        raise ValueError(f'no compressed frames: {error}') from error


class PlainFrames:
    """The last ``capacity`` frames in a ring that is allocated once; absolute index i lies in row ``i % capacity``."""

    def __init__(self, capacity: int, shape: Tuple[int, ...]) -> None:
        self.shape = shape
        self._ring = np.empty((capacity, *shape), np.uint8)

    def write(self, start: int, frames: np.ndarray) -> None:
        """Write frames (n, C, H, W) from absolute index `start` on; of more than ``capacity`` the last are kept."""
        kept = min(len(frames), len(self._ring))
        stop = start + len(frames)
        self._ring[np.arange(stop - kept, stop) % len(self._ring)] = frames[len(frames) - kept:]

    def take(self, index: np.ndarray, out: np.ndarray) -> None:
        """Copy the frames of absolute indices, of any shape, into `out`."""
        # The rows are in range; any mode but 'raise' lets take() write into `out` without an extra buffer.
        np.take(self._ring, index % len(self._ring), axis=0, out=out, mode='clip')

    def chunks(self, start: int, stop: int) -> List[bytes]:
        """The frames from `start`, a multiple of CHUNK, to `stop` as compressed strings of CHUNK frames, or fewer."""
        frames = np.empty((stop - start, *self.shape), np.uint8)
        self.take(np.arange(start, stop), frames)
        return [pack(frames[i:i + CHUNK]) for i in range(0, len(frames), CHUNK)]

    def write_chunks(self, start: int, stop: int, chunks: Sequence[bytes]) -> None:
        """Write what ``chunks(start, stop)`` returned; ValueError for other frames than so many of this shape."""
        for first, chunk in zip(range(start, stop, CHUNK), chunks):
            self.write(first, unpack(chunk, (min(CHUNK, stop - first), *self.shape)))


class PackedFrames:
    """
    The last ``capacity`` frames, or up to CHUNK more: each CHUNK of them, absolute indices c * CHUNK and on, as one
    compressed string, the newest ones as they are until they fill a chunk. Frames are written in their order. It has
    the methods of `PlainFrames`.
    """

    def __init__(self, capacity: int, shape: Tuple[int, ...]) -> None:
        self.shape, self._capacity = shape, capacity
        self._chunks: Dict[int, bytes] = {}  # by number c, ascending
        self._tail = np.empty((CHUNK, *shape), np.uint8)  # the newest chunk, not full yet

    def write(self, start: int, frames: np.ndarray) -> None:
        while len(frames):
            number, place = divmod(start, CHUNK)
            part, frames = frames[:CHUNK - place], frames[CHUNK - place:]
            self._tail[place:place + len(part)] = part
            start += len(part)
            if start % CHUNK == 0:
                self._chunks[number] = pack(self._tail)
        self._drop_before(start - self._capacity)

    def take(self, index: np.ndarray, out: np.ndarray) -> None:
        numbers, place = np.unique(index // CHUNK, return_inverse=True)
        frames = np.empty((len(numbers), *self._tail.shape), np.uint8)
        for target, number in zip(frames, numbers.tolist()):
            target[:] = self._tail if number not in self._chunks else unpack(self._chunks[number], target.shape)
        rows = place.reshape(index.shape) * CHUNK + index % CHUNK
        np.take(frames.reshape(-1, *self.shape), rows, axis=0, out=out, mode='clip')

    def chunks(self, start: int, stop: int) -> List[bytes]:
        full, rest = divmod(stop, CHUNK)
        return [
            *(self._chunks[number] for number in range(start // CHUNK, full)),
            *([pack(self._tail[:rest])] if rest else []),
        ]

    def write_chunks(self, start: int, stop: int, chunks: Sequence[bytes]) -> None:
        for first, chunk in zip(range(start, stop, CHUNK), chunks):
            count = min(CHUNK, stop - first)
            self._tail[:count] = unpack(chunk, (count, *self.shape))
            if count == CHUNK:
                self._chunks[first // CHUNK] = chunk
        self._drop_before(stop - self._capacity)

    def _drop_before(self, oldest: int) -> None:
        """Forget the chunks all of whose frames are older than an absolute index."""
        for number in list(self._chunks):
            if (number + 1) * CHUNK > oldest:
                break
            del self._chunks[number]
