"""
``python -m lzero_mow COMMAND``: the commands of the package.

    python -m lzero_mow train --games Pong Boxing
    python -m lzero_mow config --preset laptop --method storm_multitask
    python -m lzero_mow curves data_mow/laptop_seed0 data_mow/laptop_seed1 --output curves.png
"""
import os
import sys
from typing import List

import yaml

from lzero_mow import cli
from lzero_mow.config import plain
from lzero_mow.paths import RESULTS

PROG = 'python -m lzero_mow'


def train(argv: List[str]) -> int:
    """Train a run, or go on with one."""
    return cli.train(argv, prog=f'{PROG} train')


def show_config(argv: List[str]) -> int:
    """Print every key of a configuration as YAML."""
    parser = cli.config_parser(f'{PROG} config', show_config.__doc__, argv=argv)
    arguments = cli.parse(parser, argv)
    arguments.preset = arguments.preset or cli.default_preset(arguments.suite)
    try:
        config = cli.new_config(arguments, {})
    except ValueError as error:
        parser.error(str(error))
    sys.stdout.write(yaml.safe_dump(plain(config), sort_keys=False, width=120))
    return 0


def draw_curves(argv: List[str]) -> int:
    """Draw the learning curves of runs as PNG."""
    parser = cli.Parser(prog=f'{PROG} curves', description=draw_curves.__doc__)
    parser.add_argument(
        'runs', nargs='+', metavar='RUN_DIR', help='run folders; those of one method may differ in seed'
    )
    parser.add_argument('--output', default='curves.png', metavar='PNG', help='default: curves.png')
    arguments = parser.parse_args(argv)
    from lzero_mow.report.curves import write_curves
    try:
        write_curves(arguments.output, [os.path.join(run, RESULTS) for run in arguments.runs])
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return 0


COMMANDS = {'train': train, 'config': show_config, 'curves': draw_curves}


def main(argv: List[str]) -> int:
    """
    Overview:
        Run the command that the first argument names.
    Returns:
        - code (:obj:`int`): Exit code.
    """
    parser = cli.Parser(prog=PROG, description='MoW: a mixture of world models for several tasks at once.')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND', title='commands')
    for name, function in COMMANDS.items():
        commands.add_parser(name, help=function.__doc__, add_help=False)
    arguments = parser.parse_args(argv[:1])
    return COMMANDS[arguments.command](argv[1:])


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
