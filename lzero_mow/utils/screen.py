"""The screen, shared by log lines and a run's live lines. Imports no torch."""
import logging
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler

from .paths import PACKAGE

# The loggers of LightZero's workers and of ours, which derive from them; they write to files in the run folder.
WORKER_LOGGERS = ('collector_logger', 'evaluator_logger')
SCREEN = Console(stderr=True)


def set_up_screen() -> None:
    """
    Send this package's log lines, and all warnings, to the screen: above the live lines on a terminal, as plain lines
    elsewhere. What DI-engine and LightZero log below that level stays in the run's log files. Only for command lines,
    because it replaces the root logger's handlers.
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
    logging.raiseExceptions = False  # if the disk is full, no traceback for each lost line


def _is_for_the_screen(record: logging.LogRecord) -> bool:
    ours = PACKAGE in Path(record.pathname).parents and record.name not in WORKER_LOGGERS
    return ours or record.levelno >= logging.WARNING
