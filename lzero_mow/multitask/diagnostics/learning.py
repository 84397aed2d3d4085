"""
Where learning stops: four questions about play that a model was not trained on, as numbers that any method can give.

Rewards, values and imagination are compared with what was really played; returns are discounted sums of a play's
rewards.
"""
from typing import Callable, Dict, Mapping, Sequence

import numpy as np
from scipy.stats import rankdata
from torch import Tensor

from lzero_mow.buffer.batch import RecordedPlay

AHEAD = 8  # steps of the longer predictions
WINDOWS = 64  # places in a play from which is predicted


class Windows:
    """
    Overview:
        N windows of a task's play, spread evenly over it: C real steps, the last of them the present one, and what
        really followed.
    Arguments:
        - task (:obj:`int`), play (:obj:`RecordedPlay`): The task and its play of T >= context + following steps.
        - context (:obj:`int`), following (:obj:`int`): C, and F steps after the present one.
    """

    def __init__(self, task: int, play: RecordedPlay, context: int, following: int) -> None:
        starts = np.unique(np.linspace(0, len(play) - context - following, WINDOWS).astype(int))
        at = starts[:, None] + np.arange(context + following)
        self.now = starts + context - 1  # (N,) present steps
        self.tasks = (task, ) * len(starts)
        self.obs = play.obs[at[:, :context]]  # (N, C, ...)
        self.action = play.action[at]  # (N, C + F) or (N, C + F, A)
        self.following = at[:, context - 1:]  # (N, F + 1), steps from the present one on
        self.reward = play.reward[self.following]  # (N, F + 1)


def of_each_task(
        plays: Mapping[int, RecordedPlay], names: Sequence[str], context: int, following: int,
        measure: Callable[[Windows, RecordedPlay], Dict[str, float]]
) -> Dict[str, float]:
    """
    ``learning/<task>/...``: what `measure` finds of each task whose play is long enough for windows of `context` steps
    and `following` more. Numbers that are not finite are left out.
    """
    scalars = {}
    for k, play in plays.items():
        if len(play) >= context + following:
            own = measure(Windows(k, play, context, following), play)
            scalars.update({f'learning/{names[k]}/{name}': own[name] for name in own if np.isfinite(own[name])})
    return scalars


def predicted_rewards(chance: Tensor, predicted: Tensor, windows: Windows, discount: float) -> Dict[str, float]:
    """
    What is predicted of the next `AHEAD` rewards, from chances of one and expected rewards, (N, AHEAD) each:
    ``reward/<n>_steps/{number,precision,recall,auc}`` of the first and the last, ``return/r2`` of the discounted sum.
    """
    chance, predicted, real = chance.cpu().numpy(), predicted.cpu().numpy(), windows.reward[:, :AHEAD]
    discounts = discount ** np.arange(AHEAD)
    scalars = {'return/r2': r_squared(predicted @ discounts, real @ discounts)}
    for ahead in (1, AHEAD):
        of_step = reward_steps(chance[:, ahead - 1], real[:, ahead - 1])
        scalars.update({f'reward/{ahead}_steps/{name}': value for name, value in of_step.items()})
    return scalars


def valued(
        value: Tensor, windows: Windows, play: RecordedPlay, discount: float, life_loss_ends: bool
) -> Dict[str, float]:
    """``value/{correlation,predicted,played}``: V(s) of the present states, (N,), beside the real discounted return."""
    value = value.cpu().numpy()
    returns = played_returns(play, discount, life_loss_ends, last_value=float(value[-1]))[windows.now]
    return {
        'value/correlation': correlation(value, returns), 'value/predicted': float(value.mean()),
        'value/played': float(returns.mean())
    }


def reward_steps(chance: np.ndarray, reward: np.ndarray) -> Dict[str, float]:
    """
    Does the model know which steps bring a reward? From the predicted chance of one and the real reward, (N,) each:
    their 'number', 'precision' and 'recall' of the steps whose chance is above one half, and 'auc', the probability
    that a step with a reward has a higher chance than a step without one: 0.5 for a model that knows nothing. NaN where
    undefined.
    """
    real, predicted = reward != 0, chance > 0.5
    hits, n = np.sum(real & predicted), int(real.sum())
    others = len(real) - n
    auc = (rankdata(chance)[real].sum() - n * (n + 1) / 2) / (n * others) if n and others else np.nan
    share = lambda of: float(hits / of.sum()) if of.any() else np.nan
    return dict(number=float(n), precision=share(predicted), recall=share(real), auc=float(auc))


def r_squared(predicted: np.ndarray, real: np.ndarray) -> float:
    """1 - mean squared error / variance: 1 is perfect, 0 as good as the mean. NaN if the real values are equal."""
    variance = real.var()
    return float(1 - np.square(predicted - real).mean() / variance) if variance > 0 else np.nan


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's; NaN if one of both does not vary."""
    return float(np.corrcoef(x, y)[0, 1]) if x.std() > 0 and y.std() > 0 else np.nan


def played_returns(play: RecordedPlay, discount: float, life_loss_ends: bool, last_value: float) -> np.ndarray:
    """
    G_t = r_t + discount c_t G_{t+1}, (E,), of a recorded episode; what follows its last step is worth ``last_value``,
    unless the episode ends there. For c_t see `RecordedPlay.goes_on`.
    """
    goes_on = play.goes_on(life_loss_ends)
    returns, following = np.zeros(len(goes_on)), last_value
    for t in reversed(range(len(goes_on))):
        returns[t] = following = play.reward[t] + discount * goes_on[t] * following
    return returns
