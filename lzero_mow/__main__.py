"""
``python -m lzero_mow COMMAND``: the commands of the package.

    python -m lzero_mow train --games Pong Boxing
    python -m lzero_mow evaluate data_mow/laptop_seed0 --episodes 50
    python -m lzero_mow config --preset laptop --method storm_multitask
    python -m lzero_mow curves data_mow/laptop_seed0 data_mow/laptop_seed1 --output curves.png
    python -m lzero_mow experiment minatar --methods mow scalezero random --seeds 0 1 2
    python -m lzero_mow summary data_mow/experiment/minatar
    python -m lzero_mow compare data_mow/experiment/minatar/*/seed* --output compare.html
    python -m lzero_mow stability --suite minatar --preset laptop --seeds 0 1 2 3 4 --lengths 250 500 1000
"""
import importlib
import os
import sys
from functools import partial
from typing import Callable, Dict, List, Tuple

import yaml

from lzero_mow import cli
from lzero_mow.config.arguments import Parser, config_parser, default_preset, new_config, parse
from lzero_mow.config.build import change
from lzero_mow.config.envs import episodes_key
from lzero_mow.config.saved import TOTAL_CONFIG, load_run_config
from lzero_mow.config.tree import plain
from lzero_mow.config.validate import validate
from lzero_mow.studies.stability import measure as stability
from lzero_mow.utils.exit_codes import guarded
from lzero_mow.utils.paths import LATEST, RESULTS
from lzero_mow.utils.screen import set_up_screen

PROG = 'python -m lzero_mow'


def evaluate(argv: List[str]) -> int:
    """Evaluate a run's checkpoint again, over more episodes."""
    parser = Parser(prog=f'{PROG} evaluate', description=evaluate.__doc__)
    parser.add_argument('run', metavar='RUN', help='a run folder, into which evaluation.csv is written')
    parser.add_argument('--episodes', type=int, metavar='N', help="per task; default: the run's own")
    parser.add_argument('--best', action='store_true', help='the checkpoint with the best evaluation, not the latest')
    words = 'such as policy.device=cpu, policy.eval_greedy=true'
    parser.add_argument('overrides', nargs='*', default=[], metavar='KEY=VALUE', help=words)
    arguments = parse(parser, argv, lists=())
    try:
        saved = load_run_config(arguments.run)
        if not os.path.isfile(os.path.join(arguments.run, LATEST)):
            raise ValueError(f"'{arguments.run}' has no checkpoint to evaluate ({LATEST})")
        if arguments.episodes is not None and arguments.episodes < 1:
            raise ValueError(f'--episodes must be at least 1, got {arguments.episodes}')
        layers = [] if arguments.episodes is None else [{'env': {episodes_key(saved['env']): arguments.episodes}}]
        config = change(saved, layers, arguments.overrides)
        validate(config)
    except ValueError as error:
        parser.error(str(error))

    def work() -> None:
        from lzero_mow.entry import evaluate
        from lzero_mow.entry.run import checkpoint
        evaluate(config, arguments.run, checkpoint.BEST if arguments.best else checkpoint.LATEST)

    set_up_screen()
    return guarded(parser.prog, work)


def show_config(argv: List[str]) -> int:
    """Print every key of a configuration as YAML."""
    parser = config_parser(f'{PROG} config', show_config.__doc__, argv=argv)
    arguments = parse(parser, argv)
    arguments.preset = arguments.preset or default_preset(arguments.suite)
    try:
        config = new_config(arguments, {})
    except ValueError as error:
        parser.error(str(error))
    sys.stdout.write(yaml.safe_dump(plain(config), sort_keys=False, width=120))
    return 0


def draw_curves(argv: List[str]) -> int:
    """Draw the learning curves of runs as PNG."""
    parser = Parser(prog=f'{PROG} curves', description=draw_curves.__doc__)
    parser.add_argument(
        'runs', nargs='+', metavar='RUN',
        help='run folders, or tables of an experiment such as results/minatar/mow.csv; a method may have several seeds'
    )
    parser.add_argument('--output', default='curves.png', metavar='PNG', help='default: curves.png')
    arguments = parser.parse_args(argv)
    from lzero_mow.report.pictures.curves import write_curves
    try:
        tables = [run if run.endswith('.csv') else os.path.join(run, RESULTS) for run in arguments.runs]
        for run, table in zip(arguments.runs, tables):
            if not os.path.isfile(table):
                raise ValueError(f"'{run}' is neither a run folder nor a table of results")
        write_curves(arguments.output, tables)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    sys.stdout.write(f'{arguments.output}\n')
    return 0


def summarise(argv: List[str]) -> int:
    """Compare the methods of an experiment: tables with intervals, learning curves."""
    parser = Parser(prog=f'{PROG} summary', description=summarise.__doc__)
    words = 'with METHOD.csv and runs.csv, such as results/minatar; what is made of them is written beside them'
    parser.add_argument('folder', metavar='RESULTS', help=words)
    parser.add_argument('--baseline', metavar='METHOD', help='method that the others are compared with; default: mow')
    words = 'the result of a run is the mean of its last N evaluations; default: 1'
    parser.add_argument('--last', type=int, default=1, metavar='N', help=words)
    parser.add_argument(
        '--curves', nargs='+', default=[], metavar='METHOD',
        help='methods whose learning curves are drawn, beside random play and experts; default: the first five'
    )
    parser.add_argument('--peers', action='store_true', help='beside returns that other agents have published')
    arguments = parser.parse_args(argv)
    from lzero_mow.studies.summary.numbers import summarise as compute
    from lzero_mow.studies.summary.writer import write_summary
    try:
        if os.path.isfile(os.path.join(arguments.folder, TOTAL_CONFIG)):
            raise ValueError(f"'{arguments.folder}' is a run: give an experiment's folder, such as results/minatar")
        summary = compute(arguments.folder, arguments.baseline, arguments.last, arguments.curves, arguments.peers)
        paths = write_summary(arguments.folder, summary)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    sys.stdout.write('\n'.join(paths) + '\n')
    return 0


def study(name: str, argv: List[str]) -> int:
    """A study's own command line, imported only when it is asked for."""
    return importlib.import_module(f'lzero_mow.studies.{name}.command').main(argv)


# Command -> what runs it with the arguments behind it, and its help.
COMMANDS: Dict[str, Tuple[Callable[[List[str]], int], str]] = {
    'train': (partial(cli.train, prog=f'{PROG} train'), 'Train a run, or continue one.'),
    'evaluate': (evaluate, evaluate.__doc__),
    'config': (show_config, show_config.__doc__),
    'curves': (draw_curves, draw_curves.__doc__),
    'summary': (summarise, summarise.__doc__),
    'experiment': (partial(study, 'experiment'), 'Run several methods and seeds, here or as jobs of a SLURM cluster.'),
    'compare': (partial(study, 'compare'), 'Put finished runs side by side on one page.'),
    'stability': (partial(stability.main, prog=f'{PROG} stability'), stability.main.__doc__),
}


def main(argv: List[str]) -> int:
    """Run the command that the first argument names, and return its exit code."""
    parser = Parser(prog=PROG, description='MoW and ScaleZero: one agent for several visual tasks.')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND', title='commands')
    for name, (_, words) in COMMANDS.items():
        commands.add_parser(name, help=words, add_help=False)
    command = parser.parse_args(argv[:1]).command
    if command != 'train':
        parser.refuse_torchrun()
    run, _ = COMMANDS[command]
    return run(argv[1:])


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
