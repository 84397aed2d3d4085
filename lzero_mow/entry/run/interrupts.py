"""Ctrl-C and SIGTERM end a run with one KeyboardInterrupt, wherever they arrive."""
import os
import signal
import threading
from contextlib import contextmanager
from typing import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible() -> Iterator[None]:
    """
    While the block runs, both signals raise KeyboardInterrupt in this process. In environment processes forked from it,
    Ctrl-C, which a terminal sends to all of them, does nothing: this process closes them. DI-engine's managers turn an
    interrupt that arrives inside an environment into a RuntimeError, which is turned back here. Does nothing outside
    the main thread, where Python allows no signal handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner, received = os.getpid(), []

    def interrupt(signum: int, _) -> None:
        if os.getpid() == owner:
            received.append(signum)
            raise KeyboardInterrupt
        if signum == signal.SIGTERM:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)

    previous = {signum: signal.signal(signum, interrupt) for signum in SIGNALS}
    try:
        yield
    except RuntimeError as error:
        if received:
            raise KeyboardInterrupt from None
        raise
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
