"""
``python -m lzero_mow experiment SUITE --methods ... --seeds ...``: methods x seeds, as processes of this machine or as
jobs of a SLURM cluster.

    python -m lzero_mow experiment minatar --methods mow storm storm_multitask random --seeds 0 1 2
    python -m lzero_mow experiment atari --methods mow scalezero --seeds 0 1 2 --launcher slurm --slurm gpus_per_node=1

What has ended is skipped and what was cut off goes on, so that the same command again finishes the rest. Other methods
or seeds later, or at the same time, add to the tables.
"""
import argparse
import logging
import os
from contextlib import ExitStack
from typing import IO, Any, Dict, List, Optional, Sequence

from lzero_mow.config.arguments import DEFAULT_PRESETS, Parser, default_preset, parse
from lzero_mow.config.build import build_config, resolve_games
from lzero_mow.config.suites import load_suite, method_names, references, suite_name, suite_names
from lzero_mow.utils.exit_codes import FAILED, INTERRUPTED, fail
from lzero_mow.utils.files import locked
from lzero_mow.utils.screen import set_up_screen
from . import local, slurm
from .jobs import Job, Plan, is_finished, plan_jobs

PROG = 'python -m lzero_mow experiment'
# The options where neither a script nor the command line sets them.
DEFAULTS = dict(
    methods=None, seeds=['0'], preset=None, games=[], jobs=0, launcher='local', slurm=[],
    runs=os.path.join('data_mow', 'experiment'), output=os.path.join('data_mow', 'experiment'), random_episodes=100,
    compare=None
)
# What the help calls an empty default.
UNSET = {
    'slurm': ' '.join(f'{key}={value}' for key, value in slurm.DEFAULTS.items()),
    'preset': f"{DEFAULT_PRESETS[1]}, or the suite's first", 'games': "the preset's", 'compare': 'none'
}


def main(argv: Optional[Sequence[str]] = None, settings: Optional[Dict[str, Any]] = None) -> int:
    """
    Run the experiment that the command line describes; it wins over a script's own settings, which are its ``suite``
    and options in place of ``DEFAULTS``. Returns 0, 1 if a run failed, 130 after Ctrl-C; exits with 2 for bad input.
    """
    parser = _parser(settings or {})
    parser.refuse_torchrun()
    arguments = parse(parser, argv, ('games', 'methods', 'seeds'))
    set_up_screen()
    with ExitStack() as locks:
        try:
            plan = _plan(arguments)
            options = _slurm_options(arguments)
            jobs = plan_jobs(plan)
            for method in plan.methods:
                locks.enter_context(_lock(plan, method))
            from .tables import check_tables
            tasks = resolve_games(plan.games, load_suite(plan.suite)['suites']) or \
                build_config(plan.preset, suite=plan.suite)['env']['tasks']
            check_tables(plan, tasks, arguments.output)
        except ValueError as error:
            parser.error(' '.join(str(error).split()))
        try:
            return _run(plan, jobs, tasks, options, arguments)
        except KeyboardInterrupt:
            logging.info('interrupted: the same command goes on from the last checkpoints')
            return INTERRUPTED
        except OSError as error:
            where = f': {error.filename}' if error.filename else ''
            return fail(parser.prog, f'{error.strerror}{where}', FAILED)


def _parser(settings: Dict[str, Any]) -> Parser:
    default = {**DEFAULTS, **settings}
    parser = Parser(
        prog=None if settings else PROG,
        description='Run methods x seeds as processes of this machine or as jobs of a cluster, and write their tables.'
    )

    def option(name: str, text: str, **kwargs: Any) -> None:
        value = default[name.replace('-', '_')]
        value = list(map(str, value)) if isinstance(value, list) else value
        shown = ' '.join(value) if isinstance(value, list) else value
        if value is None and kwargs.get('nargs'):
            kwargs['required'] = True
        else:
            text += f"; default: {shown if shown or shown == 0 else UNSET[name]}"
        parser.add_argument(f'--{name}', default=value, help=text, **kwargs)

    if 'suite' in settings:
        parser.set_defaults(suite=settings['suite'])
    else:
        names = ', '.join(suite_names())
        parser.add_argument('suite', metavar='SUITE', help=f"{names}, or the path of a suite's YAML file")
    players = ', '.join(f'{name}: {words}' for name, words in references().items())
    option('methods', f"{', '.join(method_names())}; for comparison {players}", nargs='+', metavar='METHOD')
    option('seeds', 'one run of each method per seed', nargs='+', metavar='SEED')
    option('preset', "of the suite's file in config/")
    option('games', 'the tasks, by name, or a named list of them', nargs='+', metavar='GAME')
    words = 'runs at once; 0: as many as there are cores, which they share, or as SLURM lets'
    option('jobs', words, type=int, metavar='N')
    option('launcher', 'processes of this machine, or jobs of a SLURM cluster', choices=('local', 'slurm'))
    words = f"what sbatch is told: {', '.join(slurm.KEYS)}; time in minutes"
    option('slurm', words, nargs='+', action='extend', metavar='KEY=VALUE')
    option('runs', 'where the run folders are, below SUITE/METHOD', metavar='DIR')
    option('output', 'where SUITE/METHOD.csv, runs.csv and times.csv go', metavar='DIR')
    option('random-episodes', 'of random play and of experts, per task and seed', type=int, metavar='N')
    option('compare', 'also write a page that shows these runs side by side: tables, curves, videos', metavar='HTML')
    parser.add_argument(
        'overrides', nargs='*', default=[], metavar='KEY=VALUE',
        help='leaves of the configuration, for every method that has them'
    )
    return parser


def _plan(arguments: argparse.Namespace) -> Plan:
    if arguments.random_episodes < 1:
        raise ValueError(f'--random-episodes must be at least 1, got {arguments.random_episodes}')
    if arguments.jobs < 0:
        raise ValueError(f'--jobs must be at least 0 (as many as there are cores), got {arguments.jobs}')
    for seed in arguments.seeds:
        if not seed.isdigit():
            raise ValueError(f"'{seed}' is not a seed: seeds are whole numbers, such as --seeds 0 1 2")
    preset = arguments.preset or default_preset(arguments.suite, DEFAULT_PRESETS[1:])
    return Plan(
        arguments.suite, preset, tuple(dict.fromkeys(arguments.methods)),
        tuple(dict.fromkeys(map(int, arguments.seeds))), tuple(arguments.games), arguments.runs,
        tuple(arguments.overrides), arguments.random_episodes
    )


def _slurm_options(arguments: argparse.Namespace) -> Optional[Dict[str, Any]]:
    """What a cluster's jobs are told; None for processes of this machine."""
    if arguments.launcher == 'slurm':
        return slurm.parse_options(arguments.slurm)
    if arguments.slurm:
        raise ValueError('--slurm is for --launcher slurm')
    return None


def _run(
        plan: Plan, jobs: List[Job], tasks: Sequence[str], options: Optional[Dict[str, Any]],
        arguments: argparse.Namespace
) -> int:
    from .tables import write_tables
    due = [job for job in jobs if not is_finished(job)]
    cores = len(os.sched_getaffinity(0))
    at_once = max(1, min(arguments.jobs or cores, len(due)))
    threads = max(1, cores // at_once)
    finished = len(jobs) - len(due)
    write = lambda: write_tables(plan, tasks, arguments.output)
    if options is None:
        how = f'{at_once} at once with {threads} threads each'
        start = lambda: local.run_jobs(due, plan, at_once, threads, write)
    else:
        how = 'the others as jobs of SLURM'
        start = lambda: slurm.run_jobs(due, plan, arguments.jobs, options, write)
    logging.info('%d runs, %d of them finished; %s', len(jobs), finished, how)
    failed = start() if due else []
    write()
    for job in failed:
        logging.error('%s failed: see %s', job, job.log)
    logging.info('results of %s: %s', ', '.join(plan.methods), os.path.join(arguments.output, suite_name(plan.suite)))
    if failed:
        return FAILED
    if arguments.compare is not None:
        from lzero_mow.studies.compare.command import main as compare
        return compare([*(job.run_dir for job in jobs), '--output', arguments.compare])
    return 0


def _lock(plan: Plan, method: str) -> IO:
    """A lock on a method's runs: two experiments may run at once, but not the same method."""
    try:
        return locked(os.path.join(plan.folder(method), 'lock'))
    except BlockingIOError as error:
        raise ValueError(
            f"another experiment is running '{method}' in {plan.runs}: wait for it, or leave the method out"
        ) from error
