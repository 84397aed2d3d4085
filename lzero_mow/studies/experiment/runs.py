"""One run of an experiment as something to call, here or on another machine. Light: imports no torch."""
import os
import subprocess
import time
from typing import List, Optional

from .jobs import Job, Plan, command, is_finished

POLL_SECONDS = 0.2
# How long an interrupted run may take to close its environments before it is killed.
GRACE_SECONDS = 30
THREADS = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'NUMEXPR_NUM_THREADS')


class Run:
    """A job as a process with so many threads, which goes on from the last checkpoint if there is one."""

    def __init__(self, job: Job, plan: Plan, threads: int) -> None:
        self.job, self._plan, self._threads = job, plan, threads
        self._process: Optional[subprocess.Popen] = None
        self._stopped = False

    def __call__(self) -> Optional[str]:
        """Start the process and wait for its end; returns in words what stands against it, None if nothing does."""
        if self._stopped or is_finished(self.job):
            return None
        environment = {**os.environ, **dict.fromkeys(THREADS, str(self._threads))}
        try:
            arguments = self._command()
        except BlockingIOError:
            return 'is being trained by another process'
        os.makedirs(os.path.dirname(self.job.log), exist_ok=True)
        with open(self.job.log, 'a') as log:
            # In a session of its own: Ctrl-C reaches this process alone, which tells the others.
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment,
                start_new_session=True
            )
        while self._process.poll() is None:
            if self._stopped:
                self._end_process()
            time.sleep(POLL_SECONDS)
        return None

    def stop(self) -> None:
        """End the process, if there is one, from another thread; its last checkpoint stays."""
        self._stopped = True

    def _command(self) -> List[str]:
        return command(self.job, self._plan)

    def _end_process(self) -> None:
        self._process.terminate()  # SIGINT would be lost on those that inherited it ignored, as below nohup
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
