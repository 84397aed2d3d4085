"""A thread that samples ahead draws what would have been drawn without it, no more, and hides no error."""
import threading

import pytest

from lzero_mow.buffer.prefetch import prefetched


@pytest.mark.unittest
@pytest.mark.parametrize('count', [0, 1, 2, 7])
def test_the_same_samples_in_the_same_order_and_none_too_many(count):
    drawn = []

    def draw():
        drawn.append(len(drawn))
        return drawn[-1]

    assert list(prefetched(draw, count)) == list(range(count)) == drawn


@pytest.mark.unittest
def test_the_next_one_is_drawn_while_one_is_worked_on():
    started = [threading.Event() for _ in range(3)]
    number = iter(range(3))

    def draw():
        started[i := next(number)].set()
        return i

    for i in prefetched(draw, 3):
        if i < 2:
            assert started[i + 1].wait(10), 'the next one is not waited for'


@pytest.mark.unittest
def test_an_error_comes_where_its_sample_would_have_been():
    number = iter(range(5))

    def draw():
        if (i := next(number)) == 2:
            raise ValueError('nothing to draw from')
        return i

    seen = []
    with pytest.raises(ValueError, match='nothing to draw from'):
        for i in prefetched(draw, 5):
            seen.append(i)
    assert seen == [0, 1]


@pytest.mark.unittest
def test_stopping_early_ends_the_thread():
    for _ in prefetched(lambda: 0, 5):
        break
    assert not [thread for thread in threading.enumerate() if thread.name.startswith('sampling')]
