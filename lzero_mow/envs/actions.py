"""
The two kinds of action spaces: one of several discrete actions, or a vector of continuous ones. They tell an
environment which actions are legal, and how to check, draw and store them.
"""
import operator
from typing import Any, List, Sequence

import numpy as np
from gymnasium import spaces


class DiscreteActions:
    """``size`` actions with the same meaning in every task of a suite."""

    def __init__(self, size: int) -> None:
        self.space = spaces.Discrete(size)
        self.mask = np.ones(size, dtype=np.int8)

    def allow(self, actions: Sequence[int]) -> None:
        """Make these the legal actions."""
        self.mask[:] = np.isin(np.arange(len(self.mask)), actions)

    @property
    def legal(self) -> np.ndarray:
        """The indices of the legal actions."""
        return np.flatnonzero(self.mask)

    def check(self, action: Any, task: str) -> int:
        """The action as an int; ValueError if it is not a legal action."""
        try:
            action = operator.index(action)
        except TypeError as error:
            raise ValueError(f'{action!r} is not an action of {task}: actions are integers') from error
        if not (0 <= action < len(self.mask) and self.mask[action]):
            raise ValueError(f'action {action} is illegal in {task}: the legal actions are {self.legal.tolist()}')
        return action

    def random(self, rng: np.random.Generator) -> int:
        """A uniformly random legal action."""
        return int(rng.choice(self.legal))

    def pack(self, actions: List[int]) -> np.ndarray:
        """The actions of an episode as an array: uint8 (steps, )."""
        return np.array(actions, dtype=np.uint8)


class ContinuousActions:
    """Vectors of ``size`` numbers in [-1, 1]. The mask, which tells legal discrete actions from others, is all ones."""

    def __init__(self, size: int) -> None:
        self.space = spaces.Box(-1, 1, (size, ), np.float32)
        self.mask = np.ones(size, dtype=np.int8)

    def check(self, action: Any, task: str) -> np.ndarray:
        """The action as float32 (size, ); ValueError if its shape is wrong or a number lies outside [-1, 1]."""
        array = np.asarray(action, dtype=np.float32)
        if array.shape != self.space.shape or not (np.abs(array) <= 1).all():
            raise ValueError(f'{action!r} is not an action of {task}: actions are {len(self.mask)} numbers in [-1, 1]')
        return array

    def random(self, rng: np.random.Generator) -> np.ndarray:
        """Each number drawn uniformly from [-1, 1]."""
        return rng.uniform(-1, 1, self.space.shape).astype(np.float32)

    def pack(self, actions: List[np.ndarray]) -> np.ndarray:
        """The actions of an episode as an array: float32 (steps, size)."""
        return np.array(actions, dtype=np.float32).reshape(-1, len(self.mask))
