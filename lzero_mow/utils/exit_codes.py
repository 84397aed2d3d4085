"""What a command ends with: an exit code, and one line where something went wrong."""
import sys
from typing import Callable

# Bad input or another foreseen failure, each of which gets one line; Ctrl-C.
BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130


def guarded(prog: str, work: Callable[[], None]) -> int:
    """
    Overview:
        Do the work of a command and turn foreseen failures into one line.
    Returns:
        - code (:obj:`int`): Exit code.
    """
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
    """Print the one line, and return the exit code."""
    sys.stderr.write(f"{prog}: error: {' '.join(str(error).split())}\n")
    return code
