"""What a run has learned: its last evaluation beside random play in the same environments."""
import os
from contextlib import suppress
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from easydict import EasyDict
from scipy.stats import bootstrap

from lzero_mow.config.envs import evaluation_episodes
from lzero_mow.config.suites import RANDOM
from lzero_mow.report.tables.results import append_results, evaluation_rows
from lzero_mow.utils.ranks import of_all_tasks, own_tasks
from lzero_mow.worker.reference_play import play_tasks

RANDOM_PLAY = 'random.csv'  # in the run folder, with the columns of results.csv


class Mean(NamedTuple):
    """The mean over a task's episodes, with the ends of its 95 % bootstrap interval; NaN for a single episode."""
    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, returns: np.ndarray) -> 'Mean':
        """Of (episodes,) returns."""
        mean = float(returns.mean())
        if len(returns) < 2:
            return cls(mean, np.nan, np.nan)
        if np.ptp(returns) == 0:
            return cls(mean, mean, mean)
        resampled = bootstrap((returns, ), np.mean, method='percentile', n_resamples=2000, random_state=0)
        ends = resampled.confidence_interval
        return cls(mean, float(ends.low), float(ends.high))

    def __str__(self) -> str:
        text = lambda value: f'{value:.0f}' if abs(value) >= 1000 else f'{value:.1f}'
        ends = '' if np.isnan(self.low) else f' [{text(self.low)}, {text(self.high)}]'
        return text(self.mean) + ends


def random_play(env_cls: type, cfg: EasyDict, seed: int, run_dir: str) -> Optional[np.ndarray]:
    """
    Play as many episodes of each task at random as an evaluation has, write ``random.csv``, and return their returns
    (K, episodes); None for environments that cannot play at random.
    """
    if not hasattr(env_cls, f'{RANDOM}_action'):
        return None
    own = own_tasks(len(cfg.tasks))
    own_cfg = EasyDict(cfg, tasks=cfg.tasks[own.start:own.stop])
    ends = of_all_tasks(play_tasks(env_cls, own_cfg, RANDOM, seed, evaluation_episodes(cfg)))
    scores = env_cls.reference_scores(cfg)
    path = os.path.join(run_dir, RANDOM_PLAY)
    with suppress(FileNotFoundError):
        os.remove(path)  # of the run before it was resumed
    append_results(path, evaluation_rows(RANDOM, seed, list(cfg.tasks), scores, 0, ends))
    return ends['return']


class Beside(NamedTuple):
    """The last evaluation beside random play, by task."""
    played: Dict[str, Mean]
    random: Dict[str, Mean]

    @classmethod
    def of(cls, tasks: Sequence[str], played: np.ndarray, random: np.ndarray) -> 'Beside':
        """Of (K, episodes) returns each."""
        return cls(*({task: Mean.of(own) for task, own in zip(tasks, returns)} for returns in (played, random)))

    def line(self) -> str:
        """In which tasks the interval lies above or below random play's, and in which they meet, with both."""
        found: Dict[str, List[str]] = {'better than random play': [], 'worse': [], 'not told apart from it': []}
        better, worse, unclear = found.values()
        for task, own in self.played.items():
            other = self.random[task]
            where = better if own.low > other.high else worse if own.high < other.low else unclear
            where.append(f'{task} {own}, not {other}' if where is not unclear else task)
        return '; '.join(f"{what}: {', '.join(names) or 'none'}" for what, names in found.items())

    def ends(self, method: str) -> Dict[str, Dict[str, Tuple[float, float]]]:
        """The intervals that there are, of the method and of random play, by task."""
        both = {method: self.played, RANDOM: self.random}
        return {
            name: {task: (own.low, own.high) for task, own in of_task.items() if not np.isnan(own.low)}
            for name, of_task in both.items()
        }
