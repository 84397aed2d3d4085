"""
A reference player as a method: a run folder with the results of random play, or of a script that sees more than agents.

    python -m lzero_mow.studies.experiment.reference_play --suite metaworld --player expert --exp-name data_mow/expert

It plays the environments of a run's evaluation, with their episode limit and, where goals are fixed, through the same
ones, and writes one row per task at step 0. Nothing is trained.
"""
import os
import sys

from easydict import EasyDict

from lzero_mow.config.arguments import config_parser, new_config, parse
from lzero_mow.config.build import lightzero_configs
from lzero_mow.config.saved import TOTAL_CONFIG, save_config
from lzero_mow.config.suites import RANDOM, check_player, references
from lzero_mow.config.validate import check_run_folder
from lzero_mow.entry.run.cost import Cost
from lzero_mow.report.tables.results import append_results, evaluation_rows
from lzero_mow.report.tables.run_record import RunRecord, write_run_record
from lzero_mow.utils.paths import RESULTS
from lzero_mow.worker.reference_play import play_tasks
from .jobs import reference_config

EPISODES = 100


def reference_play(config: dict, player: str, episodes: int) -> None:
    """Write the run folder of a reference player, with episodes per task; only the environments of config matter."""
    from ding.envs import get_env_cls  # here, where `lzero_mow.entry` has imported DI-engine without its banners
    cost, run_dir, seed = Cost(), config['exp_name'], config['seed']
    check_run_folder(run_dir)
    config = reference_config(config, player, episodes)
    main_config, create_config = lightzero_configs(config)
    save_config(config, os.path.join(run_dir, TOTAL_CONFIG))
    env_cls = get_env_cls(EasyDict(import_names=create_config.env.import_names, type=create_config.env.type))
    tasks = list(main_config.env.tasks)
    ends = play_tasks(env_cls, main_config.env, player, seed, episodes)
    scores = env_cls.reference_scores(main_config.env)
    append_results(os.path.join(run_dir, RESULTS), evaluation_rows(player, seed, tasks, scores, 0, ends))
    spent = cost.state_dict()
    seconds = round(spent['cpu'], 1), round(spent['wall'], 1)
    write_run_record(run_dir, RunRecord(player, seed, tasks, 0, 0, 0, *seconds, 0, spent['peak_memory']))


def main() -> int:
    prog = 'python -m lzero_mow.studies.experiment.reference_play'
    parser = config_parser(prog, 'Play as a reference player, into a run folder.')
    words = '; '.join(f'{name}: {what}' for name, what in references().items())
    parser.add_argument('--player', default=RANDOM, help=f'{words}; default: {RANDOM}')
    parser.add_argument('--episodes', type=int, default=EPISODES, help=f'per task; default: {EPISODES}')
    arguments = parse(parser, None)
    try:
        if arguments.episodes < 1:
            raise ValueError(f'--episodes must be at least 1, got {arguments.episodes}')
        check_player(arguments.suite, arguments.player)
        reference_play(new_config(arguments, {}), arguments.player, arguments.episodes)
    except ValueError as error:
        parser.error(str(error))
    return 0


if __name__ == '__main__':
    sys.exit(main())
