"""The screen that log lines and a run's live lines share. Light: imports no torch."""
import logging
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler

PACKAGE = Path(__file__).resolve().parent
SCREEN = Console(stderr=True)


def set_up_screen() -> None:
    """
    Overview:
        Send this package's log lines, and everybody's warnings, to the screen: above the live lines on a terminal, as \
        plain lines elsewhere. What DI-engine and LightZero log below that stays in the run's log files. For command \
        lines: it takes the root logger's handlers away.
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
    for worker in ('collector', 'evaluator'):  # what LightZero calls the loggers of its workers
        logging.getLogger(f'{worker}_logger').propagate = False


def _is_for_the_screen(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or PACKAGE in Path(record.pathname).parents
