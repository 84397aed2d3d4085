"""Paths of the package and of the files in a run folder."""
import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
# A wheel has the presets inside the package; a clone, and an editable install, next to it. The order matters: a
# `config` folder next to an installed package would be somebody else's.
CONFIG_FOLDERS = (PACKAGE / '_config', PACKAGE.parent / 'config')
# In a run folder: the evaluations, and the checkpoint from which a run resumes.
RESULTS = 'results.csv'
LATEST = os.path.join('ckpt', 'latest.pth.tar')


def config_file(name: str) -> Path:
    """A file of the ``config`` folder, in a clone or in an installed package; FileNotFoundError names both places."""
    for folder in CONFIG_FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"no {name} in {' or '.join(map(str, CONFIG_FOLDERS))}: reinstall lzero_mow")
