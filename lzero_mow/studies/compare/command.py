"""
``python -m lzero_mow compare RUN RUN ...``: finished runs side by side, as one page that opens from a file.

    python -m lzero_mow compare data_mow/experiment/minatar/*/seed* --output compare.html
"""
import sys
from typing import Optional, Sequence

from lzero_mow.config.arguments import Parser

PROG = 'python -m lzero_mow compare'


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Write the page that the command line asks for; returns 0, or exits with 2 after one line about bad input."""
    parser = Parser(prog=PROG, description='Compare finished runs: one page with tables, curves and videos.')
    runs = 'run folders, any number of seeds and methods, reference players too'
    parser.add_argument('runs', nargs='+', metavar='RUN', help=runs)
    parser.add_argument('--output', default='compare.html', metavar='HTML', help='default: compare.html')
    parser.add_argument('--baseline', metavar='METHOD', help='the method that is compared with each; default: mow')
    parser.add_argument('--peers', action='store_true', help='beside returns that other agents have published')
    arguments = parser.parse_args(argv)
    from .page import write_page
    from .runs import check_comparable, load_run
    try:
        runs = [load_run(folder) for folder in arguments.runs]
        check_comparable(runs)
        if arguments.baseline not in (None, *(run.method for run in runs)):
            raise ValueError(f"no run is of the method '{arguments.baseline}'")
        write_page(arguments.output, runs, arguments.baseline, arguments.peers)
    except (OSError, ValueError) as error:
        parser.error(' '.join(str(error).split()))
    sys.stdout.write(f'{arguments.output}\n')
    return 0
