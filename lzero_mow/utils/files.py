"""Writing files so that nobody ever finds half of one, and nobody else writes them."""
import fcntl
import os
from contextlib import contextmanager
from typing import IO, Iterator


@contextmanager
def replacing(path: str) -> Iterator[str]:
    """
    Overview:
        Yield a temporary name beside ``path``, with the same extension, for the block to write. When the block ends
        without an error that file takes the place of ``path`` at once and for good (fsync of file and folder);
        otherwise, or if the process is killed, ``path`` stays as it was.
    Arguments:
        - path (:obj:`str`): The file to write. Its folder is made if it is not there.
    Returns:
        - temporary (:obj:`str`): Where the block has to write.
    Raises:
        - OSError: that names ``path`` if the system refuses to write, for example because the disk is full.
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
        Open ``path`` and hold it against other processes, until it is closed or this process ends, however it ends.
    Arguments:
        - wait (:obj:`bool`): Wait for another process that holds it.
    Raises:
        - BlockingIOError: if another process holds it and ``wait`` is not set.
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
