"""What a run costs: processor time, time by the clock, memory, a decision, an update - over all its resumes."""
import resource
import time
from collections import Counter
from contextlib import contextmanager
from typing import Any, Dict, Iterator


def peak_memory() -> int:
    """Bytes of this process's largest resident size until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 2 ** 10  # Linux counts KiB


class Cost:
    """A stopwatch that goes on where the one in a checkpoint stood. Processes of environments are not counted."""

    def __init__(self) -> None:
        self._before = {'cpu': 0.0, 'wall': 0.0, 'peak_memory': 0}
        self._cpu, self._wall = time.process_time(), time.monotonic()
        # What was done how often, and the seconds by the clock that it took.
        self._seconds, self._times = Counter(), Counter()

    @contextmanager
    def of(self, name: str, times: int) -> Iterator[None]:
        """Measure a block that does the same thing so many times."""
        begun = time.monotonic()
        yield
        self.add(name, time.monotonic() - begun, times)

    def add(self, name: str, seconds: float, times: int) -> None:
        """Count something that was measured elsewhere."""
        self._seconds[name] += seconds
        self._times[name] += times

    def mean(self, name: str) -> float:
        """Seconds that one took until now; NaN if none was done."""
        return self._seconds[name] / self._times[name] if self._times[name] else float('nan')

    def state_dict(self) -> Dict[str, Any]:
        """Seconds of processor and clock, and bytes of the largest resident size, until now; what was done."""
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
