"""
The two kinds of actions that a suite's tasks can have: one of several, or several numbers. They tell an environment
what an action is, what is legal, and how to keep it.
"""
import operator
from typing import Any, List, Sequence

import numpy as np
from gymnasium import spaces


class DiscreteActions:
    """
    Overview:
        One of ``size`` actions, which mean the same in every task of a suite.
    Arguments:
        - size (:obj:`int`): Their number.
    """

    def __init__(self, size: int) -> None:
        self.space = spaces.Discrete(size)
        self.mask = np.ones(size, dtype=np.int8)

    def allow(self, actions: Sequence[int]) -> None:
        """Make these the legal ones."""
        self.mask[:] = np.isin(np.arange(len(self.mask)), actions)

    @property
    def legal(self) -> np.ndarray:
        """The legal actions, as numbers."""
        return np.flatnonzero(self.mask)

    def check(self, action: Any, task: str) -> int:
        """
        Overview:
            An action in the form in which it is played and kept.
        Raises:
            - ValueError: one line, for what is no legal action.
        """
        try:
            action = operator.index(action)
        except TypeError as error:
            raise ValueError(f'{action!r} is no action of {task}: actions are whole numbers') from error
        if not (0 <= action < len(self.mask) and self.mask[action]):
            raise ValueError(f'action {action} is illegal in {task}: legal are {self.legal.tolist()}')
        return action

    def random(self, rng: np.random.Generator) -> int:
        """One of the legal actions, each as likely."""
        return int(rng.choice(self.legal))

    def pack(self, actions: List[int]) -> np.ndarray:
        """An episode's actions as an array, a row each."""
        return np.array(actions, dtype=np.uint8)


class ContinuousActions:
    """
    Overview:
        ``size`` numbers from -1 to 1. The mask, which says of discrete actions which are legal, is all ones.
    Arguments:
        - size (:obj:`int`): How many.
    """

    def __init__(self, size: int) -> None:
        self.space = spaces.Box(-1, 1, (size, ), np.float32)
        self.mask = np.ones(size, dtype=np.int8)

    def check(self, action: Any, task: str) -> np.ndarray:
        """
        Overview:
            An action in the form in which it is played and kept: float32 (size, ).
        Raises:
            - ValueError: one line, for another shape or a number that is not from -1 to 1.
        """
        array = np.asarray(action, dtype=np.float32)
        if array.shape != self.space.shape or not (np.abs(array) <= 1).all():
            raise ValueError(f'{action!r} is no action of {task}: actions are {len(self.mask)} numbers from -1 to 1')
        return array

    def random(self, rng: np.random.Generator) -> np.ndarray:
        """Every number uniformly from -1 to 1."""
        return rng.uniform(-1, 1, self.space.shape).astype(np.float32)

    def pack(self, actions: List[np.ndarray]) -> np.ndarray:
        """An episode's actions as an array, a row each."""
        return np.array(actions, dtype=np.float32).reshape(-1, len(self.mask))
