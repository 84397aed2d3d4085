"""Evaluating a run's networks once more, over any number of episodes, without training."""
import os
from contextlib import closing, suppress
from typing import List

from ditk import logging

from lzero_mow.config.envs import evaluation_episodes
from lzero_mow.config.validate import check_identity, run_identity
from lzero_mow.report.tables.results import Result, append_results, evaluation_rows, read_results
from lzero_mow.utils.screen import SCREEN
from .run import checkpoint
from .run.interrupts import interruptible
from .run.last_evaluation import last_evaluation
from .run.random_state import isolated_rng
from .run.run import lock_run
from .run.run_config import checked_env_cls, compile_run, on_device
from .run.workers import build_workers

EVALUATION = 'evaluation.csv'


def evaluate(config: dict, run_dir: str, name: str) -> List[Result]:
    """
    Overview:
        Evaluate a checkpoint as its run would have, show the results, and write them into ``evaluation.csv`` in the run
        folder, with the columns of ``results.csv``.
    Arguments:
        - config (:obj:`dict`): The run's checked configuration; episodes, the device and other settings that shape
          nothing may have changed.
        - name (:obj:`str`): The checkpoint, ``checkpoint.LATEST`` or ``checkpoint.BEST``.
    Returns:
        - rows (:obj:`List[Result]`): One per task.
    Raises:
        - ValueError: for a configuration that does not fit or a run that is being trained.
        - CheckpointError: if there is no such checkpoint.
    """
    path = os.path.join(run_dir, name)
    state = checkpoint.read(path)
    config = on_device(config)
    check_identity(state['identity'], run_identity(config), f"evaluate '{run_dir}'")
    cfg = compile_run(config)
    env_cls = checked_env_cls(cfg.env)
    with closing(lock_run(run_dir)), closing(build_workers(cfg, config['create'], run_dir)) as workers, interruptible():
        checkpoint.load_weights(workers.policy, state, path)
        logging.info('%s, episodes per task: %d', path, evaluation_episodes(cfg.env))
        with isolated_rng(config['seed']):
            episodes = workers.evaluator.eval_tasks(state['train_iter'], state['env_step'])
    references = env_cls.reference_scores(cfg.env)
    rows = evaluation_rows(config['method'], config['seed'], cfg.env.tasks, references, state['env_step'], episodes)
    table = os.path.join(run_dir, EVALUATION)
    with suppress(FileNotFoundError):
        os.remove(table)  # of an earlier evaluation
    append_results(table, rows)
    SCREEN.print(last_evaluation(read_results(table), what=f'evaluation of {name}'))
    logging.info('see %s', table)
    return rows
