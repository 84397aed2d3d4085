"""Sampling that works while the networks do."""
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Iterator, TypeVar

Sample = TypeVar('Sample')


def prefetched(draw: Callable[[], Sample], count: int) -> Iterator[Sample]:
    """
    What `count` calls return, one after the other and no more of them: while one is worked on, a thread makes the next.
    An error of a call is raised where its result would have been.
    """
    if count < 1:
        return
    with ThreadPoolExecutor(1, thread_name_prefix='sampling') as thread:
        coming = thread.submit(draw)
        for left in range(count - 1, -1, -1):
            sample = coming.result()
            if left:
                coming = thread.submit(draw)
            yield sample
