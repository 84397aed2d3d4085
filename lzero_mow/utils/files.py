"""Writing files atomically, and locking them against other processes."""
import fcntl
import os
from contextlib import contextmanager
from typing import IO, Iterator


@contextmanager
def replacing(path: str) -> Iterator[str]:
    """
    Overview:
        Yield a temporary path in the folder of ``path``, with the same extension, for the block to write. If the block
        ends without an error, that file replaces ``path`` atomically and durably (fsync of file and folder). Otherwise,
        or if the process is killed, ``path`` stays as it was.
    Arguments:
        - path (:obj:`str`): The file to write. Its folder is created if necessary.
    Returns:
        - temporary (:obj:`str`): The path for the block to write.
    Raises:
        - OSError: with ``path`` in its message, if writing fails, for example because the disk is full.
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
    Overview:
        Open ``path`` and lock it until it is closed or this process ends, in whatever way.
    Arguments:
        - path (:obj:`str`): The file to lock.
        - wait (:obj:`bool`): Wait until another process releases the lock.
    Raises:
        - BlockingIOError: if another process has the lock and ``wait`` is not set.
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
