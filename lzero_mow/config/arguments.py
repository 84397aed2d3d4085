"""The arguments that choose a configuration, and the configuration that they choose. Light: imports no torch."""
import argparse
import sys
from typing import NoReturn, Optional, Sequence, Tuple

from easydict import EasyDict

from lzero_mow.utils.exit_codes import BAD_INPUT, fail
from lzero_mow.utils.screen import started_processes
from .build import build_config, change, lightzero_configs, parse_overrides, refuse_own_keys, resolve_games
from .saved import load_run_config
from .suites import DEFAULT_METHOD, DEFAULT_SUITE, algorithm_of, load_suite, method_names, suite_names
from .validate import check_identity, run_identity, validate

# The preset of a run that names none, with a GPU and without one; a suite may have only the second, or neither.
DEFAULT_PRESETS = ('paper', 'laptop')


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and not one for each process of a run."""

    def error(self, message: str) -> NoReturn:
        self.exit(fail(self.prog, message, BAD_INPUT, of_all=True))

    def refuse_torchrun(self) -> None:
        """End a command that is not made for several processes, where torchrun has started them."""
        if started_processes() > 1:
            self.error('it runs in one process: start it without torchrun')


def config_parser(
        prog: str, description: str, suite: Optional[str] = None, argv: Optional[Sequence[str]] = None,
        method: str = DEFAULT_METHOD
) -> Parser:
    """
    A parser of the arguments that choose a configuration. ``suite`` is a script's; without one, ``--suite`` is looked
    up in ``argv``. ``method`` is what is trained by default, for the help.
    """
    parser = Parser(prog=prog, description=description)
    if suite is None:
        chosen = Parser(prog=prog, add_help=False)
        words = f"{', '.join(suite_names())}, or the path of a suite's YAML file; default: {DEFAULT_SUITE}"
        for one in (parser, chosen):
            one.add_argument('--suite', default=DEFAULT_SUITE, help=words)
        suite = chosen.parse_known_args(argv)[0].suite
    else:
        parser.set_defaults(suite=suite)
    try:
        shared = load_suite(suite)
    except ValueError as error:
        parser.error(str(error))
    default = default_preset(suite)
    if default == DEFAULT_PRESETS[0]:
        default = '{} with a GPU, {} without'.format(*DEFAULT_PRESETS)
    presets = [f"{name}: {keys['about']}" if 'about' in keys else name for name, keys in shared['presets'].items()]
    parser.add_argument('--preset', help=f"{'; '.join(presets)}; default: {default}")
    parser.add_argument(
        '--games', nargs='+', default=[], metavar='GAME',
        help=f"the tasks, by name, or a named list of them ({', '.join(shared['suites'])}); default: the preset's"
    )
    parser.add_argument('--method', help=f"one of {', '.join(method_names())}; default: {method}")
    parser.add_argument(
        '--clusters', metavar='N|auto|FILE', help='number of groups of tasks by their gradients, or auto (at most '
        'policy.model.num_clusters), or a YAML file {task: cluster}'
    )
    parser.add_argument('--seed', type=int, help='seed of everything random; default: 0')
    words = "environment steps per task; default: the preset's"
    parser.add_argument('--max-env-step', type=int, metavar='N', help=words)
    parser.add_argument(
        '--exp-name', metavar='DIR', help='run folder; default: data_mow/<suite>_<method>_<preset>_seed<seed>, without '
        f'the suite if it is {DEFAULT_SUITE} and without the method if it is {DEFAULT_METHOD}'
    )
    parser.add_argument('--device', help='cpu or cuda; default: cuda where there is a GPU')
    words = 'any leaf of the configuration, such as policy.batch_size=8; `python -m lzero_mow config` prints them all'
    parser.add_argument('overrides', nargs='*', default=[], metavar='KEY=VALUE', help=words)
    return parser


def parse(parser: Parser, argv: Optional[Sequence[str]], lists: Sequence[str] = ('games', )) -> argparse.Namespace:
    """
    Parse arguments in any order. ``lists`` are the options that take several names; KEY=VALUE directly after such a one
    (``--games A B``) is an override, not a name.
    """
    arguments = parser.parse_intermixed_args(argv)
    for option in lists:
        names = getattr(arguments, option)
        arguments.overrides += [name for name in names if '=' in name]
        setattr(arguments, option, [name for name in names if '=' not in name])
    return arguments


def new_config(arguments: argparse.Namespace, settings: dict) -> dict:
    """
    The checked configuration of a new run; ValueError in one line. ``settings`` are ``preset``, ``method`` and
    ``games`` (empty for the defaults), and any tree of changed keys.
    """
    settings = {key: value for key, value in settings.items() if value is not None}
    preset, games, method = (settings.pop(name, None) for name in ('preset', 'games', 'method'))
    preset, games = arguments.preset or preset, arguments.games or games or ()
    method = arguments.method or method or DEFAULT_METHOD
    if arguments.clusters is not None and algorithm_of(method) != DEFAULT_METHOD:
        raise ValueError(f"--clusters {arguments.clusters}: only MoW's methods have clusters, '{method}' has none")
    given = _given(arguments)
    for changes in (given, parse_overrides(arguments.overrides)):
        refuse_own_keys(method, changes)

    def build(preset: str) -> dict:
        config = build_config(preset, games, (settings, given), arguments.overrides, arguments.suite, method)
        validate(config)
        return config

    large, small = DEFAULT_PRESETS
    if preset is not None or default_preset(arguments.suite) != large:
        return build(preset or default_preset(arguments.suite))
    try:
        built = {large: build(large)}
    except ValueError:
        built = {small: build(small)}  # what is wrong with both need not wait for torch
    preset = _preset_for(arguments.device)
    return built.get(preset) or build(preset)


def script_configs(settings: dict, suite: str) -> Tuple[EasyDict, EasyDict]:
    """
    LightZero's ``main_config`` and ``create_config`` of a script that is imported instead of started, from its settings
    (see ``new_config``; without a preset the suite's largest default) and its suite.
    """
    settings = dict(settings, preset=settings.get('preset') or default_preset(suite))
    return lightzero_configs(new_config(parse(config_parser('', '', suite), []), settings))


def default_preset(suite: str, preferred: Sequence[str] = DEFAULT_PRESETS) -> str:
    """The preset of a run that names none: the first preferred one that the suite has, or its own first."""
    presets = load_suite(suite)['presets']
    return next(preset for preset in (*preferred, *presets) if preset in presets)


def resumed_config(arguments: argparse.Namespace) -> dict:
    """
    The checked configuration of a resumed run: its own, with what the command line changes. ValueError in one line,
    also if it would no longer be the same run.
    """
    for option in ('preset', 'method', 'seed', 'exp_name'):
        if getattr(arguments, option) is not None:
            raise ValueError(f"--{option.replace('_', '-')} cannot go with --resume: the run keeps its own")
    saved = load_run_config(arguments.resume)
    layers = [_given(arguments)]
    if arguments.games:
        layers.append({'env': {'tasks': resolve_games(arguments.games, load_suite(arguments.suite)['suites'])}})
    config = change(saved, layers, arguments.overrides)
    check_identity(run_identity(saved), run_identity(config), f"resume '{arguments.resume}'")
    validate(config)
    return config


def _given(arguments: argparse.Namespace) -> dict:
    """The options that were given, as a tree of changed keys."""
    options = {key: getattr(arguments, key) for key in ('seed', 'max_env_step', 'exp_name')}
    options = {key: value for key, value in options.items() if value is not None}
    policy = {} if arguments.device is None else {'device': arguments.device}
    clusters = arguments.clusters
    if clusters is not None and clusters.lstrip('-').isdigit():
        policy.update(clustering='gradient', model={'num_clusters': int(clusters)})
    elif clusters is not None:
        policy.update(clustering=clusters)
    return dict(options, policy=policy) if policy else options


def _preset_for(device: Optional[str]) -> str:
    """Ask torch for a GPU; without one, say that the small preset is taken."""
    import torch
    if device != 'cpu' and torch.cuda.is_available():
        return DEFAULT_PRESETS[0]
    why, (large, small) = 'no GPU found' if device != 'cpu' else 'asked to use the CPU', DEFAULT_PRESETS
    sys.stderr.write(f"{why}: running the '{small}' preset (--preset {large} is the paper's)\n")
    return small
