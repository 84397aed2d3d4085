"""
``python -m lzero_mow experiment SUITE --methods ... --seeds ...``: methods x seeds, as processes of this machine.

    python -m lzero_mow experiment minatar --methods mow storm storm_multitask random --seeds 0 1 2

What has ended is skipped and what was cut off goes on, so that the same command again finishes the rest. Other methods
or seeds later, or at the same time, add to the tables.
"""
import logging
import os
from typing import IO, Any, Dict, List, Optional, Sequence, Tuple

from lzero_mow.config.arguments import DEFAULT_PRESETS, Parser, parse
from lzero_mow.config.build import build_config, resolve_games
from lzero_mow.config.suites import REFERENCES, load_suite, method_names, suite_name, suite_names
from lzero_mow.utils.exit_codes import BAD_INPUT, FAILED, INTERRUPTED
from lzero_mow.utils.files import locked
from lzero_mow.utils.screen import set_up_screen
from .jobs import Job, Plan, chosen, is_finished, plan_jobs
from .processes import run_jobs

PROG = 'python -m lzero_mow experiment'
# What an option is where neither a script nor the command line says it.
DEFAULTS = dict(
    methods=None, seeds=['0'], preset=DEFAULT_PRESETS[1], games=[], runs=os.path.join('data_mow', 'experiment'),
    output=os.path.join('data_mow', 'experiment'), compare=None
)


def main(argv: Optional[Sequence[str]] = None, settings: Optional[Dict[str, Any]] = None) -> int:
    """
    Overview:
        Run the experiment that the command line describes.
    Arguments:
        - settings (:obj:`Optional[Dict[str, Any]]`): A script's own choices: ``suite``, and options in place of
            ``DEFAULTS``; the command line wins over them.
    Returns:
        - code (:obj:`int`): 0; 1 if a run failed; 2 after one line about bad input; 130 after Ctrl-C.
    """
    parser = _parser(settings or {})
    arguments = parse(parser, argv, ('games', 'methods', 'seeds'))
    set_up_screen()
    try:
        plan = Plan(
            arguments.suite, arguments.preset, chosen(arguments.methods), _whole(chosen(arguments.seeds)),
            tuple(arguments.games), arguments.runs, tuple(arguments.overrides), arguments.random_episodes
        )
        if plan.random_episodes < 1 or arguments.jobs < 0:
            raise ValueError('--random-episodes is to be 1 or more, and --jobs 0 (as many as there are cores) or more')
        load_suite(plan.suite)
        jobs = plan_jobs(plan)
        locks = [_held(plan, method) for method in plan.methods]
    except ValueError as error:
        parser.error(' '.join(str(error).split()))
    try:
        return _run(plan, jobs, arguments.jobs, arguments.output, arguments.compare)
    except KeyboardInterrupt:
        logging.info('interrupted: the same command goes on from the last checkpoints')
        return INTERRUPTED
    except OSError as error:
        parser.exit(FAILED, f'{parser.prog}: error: {error.strerror}: {error.filename}\n')
    finally:
        for lock in locks:
            lock.close()


def _parser(settings: Dict[str, Any]) -> Parser:
    default = {**DEFAULTS, **settings}
    parser = Parser(
        prog=None if settings else PROG,
        description='Run methods x seeds as processes of this machine, and write their tables.'
    )
    if 'suite' in settings:
        parser.set_defaults(suite=settings['suite'])
    else:
        parser.add_argument('suite', metavar='SUITE', help=f"{', '.join(suite_names())}, or the path of a suite's YAML file")
    methods = '' if default['methods'] is None else f"; default: {' '.join(default['methods'])}"
    references = ', '.join(f'{name}: {what}' for name, what in REFERENCES.items())
    parser.add_argument(
        '--methods', nargs='+', default=default['methods'], required=default['methods'] is None, metavar='METHOD',
        help=f"{', '.join(method_names())}; for comparison {references}{methods}"
    )
    seeds, games = (' '.join(map(str, default[name])) for name in ('seeds', 'games'))
    parser.add_argument(
        '--seeds', nargs='+', default=list(map(str, default['seeds'])), metavar='SEED', help=f'default: {seeds}'
    )
    parser.add_argument('--preset', default=default['preset'], help=f"default: {default['preset']}")
    parser.add_argument(
        '--games', nargs='+', default=default['games'], metavar='GAME', help=f"""default: {games or "the preset's"}"""
    )
    parser.add_argument(
        '--jobs', type=int, default=0, metavar='N',
        help='runs at once, each with its share of the cores; default: 0, as many as there are cores'
    )
    parser.add_argument(
        '--runs', default=default['runs'], metavar='DIR',
        help=f"where the run folders are, below SUITE/METHOD; default: {default['runs']}"
    )
    parser.add_argument(
        '--output', default=default['output'], metavar='DIR',
        help=f"where SUITE/METHOD.csv and SUITE/runs.csv go; default: {default['output']}"
    )
    parser.add_argument(
        '--random-episodes', type=int, default=100, metavar='N',
        help='of random play and of experts, a task and seed; default: 100'
    )
    parser.add_argument(
        '--compare',
        default=default['compare'],
        metavar='HTML',
        help='also write a page that shows these runs side by side: tables, curves, videos; default: '
        f"{default['compare'] or 'none'}"
    )
    parser.add_argument(
        'overrides', nargs='*', default=[], metavar='KEY=VALUE',
        help='leaves of the configuration, for every method that has them'
    )
    return parser


def _whole(seeds: Sequence[str]) -> Tuple[int, ...]:
    for seed in seeds:
        if not seed.isdigit():
            raise ValueError(f"'{seed}' is no seed: seeds are whole numbers, such as --seeds 0 1 2")
    return tuple(int(seed) for seed in seeds)


def _held(plan: Plan, method: str) -> IO:
    """A lock on a method's runs: two experiments may go on at once, but not with the same method."""
    try:
        return locked(os.path.join(plan.folder(method), 'lock'))
    except BlockingIOError as error:
        raise ValueError(
            f"another experiment is running '{method}' in {plan.runs}: wait for it, or leave the method out"
        ) from error


def _run(plan: Plan, jobs: List[Job], at_once: int, output: str, page: Optional[str]) -> int:
    from .tables import check_tables, write_tables
    tasks = resolve_games(plan.games, load_suite(plan.suite)['suites']) or \
        build_config(plan.preset, suite=plan.suite)['env']['tasks']
    try:
        check_tables(plan, tasks, output)
    except ValueError as error:
        logging.error('%s', error)
        return BAD_INPUT
    due = [job for job in jobs if not is_finished(job)]
    cores = len(os.sched_getaffinity(0))
    at_once = max(1, min(at_once or cores, len(due)))
    threads = max(1, cores // at_once)
    logging.info(
        '%d runs, %d of them finished; %d at once with %d threads each', len(jobs),
        len(jobs) - len(due), at_once, threads
    )
    failed = run_jobs(due, plan, at_once, threads, lambda: write_tables(plan, tasks, output))
    write_tables(plan, tasks, output)
    for job in failed:
        logging.error('%s failed: see %s', job, job.log)
    logging.info('results of %s: %s', ', '.join(plan.methods), os.path.join(output, suite_name(plan.suite)))
    if failed:
        return FAILED
    if page is not None:
        from lzero_mow.studies.compare.command import main as compare
        return compare([*(job.run_dir for job in jobs), '--output', page])
    return 0
