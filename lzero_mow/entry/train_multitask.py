"""The training entry of all methods: the two configs alone say what is trained, and on what."""
from typing import Optional, Tuple

import torch
from ding.policy import Policy
from ditk import logging

from lzero_mow.config.validate import check_processes
from lzero_mow.multitask.diagnostics.conflict import together
from lzero_mow.utils.memory import keep_freed_memory
from lzero_mow.utils.ranks import gathered, joined, world_size
from .reporting import write_report
from .run import checkpoint
from .run.interrupts import interruptible
from .run.random_state import isolated_rng
from .run.run import Run
from .run.run_config import on_device, resolve
from .warm_up import warm_up

DIAGNOSIS_BATCHES = 8  # over which the gradients of a diagnosis are summed


def train_multitask(
        input_cfg: Tuple[dict, dict], seed: int = 0, model: Optional[torch.nn.Module] = None,
        model_path: Optional[str] = None, max_train_iter: int = int(1e10), max_env_step: int = int(1e10),
        resume: Optional[str] = None
) -> Policy:
    """
    Overview:
        Train one policy on several tasks: collect from all of them at once, update, and evaluate all of them at the
        same environment steps. A policy that groups its tasks is first warmed up on random play. Evaluations and
        reports draw random numbers of their own, so that neither their frequency nor a stop and a resume affects
        training.
    Arguments:
        - input_cfg (:obj:`Tuple[dict, dict]`): LightZero's main config and create config; the tasks are
            ``main_config.env.tasks`` and the run folder is ``main_config.exp_name``.
        - seed (:obj:`int`): Seed of everything random.
        - model (:obj:`Optional[torch.nn.Module]`): Used instead of the one the config describes.
        - model_path (:obj:`Optional[str]`): A checkpoint whose weights to start from.
        - max_train_iter (:obj:`int`): Updates after which to stop.
        - max_env_step (:obj:`int`): Environment steps of EACH task after which to stop.
        - resume (:obj:`Optional[str]`): Folder of a run to continue.
    Returns:
        - policy (:obj:`Policy`): The trained policy.
    Raises:
        - ValueError: for a config or a run folder that cannot be used.
        - FloatingPointError: if a loss is not finite.
        - RuntimeError: if an environment dies or a checkpoint cannot be written. The last checkpoint stays intact.
    """
    return train(resolve(*input_cfg, seed, max_env_step), resume, model, model_path, max_train_iter)


def train(
        config: dict, resume: Optional[str] = None, model: Optional[torch.nn.Module] = None,
        model_path: Optional[str] = None, max_train_iter: int = int(1e10)
) -> Policy:
    """``train_multitask`` with the configuration as one checked tree, as on the command line."""
    keep_freed_memory()
    config = on_device(config)
    with joined(config['policy']['device']):
        return _train(config, resume, model, model_path, max_train_iter)


def _train(
        config: dict, resume: Optional[str], model: Optional[torch.nn.Module], model_path: Optional[str],
        max_train_iter: int
) -> Policy:
    check_processes(config, world_size())
    max_env_step = config['max_env_step']
    # The inner one tells an interrupt from a failed environment before the run is closed, which logs failures.
    with interruptible(), Run(config, resume, model) as run, interruptible():
        if model_path is not None:
            checkpoint.load_weights(run.workers.policy, checkpoint.read(model_path), model_path)
        schedule, train_start = run.schedule, run.cfg.policy.train_start_after_envsteps
        logging.info('training on %s', run.cfg.policy.device)
        while True:
            env_step = run.workers.env_step()
            if env_step >= train_start:
                warm_up(run)
                _update(run, min(schedule.due, max_train_iter - schedule.train_iter))
            run.note_speed()
            finished = env_step >= max_env_step or schedule.train_iter >= max_train_iter
            if schedule.evaluate(env_step, force=finished):
                _evaluate(run, env_step)
            if schedule.checkpoint(env_step, force=finished):
                run.progress.phase('saving')
                run.save()
            if finished:
                run.play_at_random()
            if schedule.train_iter > 0 and schedule.report(env_step, force=finished):
                _report(run)
            if finished:
                run.finish()
                return run.workers.policy
            # Random play fills the replay before the first update.
            new_steps = _collect(run, epsilon=1.0 if env_step < train_start else 0.0)
            if env_step + new_steps >= train_start:
                schedule.due = schedule.updates(new_steps)


def _evaluate(run: Run, env_step: int) -> None:
    run.progress.phase('evaluating')
    with isolated_rng(run.cfg.seed):
        episodes = run.workers.evaluate(run.schedule.train_iter, env_step)
    returns = episodes['return'].mean(axis=1).tolist()
    score = run.log.evaluation(env_step, episodes)
    run.note_times(env_step)
    run.save_best(score)
    run.progress.evaluation(run.log.last_scores)
    run.progress.write_evaluation(env_step, returns, score)
    if run.schedule.train_iter == 0:
        return
    run.workers.policy.on_evaluation(dict(zip(run.cfg.env.tasks, returns)))
    _diagnose(run, env_step)


def _diagnose(run: Run, env_step: int) -> None:
    """Measure where learning stops, and the networks' plasticity."""
    run.progress.phase('diagnosing')
    with isolated_rng(run.cfg.seed):
        batches = run.workers.gradient_batches(DIAGNOSIS_BATCHES)
        diagnosis = together(gathered(run.workers.policy.diagnose(batches, run.workers.plays)))
    if diagnosis is not None:
        run.log.diagnosis(env_step, diagnosis)


def _report(run: Run) -> None:
    run.progress.phase('drawing')
    with isolated_rng(run.cfg.seed):
        beside = run.beside_random()
        ends = None if beside is None else beside.ends(run.config['method'])
        write_report(run.run_dir, run.log.results, run.workers, run.cfg.env.tasks, ends)


def _collect(run: Run, epsilon: float) -> int:
    """Collect about one segment of every environment into the replay; returns the steps that each task took."""
    workers = run.workers
    run.progress.phase('collecting')
    decided, seconds = workers.interactions(), workers.collector.deciding_seconds
    steps = workers.collect(run.schedule.train_iter, epsilon, until=run.config['max_env_step'])
    if epsilon < 1:
        run.cost.add('decision', workers.collector.deciding_seconds - seconds, workers.interactions() - decided)
    with run.cost.measure('update', 0):
        workers.reanalyze()
    env_step = workers.env_step()
    for task_id, episode_return, length in workers.drain_episodes():
        run.log.episode(run.cfg.env.tasks[task_id], env_step, episode_return, length)
        run.progress.episode(task_id, episode_return)
    return steps


def _update(run: Run, updates: int) -> None:
    """Train the policy; a loss that is not finite ends the run before anything is saved."""
    workers, policy, env_step = run.workers, run.workers.policy, run.workers.env_step()
    run.progress.phase('training')
    policy.share_task_state(workers.own)  # what the environments of other ranks' tasks allow
    with run.cost.measure('update', updates):
        for data in workers.samples(updates):
            run.log.update(env_step, policy.learn_mode.forward(data))
            run.schedule.train_iter += 1
        run.schedule.due = 0
        policy.check_finite()  # the only wait for the device
