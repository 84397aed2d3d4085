"""A run and its folder: opened anew or resumed, saved, and closed."""
import contextlib
import os
import traceback
from tempfile import TemporaryDirectory
from typing import IO, Dict, Optional

import numpy as np
import torch
from ditk import logging

from lzero_mow.config.saved import TOTAL_CONFIG, load_run_config, save_config
from lzero_mow.config.validate import check_identity, check_run_folder, run_identity
from lzero_mow.model.common.size import count_parameters
from lzero_mow.report.tables.results import read_results
from lzero_mow.report.tables.run_record import RunRecord, write_run_record
from lzero_mow.report.tables.times import Times
from lzero_mow.utils.files import locked
from lzero_mow.utils.ranks import gathered, rank, total, world_size
from lzero_mow.utils.screen import SCREEN
from . import checkpoint
from .cost import Cost
from .last_evaluation import last_evaluation
from .progress import Progress
from .random_play import Beside, random_play
from .random_state import RandomState
from .run_log import RunLog
from .schedule import Schedule
from .run_config import checked_env_cls, compile_run
from .workers import Workers, build_workers


class Run:
    """
    Overview:
        Everything a training loop works with. Use as a context manager: at the end environments and log are closed, and
        if the block fails a log line says how to go on.
    Attributes:
        workers, log, progress, schedule, cost, cfg (the compiled config), run_dir (of ranks other than 0, which only
        write the replay's steps and read checkpoints in the run's folder, one that is thrown away).
    """

    def __init__(self, config: dict, resume: Optional[str] = None, model: Optional[torch.nn.Module] = None) -> None:
        """
        Arguments:
            - config (:obj:`dict`): The whole configuration, see ``run_config.resolve``.
            - resume (:obj:`Optional[str]`): Folder of the run to go on with; None for a new run in ``exp_name``.
            - model (:obj:`Optional[torch.nn.Module]`): Used instead of the one the config describes.
        Raises:
            - ValueError: if the folder is in use already, or if the run to resume has other tasks or shapes.
            - CheckpointError: if there is nothing to resume.
        """
        self.config, self._saved_dir, self.cost = config, resume or config['exp_name'], Cost()
        self._scratch = None if rank() == 0 else TemporaryDirectory()
        self.run_dir = self._saved_dir if self._scratch is None else self._scratch.name
        state = self._saved_state() if resume else None
        self.cfg = compile_run(config)
        self._env_cls = checked_env_cls(self.cfg.env)
        self._random_returns: Optional[np.ndarray] = None
        self.log: Optional[RunLog] = None
        self.workers: Optional[Workers] = None
        self._saved_step: Optional[int] = None
        if state is None:
            check_run_folder(self.run_dir)
        self._lock = lock_run(self.run_dir)
        with contextlib.ExitStack() as on_failure:
            on_failure.push(self._close)
            self._open(self._env_cls.reference_scores(self.cfg.env), model, state)
            on_failure.pop_all()

    def _open(self, references: list, model: Optional[torch.nn.Module], state: Optional[dict]) -> None:
        total_config = os.path.join(self.run_dir, TOTAL_CONFIG)
        if state is None:
            save_config(self.config, total_config)
        self.log = RunLog(
            self.run_dir, self.config['method'], self.config['seed'], self.cfg.env.tasks, references,
            self.cfg.policy.log_freq, None if state is None else state['env_step']
        )
        self.workers = build_workers(self.cfg, self.config['create'], self.run_dir, model)
        self.progress = Progress(self.cfg.env.tasks, self.config['max_env_step'])
        policy = self.cfg.policy
        self.schedule = Schedule(policy.eval_freq, policy.checkpoint_freq, policy.report_freq, policy.replay_ratio)
        if state is not None:
            self._load(state)
            save_config(self.config, total_config)  # only now: a run that cannot be resumed keeps its own

    def _saved_state(self) -> dict:
        saved = load_run_config(self._saved_dir)  # refuses a folder that is none of ours
        state = checkpoint.load_run(self._saved_dir)
        check_identity(state['identity'], run_identity(self.config), f"resume '{self._saved_dir}'")
        asked, reached = self.config['max_env_step'], state['env_step']
        if asked < min(reached, saved['max_env_step']):
            raise ValueError(f"'{self._saved_dir}' is at environment step {reached} already: --max-env-step is {asked}")
        if asked <= reached:
            logging.info('%s is finished at environment step %d: --max-env-step prolongs it', self._saved_dir, reached)
        return state

    @property
    def parts(self) -> Dict[str, checkpoint.Part]:
        """What a checkpoint consists of, in the order in which a resumed run loads it."""
        workers = self.workers
        return dict(
            policy=workers.policy.learn_mode, acting=checkpoint.ActingState(workers.policy),
            collector=workers.collector, workers=workers,
            replay=checkpoint.ReplayFolder(workers.buffer, self._saved_dir), schedule=self.schedule, log=self.log,
            cost=self.cost, warm_up=checkpoint.WarmUpFiles(self.run_dir),
            random=RandomState()  # last, in case that loading the others draws random numbers
        )

    def _load(self, state: dict) -> None:
        if rank() > 0:
            self.log.copy_tables(self._saved_dir)
        of_ranks, workers = state['ranks'], self.workers
        same = len(of_ranks) == world_size()
        for name, part in self.parts.items():
            if name not in checkpoint.OF_RANK:
                part.load_state_dict(state[name])
            elif same:
                part.load_state_dict(of_ranks[rank()][name])
            elif name == 'collector':
                workers.regroup([own[name] for own in of_ranks])
            elif name == 'replay':
                part.load_states([own[name] for own in of_ranks])
            elif name == 'cost' and rank() == 0:
                part.load_state_dict(dict(of_ranks[0][name], cpu=sum(own[name]['cpu'] for own in of_ranks)))
        if not same:
            logging.info(
                'saved by %d processes, goes on in %d: environments and random numbers begin anew, so that it will not '
                'equal a run without the stop', len(of_ranks), world_size()
            )
        self.progress.evaluation(self.log.last_scores)
        self._saved_step = state['env_step']
        logging.info(
            'resumed %s at environment step %d, update %d', self.run_dir, state['env_step'], state['train_iter']
        )

    def _position(self) -> dict:
        return {
            'identity': run_identity(self.config),
            'env_step': self.workers.env_step(),
            'train_iter': self.schedule.train_iter,
        }

    def save(self) -> None:
        """
        Overview:
            Write the checkpoint that ``resume`` goes on from.
        Raises:
            - CheckpointError: if it cannot be written; the last one is untouched then.
        """
        self.workers.policy.share_task_state(self.workers.own)
        position = self._position()
        checkpoint.save_run(self.run_dir, position, self.parts)
        self._saved_step = position['env_step']

    def finish(self) -> None:
        """Write down that the run has reached its end, and what it cost; show its last evaluation."""
        cost, env_step = self.cost.state_dict(), self.workers.env_step()
        policy = self.workers.policy
        networks = [policy._model, *policy.target_networks]
        record = RunRecord(
            method=self.config['method'], seed=self.config['seed'], tasks=list(self.cfg.env.tasks), env_step=env_step,
            interactions=self.workers.interactions(), updates=self.schedule.warm_up_iter + self.schedule.train_iter,
            cpu_seconds=round(sum(gathered(cost['cpu'])), 1), wall_seconds=round(cost['wall'], 1),
            model_bytes=4 * sum(map(count_parameters, networks)), peak_memory_bytes=total(cost['peak_memory'])
        )
        write_run_record(self.run_dir, record)
        self._show_what_was_learned()
        logging.info(
            'finished at environment step %d of %d: see %s', env_step, self.config['max_env_step'], self.run_dir
        )

    def play_at_random(self) -> None:
        """Play the evaluation's games at random, for the last table and picture."""
        self.progress.phase('playing at random')
        self._random_returns = random_play(self._env_cls, self.cfg.env, self.config['seed'], self.run_dir)

    def beside_random(self) -> Optional[Beside]:
        """The last evaluation beside random play, once both were made."""
        returns, random = self.log.last_returns, self._random_returns
        return None if returns is None or random is None else Beside.of(self.cfg.env.tasks, returns, random)

    def _show_what_was_learned(self) -> None:
        beside = self.beside_random()
        SCREEN.print(last_evaluation(read_results(self.log.results), beside))
        if beside is not None and self.log.last_returns.shape[1] > 1:
            logging.info(beside.line())

    def save_best(self, score: float) -> None:
        """Write ``ckpt_best``, the networks alone, if no ``score`` so far was higher."""
        if score >= self.schedule.best_score:  # of equal ones, such as no success at all, the later
            self.schedule.best_score = score
            self.workers.policy.share_task_state(self.workers.own)
            networks = {'model': self.workers.policy._model.state_dict()}
            best = dict(self._position(), format=checkpoint.FORMAT, score=score, policy=networks)
            if rank() == 0:
                checkpoint.write_atomically(best, os.path.join(self.run_dir, checkpoint.BEST))

    def note_times(self, env_step: int) -> None:
        """Write down what was done until now, and how long it took."""
        spent = self.cost.state_dict()
        self.log.time(
            Times(
                env_step, self.workers.interactions(), self.schedule.warm_up_iter + self.schedule.train_iter,
                round(spent['cpu'], 1), round(spent['wall'], 1), round(self.cost.mean('decision'), 6),
                round(self.cost.mean('update'), 6)
            )
        )

    def note_speed(self) -> None:
        """Show and log how far and how fast the run is."""
        env_step, train_iter = self.workers.env_step(), self.schedule.train_iter
        self.progress.step(env_step, train_iter)
        transitions, interactions = total(self.workers.buffer.get_num_of_transitions()), self.workers.interactions()
        self.log.speed(env_step, train_iter, self.progress.steps_per_second, transitions, interactions)

    def __enter__(self) -> 'Run':
        self.progress.__enter__()
        return self

    def __exit__(self, kind, error, trace) -> None:
        self.progress.__exit__(kind, error, trace)
        self._close(kind, error, trace)
        if error is not None and self._saved_step is not None:
            logging.info(
                'stopped at environment step %d; go on from the checkpoint of step %d with: --resume %s',
                self.workers.env_step(), self._saved_step, self.run_dir
            )

    def _close(self, kind, error, trace) -> None:
        """Close what is open, also of a run that could not be opened, and keep the traceback in the log folder."""
        # A full disk or a broken pipe is what the error is about already, where there is one.
        foreseen = () if error is None else (OSError, )
        for part in (self.log, self.workers, self._lock):
            if part is not None:
                with contextlib.suppress(*foreseen):
                    part.close()
        if isinstance(error, Exception):
            name = 'error.txt' if rank() == 0 else f'error_of_rank{rank()}.txt'
            with contextlib.suppress(OSError), open(os.path.join(self._saved_dir, 'log', name), 'w') as file:
                traceback.print_exception(kind, error, trace, file=file)
        if self._scratch is not None:
            self._scratch.cleanup()


def lock_run(run_dir: str) -> IO:
    """
    Overview:
        The run folder's lock, so that no two processes write one run; free when it is closed.
    Raises:
        - ValueError: if another process has it.
    """
    try:
        return locked(os.path.join(run_dir, 'log', 'lock'))
    except BlockingIOError as error:
        raise ValueError(f"another process is training in '{run_dir}': wait for it, or stop it") from error
