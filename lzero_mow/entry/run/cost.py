"""What a run costs over all its resumes: processor and wall-clock time, memory, time per decision and update."""
import resource
import time
from collections import Counter
from contextlib import contextmanager
from typing import Any, Dict, Iterator


def peak_memory() -> int:
    """The largest resident size of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 2 ** 10  # Linux counts KiB


class Cost:
    """A stopwatch that continues from the one in a checkpoint. Processes of environments are not counted."""

    def __init__(self) -> None:
        self._before = {'cpu': 0.0, 'wall': 0.0, 'peak_memory': 0}
        self._cpu, self._wall = time.process_time(), time.monotonic()
        # Wall-clock seconds and number of repetitions of each measured activity.
        self._seconds, self._times = Counter(), Counter()

    @contextmanager
    def measure(self, name: str, times: int) -> Iterator[None]:
        """Measure a block that does the same thing a number of times."""
        begun = time.monotonic()
        yield
        self.add(name, time.monotonic() - begun, times)

    def add(self, name: str, seconds: float, times: int) -> None:
        """Count what was measured elsewhere."""
        self._seconds[name] += seconds
        self._times[name] += times

    def mean(self, name: str) -> float:
        """Mean seconds of one repetition so far; NaN if there was none."""
        return self._seconds[name] / self._times[name] if self._times[name] else float('nan')

    def state_dict(self) -> Dict[str, Any]:
        """Processor and wall-clock seconds, and the largest resident size in bytes, so far; the activities."""
        return {
            'cpu': self._before['cpu'] + time.process_time() - self._cpu,
            'wall': self._before['wall'] + time.monotonic() - self._wall,
            'peak_memory': max(self._before['peak_memory'], peak_memory()),
            'seconds': dict(self._seconds),
            'times': dict(self._times),
        }

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self._before = {name: state[name] for name in self._before}
        self._seconds, self._times = Counter(state['seconds']), Counter(state['times'])
