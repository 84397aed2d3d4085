"""What a run costs: processor time, time by the clock, memory - over all its resumes."""
import resource
import time
from typing import Dict


def peak_memory() -> int:
    """
    Overview:
        Bytes of this process's largest resident size until now.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 2 ** 10  # Linux counts KiB


class Cost:
    """
    Overview:
        A stopwatch that goes on where the one in a checkpoint stood. Processes of environments are not counted.
    """

    def __init__(self) -> None:
        self._before = {'cpu': 0.0, 'wall': 0.0, 'peak_memory': 0}
        self._cpu, self._wall = time.process_time(), time.monotonic()

    def state_dict(self) -> Dict[str, float]:
        """
        Overview:
            Seconds of processor and clock, and bytes of the largest resident size, until now.
        """
        return {
            'cpu': self._before['cpu'] + time.process_time() - self._cpu,
            'wall': self._before['wall'] + time.monotonic() - self._wall,
            'peak_memory': max(self._before['peak_memory'], peak_memory()),
        }

    def load_state_dict(self, state: Dict[str, float]) -> None:
        self._before = dict(state)
