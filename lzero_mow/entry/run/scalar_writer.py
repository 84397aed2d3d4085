"""TensorBoard scalars without a thread: a full disk raises an error instead of stalling the run."""
import os
import time
from contextlib import contextmanager
from typing import Iterator, Optional

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

# Seconds after which written scalars reach the disk.
FLUSH_EVERY = 10.0


class ScalarWriter:
    """
    The part of tensorboardX's SummaryWriter that a run uses. That class writes in a thread of its own; when the disk is
    full the thread dies, and once its queue is full the run waits forever. Here every method raises an OSError with the
    folder. Earlier event files in the folder belong to the same curves; TensorBoard hides their scalars from
    `purge_step` on.
    """

    def __init__(self, folder: str, purge_step: Optional[int] = None) -> None:
        os.makedirs(folder, exist_ok=True)
        self._path = folder
        with self._named_errors():
            # The suffix keeps a run that is resumed within the same second from overwriting its own file.
            self._events = EventsWriter(os.path.join(folder, 'events'), f'.{time.time_ns()}')
        self._last_flush = time.monotonic()
        if purge_step is not None:
            self._write(session_log=SessionLog(status=SessionLog.START), step=purge_step)

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """Write one point of a curve."""
        self._write(summary=scalar(name, float(value)), step=int(step))
        if time.monotonic() - self._last_flush > FLUSH_EVERY:
            self.flush()

    def _write(self, **fields) -> None:
        if self._events is not None:
            with self._named_errors():
                self._events.write_event(Event(wall_time=time.time(), **fields))

    def flush(self) -> None:
        self._last_flush = time.monotonic()
        if self._events is not None:
            with self._named_errors():
                self._events.flush()

    def close(self) -> None:
        events, self._events = self._events, None
        if events is not None:
            with self._named_errors():
                events.close()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._path) from error


class NoScalars:
    """
    The writer that LightZero's workers get. Their curves repeat the run's own over other counts (updates, steps of all
    tasks together), by which nothing could be hidden when a run is resumed.
    """

    def add_scalar(self, name: str, value: float, step: int) -> None:
        pass

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass
