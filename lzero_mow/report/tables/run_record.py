"""
``run.yaml``: says that a run has ended, and what it cost. Light: imports no torch.

Only a run that reaches its last step writes one, as its last file.
"""
import os
from dataclasses import asdict, dataclass
from typing import List, Optional

import yaml

from lzero_mow.utils.files import replacing

RUN_RECORD = 'run.yaml'


@dataclass(frozen=True)
class RunRecord:
    """The content of ``run.yaml``."""
    method: str
    seed: int
    tasks: List[str]
    env_step: int  # environment steps per task
    interactions: int  # environment steps of all tasks together; fewer where solved tasks rest
    updates: int  # of the warm-up and after it
    cpu_seconds: float  # of the training process, over all resumes; what a checkpoint did not keep is not counted
    wall_seconds: float  # the same by the clock
    model_bytes: int  # parameters and floating-point buffers at 4 bytes
    peak_memory_bytes: int  # largest resident size of the training process


def write_run_record(run_dir: str, record: RunRecord) -> None:
    """Write a run's record."""
    with replacing(os.path.join(run_dir, RUN_RECORD)) as temporary, open(temporary, 'w') as file:
        yaml.safe_dump(asdict(record), file, sort_keys=False)


def read_run_record(run_dir: str) -> Optional[RunRecord]:
    """
    A run's record, or None if the run has not ended; ValueError if the file is damaged, or of a version that wrote
    other columns.
    """
    path = os.path.join(run_dir, RUN_RECORD)
    if not os.path.isfile(path):
        return None
    try:
        with open(path) as file:
            return RunRecord(**yaml.safe_load(file))
    except (yaml.YAMLError, TypeError) as error:
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
