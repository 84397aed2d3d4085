"""
Where learning stops: four questions about play that a model was not trained on, as numbers that any method can give.

Rewards, values and imagination are compared with what was really played; returns are discounted sums of raw rewards.
"""
from typing import Dict

import numpy as np
from scipy.stats import rankdata

from lzero_mow.buffer.batch import RecordedPlay


def reward_steps(chance: np.ndarray, reward: np.ndarray) -> Dict[str, float]:
    """
    Does the model know which steps bring a reward? From the predicted chance of one and the real reward, (N,) each:
    'precision' and 'recall' of the steps whose chance is above one half, and 'auc', the probability that a step with a
    reward has a higher chance than a step without one: 0.5 for a model that knows nothing. NaN where undefined.
    """
    real, predicted = reward != 0, chance > 0.5
    hits, n = np.sum(real & predicted), int(real.sum())
    others = len(real) - n
    auc = (rankdata(chance)[real].sum() - n * (n + 1) / 2) / (n * others) if n and others else np.nan
    share = lambda of: float(hits / of.sum()) if of.any() else np.nan
    return dict(precision=share(predicted), recall=share(real), auc=float(auc))


def explained(predicted: np.ndarray, real: np.ndarray) -> float:
    """1 - mean squared error / variance: 1 is perfect, 0 no better than the mean. NaN if the real values are equal."""
    variance = real.var()
    return float(1 - np.square(predicted - real).mean() / variance) if variance > 0 else np.nan


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's; NaN if one of both does not vary."""
    return float(np.corrcoef(x, y)[0, 1]) if x.std() > 0 and y.std() > 0 else np.nan


def played_returns(play: RecordedPlay, discount: float, life_loss_ends: bool, last_value: float) -> np.ndarray:
    """
    G_t = r_t + discount c_t G_{t+1}, (T,), of a recorded episode; what follows its last step is worth ``last_value``,
    unless the episode ends there. c_t is 0 where it ends, or with ``life_loss_ends`` where a life is lost.
    """
    goes_on = ~(play.terminated | play.life_loss) if life_loss_ends else ~play.terminated
    returns, following = np.zeros(len(play)), last_value
    for t in reversed(range(len(play))):
        returns[t] = following = play.reward[t] + discount * goes_on[t] * following
    return returns
