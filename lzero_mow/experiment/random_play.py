"""
Random play as a method: a run folder with the returns of legal actions, each as likely, and no training.

    python -m lzero_mow.experiment.random_play --suite atari --preset laptop --exp-name data_mow/random --episodes 100

It plays the environments of a run's evaluation, with their episode limit, and writes one row a task at step 0.
"""
import os
import sys
from typing import List

import numpy as np
from ding.envs import get_env_cls
from easydict import EasyDict

from lzero_mow import cli
from lzero_mow.config import lightzero_configs
from lzero_mow.entry.cost import Cost
from lzero_mow.entry.workers import reference_scores
from lzero_mow.envs.scores import human_normalised
from lzero_mow.paths import RESULTS
from lzero_mow.report.results import Result, append_results
from lzero_mow.run_record import RunRecord, write_run_record
from lzero_mow.saved_config import TOTAL_CONFIG, save_config
from lzero_mow.suites import RANDOM
from lzero_mow.validate import check_run_folder
from .jobs import of_random_play

EPISODES = 100


def play(env_cls: type, cfg: EasyDict, seed: int, episodes: int) -> float:
    """
    Overview:
        Mean return of random play in one environment, whose episodes follow from the seed.
    """
    env = env_cls(cfg)
    env.seed(seed)
    returns = []
    for _ in range(episodes):
        env.reset()
        done = False
        while not done:
            _, _, done, info = env.step(env.random_action())
        returns.append(info['eval_episode_return'])
    env.close()
    return float(np.mean(returns))


def random_play(config: dict, episodes: int) -> None:
    """
    Overview:
        Write the run folder of random play.
    Arguments:
        - config (:obj:`dict`): A configuration of which only the environments matter.
        - episodes (:obj:`int`): How many a task.
    """
    cost, run_dir, seed = Cost(), config['exp_name'], config['seed']
    check_run_folder(run_dir)
    config = of_random_play(config, episodes)
    main_config, create_config = lightzero_configs(config)
    save_config(config, os.path.join(run_dir, TOTAL_CONFIG))
    env_cls = get_env_cls(EasyDict(import_names=create_config.env.import_names, type=create_config.env.type))
    tasks, rows = list(main_config.env.tasks), []
    for cfg, reference in zip(_one_a_task(env_cls, main_config.env), reference_scores(env_cls, tasks)):
        mean = play(env_cls, cfg, seed, episodes)
        rows.append(Result(RANDOM, seed, cfg.task, 0, mean, human_normalised(mean, reference)))
    append_results(os.path.join(run_dir, RESULTS), rows)
    spent = cost.state_dict()
    seconds = round(spent['cpu'], 1), round(spent['wall'], 1)
    write_run_record(run_dir, RunRecord(RANDOM, seed, tasks, 0, 0, 0, *seconds, 0, spent['peak_memory']))


def _one_a_task(env_cls: type, cfg: EasyDict) -> List[EasyDict]:
    """The first of each task's evaluation environments."""
    return list({env_cfg.task: env_cfg for env_cfg in reversed(env_cls.create_evaluator_env_cfg(cfg))}.values())[::-1]


def main() -> int:
    parser = cli.config_parser('python -m lzero_mow.experiment.random_play', 'Random play, in a run folder.')
    parser.add_argument('--episodes', type=int, default=EPISODES, help=f'a task; default: {EPISODES}')
    arguments = cli.parse(parser, None)
    try:
        if arguments.episodes < 1:
            raise ValueError(f'--episodes is {arguments.episodes}: expected at least 1')
        random_play(cli.new_config(arguments, {}), arguments.episodes)
    except ValueError as error:
        parser.error(str(error))
    return 0


if __name__ == '__main__':
    sys.exit(main())
