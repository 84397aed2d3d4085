"""``total_config.yaml``: the configuration of a run, in its folder. Light: imports no torch."""
import os

import yaml

from lzero_mow.utils.files import replacing
from .algorithms import ALGORITHMS
from .fields import DI_ENGINE_KEYS
from .suites import DEFAULT_METHOD
from .tree import get, plain

TOTAL_CONFIG = 'total_config.yaml'


def save_config(config: dict, path: str) -> None:
    """Write a configuration as YAML."""
    with replacing(path) as temporary, open(temporary, 'w') as file:
        yaml.safe_dump(plain(config), file, sort_keys=False, width=120)


def load_run_config(run_dir: str) -> dict:
    """Read the configuration of an existing run; ValueError if the folder is no run folder, or the file is damaged."""
    path = os.path.join(run_dir, TOTAL_CONFIG)
    if not os.path.isfile(path):
        raise ValueError(f"'{run_dir}' is no run folder: there is no {path}")
    try:
        with open(path) as file:
            config = yaml.safe_load(file)
        missing = {'seed', 'max_env_step', 'env', 'policy', 'create'} - set(config)
    except (yaml.YAMLError, TypeError) as error:
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if missing:
        raise ValueError(f"{path} is damaged: it has no {', '.join(sorted(missing))}")
    if get(config, 'create.policy.type') in ALGORITHMS:
        for key in DI_ENGINE_KEYS:  # which earlier versions kept
            config['policy'].pop(key, None)
    return config if 'method' in config else dict(config, method=DEFAULT_METHOD)  # there were none at first
