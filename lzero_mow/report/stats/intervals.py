"""
Statistics over seeds and tasks, with the 95 % stratified bootstrap intervals of rliable (Agarwal et al. 2021).

Scores are arrays (seeds, tasks, ...); a trailing axis is that of evaluations. The statistics are those of
``rliable.metrics``, as a test checks, in numpy: a run that draws the curves of its one seed needs no rliable, curves
have that trailing axis, and rliable's probability of improvement takes 2 ms per resampling
(a Mann-Whitney test for each task), 300 times as long.
"""
from typing import Callable, Tuple

import numpy as np
from scipy.stats import binomtest, trim_mean

REPETITIONS = 2000
Statistic = Callable[..., np.ndarray]


def iqm(scores: np.ndarray) -> np.ndarray:
    """Interquartile mean over all seeds and tasks: without a quarter of the scores, rounded down, at either end."""
    return trim_mean(scores.reshape(-1, *scores.shape[2:]), 0.25, axis=0)


def mean(scores: np.ndarray) -> np.ndarray:
    """Mean over seeds and tasks."""
    return scores.mean(axis=(0, 1))


def median(scores: np.ndarray) -> np.ndarray:
    """Median over tasks of the mean over seeds."""
    return np.median(scores.mean(axis=0), axis=0)


def probability_of_improvement(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Mean over tasks of the probability that a run of ours scores higher than one of theirs; a tie counts half."""
    return np.mean(np.heaviside(ours[:, None] - theirs[None], 0.5))


def interval(statistic: Statistic, *scores: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    A statistic of one or several arrays with the ends of its interval: point, low, high. The ends are NaN if an array
    holds only one seed, from which no interval follows. ValueError in one line if rliable is not installed.
    """
    point = np.asarray(statistic(*scores), dtype=float)
    if min(map(len, scores)) < 2:
        return point, np.full_like(point, np.nan), np.full_like(point, np.nan)
    try:
        from rliable import library
    except ModuleNotFoundError as error:
        raise ValueError("intervals over seeds need rliable: pip install 'rliable==1.2.0' 'pandas<3'") from error
    given = scores[0] if len(scores) == 1 else list(scores)
    state = np.random.get_state()
    np.random.seed(0)  # rliable draws from numpy's global generator, whatever ``random_state`` it is given
    try:
        _, ends = library.get_interval_estimates(
            {'': given}, lambda *resampled: np.atleast_1d(statistic(*resampled)), reps=REPETITIONS
        )
    finally:
        np.random.set_state(state)
    low, high = ends[''].reshape(2, *point.shape)
    return point, low, high


def wilson(share: float, episodes: int) -> Tuple[float, float, float]:
    """A share of episodes of one run, with the ends of Wilson's 95 % interval."""
    ends = binomtest(round(share * episodes), episodes).proportion_ci(method='wilson')
    return share, ends.low, ends.high
