"""Where sequences start: fair over tasks, uniform within a task. And what they hold, which several threads copy."""
from concurrent.futures import Executor
from typing import Dict, Iterator, List, Sequence, Tuple

import numpy as np

from .stream import StepStream

Drawn = List[Tuple[StepStream, np.ndarray]]  # streams, each with the absolute indices at which its sequences start


class FairShares:
    """
    Shares sequences out over tasks as evenly as their number allows; the tasks take turns at the remainder. Each kind
    of request (number, length) has its own turn: with one turn for all, two alternating kinds could give the same tasks
    their extra sequence forever.
    """

    def __init__(self) -> None:
        # By kind of request, the task that is the next to get an extra sequence.
        self._turns: Dict[Tuple[int, int], int] = {}

    def __call__(self, n: int, length: int, num_tasks: int) -> List[int]:
        """Of n sequences of `length` steps, the number for each task: they add up to n and differ by at most one."""
        share, rest = divmod(n, num_tasks)
        turn = self._turns.get((n, length), 0)
        self._turns[n, length] = (turn + rest) % num_tasks
        return [share + int((task - turn) % num_tasks < rest) for task in range(num_tasks)]

    def state_dict(self) -> List[List[int]]:
        """[number, length, next task] of each kind of request."""
        return [[n, length, turn] for (n, length), turn in self._turns.items()]

    def load_state_dict(self, state: List[List[int]]) -> None:
        self._turns = {(n, length): turn for n, length, turn in state}


def draw_starts(streams: Sequence[StepStream], count: int, length: int,
                rng: np.random.Generator) -> Iterator[Tuple[StepStream, np.ndarray]]:
    """
    Draw, with replacement, the starts of `count` sequences of `length` steps from the streams of one task; all possible
    starts are equally likely. Returns each stream with its absolute starts; ValueError if there is no possible start.
    """
    windows = [stream.windows(length) for stream in streams]
    owner = np.repeat(np.arange(len(streams)), [len(starts) for starts, _ in windows])
    first_starts = np.concatenate([starts for starts, _ in windows])
    # Number all places consecutively; `bounds` are the numbers at which the runs begin, and the number of places.
    bounds = np.cumsum(np.concatenate([[0], *(counts for _, counts in windows)]))
    if bounds[-1] == 0:
        raise ValueError(
            f'no {length} consecutive steps to draw from (the longest stream holds {max(map(len, streams))}): '
            'collect more before training (policy.train_start_after_envsteps) or lower the sequence length'
        )
    places = np.sort(rng.integers(bounds[-1], size=count))
    run = np.searchsorted(bounds, places, side='right') - 1
    starts = first_starts[run] + places - bounds[run]
    for number, stream in enumerate(streams):
        yield stream, starts[owner[run] == number]


def rows_of(drawn: Drawn) -> Iterator[Tuple[StepStream, np.ndarray, slice]]:
    """Each stream with its starts and the rows that these are in a batch of all of them, one after the other."""
    end = 0
    for stream, starts in drawn:
        begin, end = end, end + len(starts)
        yield stream, starts, slice(begin, end)


def gather(drawn: Drawn, length: int, out: Dict[str, np.ndarray], threads: Executor) -> None:
    """
    Copy the windows of `length` steps that start where each stream is given for into `out`, an array (B, L, ...) for
    each field wanted, one after the other. Decoding frames leaves Python to other threads.
    """

    def copy(part: Tuple[StepStream, np.ndarray, slice]) -> None:
        stream, starts, rows = part
        stream.gather(starts, length, {name: array[rows] for name, array in out.items()})

    list(threads.map(copy, rows_of(drawn)))  # a list, so that errors are raised
