"""Writing a picture so that a viewer never opens half a file."""
import os
from contextlib import contextmanager
from typing import Iterator


@contextmanager
def replacing(path: str) -> Iterator[str]:
    """
    Overview:
        Yield a temporary name beside ``path`` with the same extension; when the block ends without an error the file \
        written there takes the place of ``path`` at once, otherwise it is removed and ``path`` stays as it was.
    Arguments:
        - path (:obj:`str`): The file to write. Its folder is made if it is not there.
    Returns:
        - temporary (:obj:`str`): Where the block has to write.
    """
    folder, name = os.path.split(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, '.writing-' + name)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
