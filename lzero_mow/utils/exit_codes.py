"""How commands end: exit codes, and one line about a foreseen failure."""
import sys
from typing import Callable

from .screen import is_first_process

BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130  # the last is what shells use for Ctrl-C


def guarded(prog: str, work: Callable[[], None]) -> int:
    """Do the work of a command, and turn foreseen failures into one line; returns the exit code."""
    try:
        work()
    except KeyboardInterrupt:
        return fail(prog, 'interrupted', INTERRUPTED, of_all=True)
    except ValueError as error:
        return fail(prog, error, BAD_INPUT)
    except OSError as error:
        return fail(prog, f'{error.strerror}: {error.filename}' if error.filename else error, FAILED)
    except FloatingPointError as error:
        return fail(prog, error, FAILED, of_all=True)
    except (ImportError, MemoryError, RuntimeError) as error:
        return fail(prog, error, FAILED)
    return 0


def fail(prog: str, error: object, code: int, of_all: bool = False) -> int:
    """Print the line, if it is the same in all processes of a run in one of them, and return the exit code."""
    if is_first_process() or not of_all:
        sys.stderr.write(f"{prog}: error: {' '.join(str(error).split())}\n")
    return code
