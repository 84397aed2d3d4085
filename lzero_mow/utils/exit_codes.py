"""How commands end: exit codes, and one line about a foreseen failure."""
import sys
from typing import Callable

BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130  # the last is what shells use for Ctrl-C


def guarded(prog: str, work: Callable[[], None]) -> int:
    """Do the work of a command, and turn foreseen failures into one line; returns the exit code."""
    try:
        work()
    except KeyboardInterrupt:
        return fail(prog, 'interrupted', INTERRUPTED)
    except ValueError as error:
        return fail(prog, error, BAD_INPUT)
    except OSError as error:
        return fail(prog, f'{error.strerror}: {error.filename}' if error.filename else error, FAILED)
    except (FloatingPointError, ImportError, MemoryError, RuntimeError) as error:
        return fail(prog, error, FAILED)
    return 0


def fail(prog: str, error: object, code: int) -> int:
    """Print the line, and return the exit code."""
    sys.stderr.write(f"{prog}: error: {' '.join(str(error).split())}\n")
    return code
