import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
# A wheel carries the presets inside the package; in a clone, and in an editable install, they stand beside it.
# In this order: `config` beside an installed package would be somebody else's.
CONFIG_FOLDERS = (PACKAGE / '_config', PACKAGE.parent / 'config')
# In a run folder: the evaluations, and what a resumed run goes on from.
RESULTS = 'results.csv'
LATEST = os.path.join('ckpt', 'latest.pth.tar')


def config_file(name: str) -> Path:
    """
    Overview:
        Find a file of the ``config`` folder, in a clone as well as in an installed package.
    Arguments:
        - name (:obj:`str`): the file's name, e.g. ``atari.yaml``.
    Returns:
        - path (:obj:`Path`): where the file is.
    Raises:
        - FileNotFoundError: when it is in neither place; the message names both.
    """
    for folder in CONFIG_FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"no {name} in {' or '.join(map(str, CONFIG_FOLDERS))}: reinstall lzero_mow")
