"""The screen, shared by log lines and a run's live lines. Imports no torch."""
import logging
import os
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler

from .paths import PACKAGE

# The loggers of LightZero's workers and of ours, which derive from them; they write to files in the run folder.
WORKER_LOGGERS = ('collector_logger', 'evaluator_logger')
SCREEN = Console(stderr=True)


def is_first_process() -> bool:
    """Whether this is the process that writes and shows, of those that torchrun has started, if it has."""
    return int(os.environ.get('RANK', 0)) == 0


def started_processes() -> int:
    """How many processes torchrun has started; 1 without it."""
    return int(os.environ.get('WORLD_SIZE', 1))


def started_here() -> int:
    """How many of them run on this machine."""
    return int(os.environ.get('LOCAL_WORLD_SIZE', 1))


def set_up_screen(shown: bool = True) -> None:
    """
    Send this package's log lines, and all warnings, to the screen: above the live lines on a terminal, as plain lines
    elsewhere. What DI-engine and LightZero log below that level stays in the run's log files. Only for command lines,
    because it replaces the root logger's handlers. A process that is not `shown` leaves the screen to another one.
    """
    if SCREEN.is_terminal:
        handler = RichHandler(console=SCREEN, show_path=False, log_time_format='%H:%M:%S')
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter('%(asctime)s %(message)s', '%H:%M:%S'))
    handler.addFilter(_is_for_the_screen)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    handler.setLevel(logging.INFO if shown else logging.ERROR)
    SCREEN.quiet = not shown
    logging.raiseExceptions = False  # if the disk is full, no traceback for each lost line


def _is_for_the_screen(record: logging.LogRecord) -> bool:
    ours = PACKAGE in Path(record.pathname).parents and record.name not in WORKER_LOGGERS
    return ours or record.levelno >= logging.WARNING
