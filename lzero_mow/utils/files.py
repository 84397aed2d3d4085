"""Writing files atomically, and locking them against other processes."""
import fcntl
import os
from contextlib import contextmanager
from typing import IO, Iterator


@contextmanager
def replacing(path: str) -> Iterator[str]:
    """
    Yield a temporary path in the folder of ``path`` (created if necessary), with the same extension, for the block to
    write. If the block ends without an error, that file replaces ``path`` atomically and durably (fsync of file and
    folder). Otherwise, or if the process is killed, ``path`` stays as it was. If writing fails, for example because the
    disk is full, the OSError has ``path`` in its message.
    """
    folder, name = os.path.split(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, '.writing-' + name)
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(folder)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def locked(path: str, wait: bool = False) -> IO:
    """
    Open ``path`` and lock it until it is closed or this process ends, in whatever way. BlockingIOError if another
    process has the lock, unless ``wait`` is set.
    """
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    file = open(path, 'a')
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        file.close()
        raise
    return file


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
