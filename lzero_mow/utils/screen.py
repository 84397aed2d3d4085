"""The screen that log lines and a run's live lines share. Light: imports no torch."""
import logging
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler

from .paths import PACKAGE

# LightZero's workers, and ours that derive from them, report here; it goes to files of the run folder.
WORKER_LOGGERS = ('collector_logger', 'evaluator_logger')
SCREEN = Console(stderr=True)


def set_up_screen() -> None:
    """
    Send this package's log lines, and everybody's warnings, to the screen: above the live lines on a terminal, as plain
    lines elsewhere. What DI-engine and LightZero log below that stays in the run's log files. For command lines: it
    takes the root logger's handlers away.
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
    logging.raiseExceptions = False  # a log file on a full disk: no traceback for each line that is lost


def _is_for_the_screen(record: logging.LogRecord) -> bool:
    ours = PACKAGE in Path(record.pathname).parents and record.name not in WORKER_LOGGERS
    return ours or record.levelno >= logging.WARNING
