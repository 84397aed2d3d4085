"""In what compared methods are equal, and in what they are not."""
import glob
import os
from typing import Dict, List, Sequence

from lzero_mow.config.algorithms import ALGORITHMS
from lzero_mow.config.saved import TOTAL_CONFIG, load_run_config
from lzero_mow.config.suites import references
from .cells import STEPS, Cells, number, span
from .numbers import Summary

UNKNOWN = number(None, 0)
MEANING = (
    "Steps are of each game, updates of each model; an update's batch where it is known, real and imagined (sequences "
    'x steps), and CPU minutes of all models of a seed together.'
)


def configs_beside(folder: str, methods: Sequence[str]) -> Dict[str, List[dict]]:
    """By method, the configurations of its runs, where the run folders of an experiment lie beside its tables."""
    paths = {method: os.path.join(glob.escape(folder), glob.escape(method), '*', TOTAL_CONFIG) for method in methods}
    return {
        method: [load_run_config(os.path.dirname(found)) for found in sorted(glob.glob(path))]
        for method, path in paths.items()
    }


def equal_cells(summary: Summary, configs: Dict[str, List[dict]]) -> Cells:
    """A row per method: steps, updates, what an update learns from, CPU minutes; without columns that nobody fills."""
    cells = [['method', STEPS, 'updates', 'batch', 'imagined in an update', 'CPU minutes']]
    for method in summary.methods:
        if method.method not in references():
            own = configs.get(method.method, [])
            cells.append([
                method.method,
                span(method.env_steps),
                number(method.updates, 0, ','),
                _per_update(own, 'batch'),
                _per_update(own, 'imagination'),
                number(method.cpu_minutes, 1),
            ])
    known = [column for column in zip(*cells) if set(column[1:]) != {UNKNOWN}]
    return [list(row) for row in zip(*known)]


def _per_update(configs: Sequence[dict], kind: str) -> str:
    """Sequences x steps of ``Algorithm.batch`` or ``imagination``, of all models of a seed; a dash if not known."""
    if not configs:
        return UNKNOWN
    first = configs[0]
    algorithm = ALGORITHMS.get(first['create']['policy']['type'])
    keys = algorithm and getattr(algorithm, kind)
    if keys is None:
        return UNKNOWN
    sequences, steps = keys
    of_models = [config['policy'][sequences] for config in configs if config['seed'] == first['seed']]
    return f"{sum(of_models)} x {first['policy'][steps]}"
