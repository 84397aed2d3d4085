"""The command line of ``python -m lzero_mow train`` and of the scripts under ``zoo/``."""
import logging
from typing import Optional, Sequence

from lzero_mow.config.arguments import config_parser, new_config, parse, resumed_config
from lzero_mow.config.suites import DEFAULT_METHOD
from lzero_mow.config.validate import check_processes, check_run_folder
from lzero_mow.utils.exit_codes import BAD_INPUT, fail, guarded
from lzero_mow.utils.screen import is_first_process, set_up_screen, started_processes


def train(
        argv: Optional[Sequence[str]] = None, settings: Optional[dict] = None, prog: Optional[str] = None,
        suite: Optional[str] = None
) -> int:
    """
    Overview:
        Train as the command line says. Torch is imported only after the arguments and the configuration have been
        checked, so that ``--help`` and every mistake answer at once.
    Arguments:
        - settings (:obj:`Optional[dict]`): A script's own choices, see ``new_config``; the command line wins over them.
        - suite (:obj:`Optional[str]`): The file under ``config/`` that holds the presets; None for ``--suite``.
    Returns:
        - code (:obj:`int`): 0; 2 after a line about bad input, 1 after one about another failure, 130 after Ctrl-C.
    """
    method = (settings or {}).get('method', DEFAULT_METHOD)
    description = 'Train one agent for several tasks: MoW, ScaleZero or another method.'
    parser = config_parser(prog, description, suite, argv, method)
    parser.add_argument('--resume', metavar='DIR', help='continue the run in this folder from its last checkpoint')
    parser.epilog = 'A run folder has results.csv, checkpoints in ckpt/, pictures in report/, TensorBoard logs in log/.'
    arguments = parse(parser, argv)
    try:
        if arguments.resume:
            config = resumed_config(arguments)
        else:
            config = new_config(arguments, settings or {})
            if is_first_process():
                check_run_folder(config['exp_name'])
        check_processes(config, started_processes())
    except ValueError as error:
        return fail(parser.prog, error, BAD_INPUT, of_all=True)
    return _run(parser.prog, config, arguments.resume)


def _run(prog: str, config: dict, resume: Optional[str]) -> int:
    """Import what is heavy, and train. Tracebacks go to the run's log folder."""
    set_up_screen(is_first_process())
    tasks, processes = ', '.join(config['env']['tasks']), started_processes()
    shared = f', shared by {processes} processes' if processes > 1 else ''
    logging.info(
        '%s: %s on %s; %d environment steps each%s', resume or config['exp_name'], config['method'], tasks,
        config['max_env_step'], shared
    )

    def work() -> None:
        from lzero_mow import entry
        entry.train(config, resume)

    return guarded(prog, work)
