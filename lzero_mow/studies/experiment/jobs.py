"""
The runs of an experiment: what each is told on its command line, and how far it is. Light: imports no torch.

    <runs>/<suite>/<method>/seed0/           a run of one model for all tasks
    <runs>/<suite>/storm/Breakout_seed0/     a member of an ensemble, one model per task
    <runs>/<suite>/<method>/seed0.log        what the run said
"""
import os
import re
import shutil
import sys
from dataclasses import dataclass
from typing import List, Optional, Tuple

from lzero_mow.config.algorithms import ALGORITHMS
from lzero_mow.config.arguments import config_parser, new_config, parse
from lzero_mow.config.build import build_config, parse_overrides, refuse_own_keys
from lzero_mow.config.keys import NO_INFLUENCE, SET_BY_EXPERIMENT
from lzero_mow.config.saved import TOTAL_CONFIG, load_run_config
from lzero_mow.config.suites import algorithm_of, check_player, method_names, one_model_per_task, references, suite_name
from lzero_mow.config.tree import did_you_mean, get, leaves, plain
from lzero_mow.report.tables.run_record import read_run_record
from lzero_mow.utils.files import locked
from lzero_mow.utils.paths import LATEST


@dataclass(frozen=True)
class Plan:
    """What is asked for."""
    suite: str
    preset: str
    methods: Tuple[str, ...]
    seeds: Tuple[int, ...]
    games: Tuple[str, ...]  # none for the preset's
    runs: str  # folder
    overrides: Tuple[str, ...]
    random_episodes: int

    def folder(self, method: str) -> str:
        return os.path.join(self.runs, suite_name(self.suite), method)


@dataclass(frozen=True)
class Job:
    """One run of one method."""
    method: str
    seed: int
    task: Optional[str]  # of a member of an ensemble; None for all tasks
    arguments: Tuple[str, ...]  # of a new run
    config: dict  # what comes out of them

    @property
    def run_dir(self) -> str:
        return self.config['exp_name']

    @property
    def is_reference(self) -> bool:
        return 'random_episodes' in self.config

    @property
    def log(self) -> str:
        return self.run_dir + '.log'

    def __str__(self) -> str:
        return f"{self.method}{'' if self.task is None else ' ' + self.task}, seed {self.seed}"


def run_name(seed: int, task: Optional[str] = None) -> str:
    """Name of a run's folder below its method's."""
    return f'seed{seed}' if task is None else f'{task}_seed{seed}'


def reference_config(config: dict, player: str, episodes: int) -> dict:
    """The configuration in a reference player's run folder, which trains nothing."""
    return dict(config, method=player, max_env_step=0, random_episodes=episodes)


def seeds_in(folder: str) -> List[int]:
    """The seeds of which a method's folder holds a run."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found = (re.fullmatch(r'(?:.+_)?seed(\d+)', name) for name in names)
    return sorted({int(match.group(1)) for match in found if match})


def plan_jobs(plan: Plan) -> List[Job]:
    """
    Every run of a plan, seed by seed, so that after the first seed there is a result of every method. ValueError in one
    line for anything that is wrong with any of them, also if a folder holds a run with another configuration: of the
    same name, or of another seed, which would stand in the same table.
    """
    overridden = set(leaves(parse_overrides(plan.overrides)))
    for key, option in SET_BY_EXPERIMENT.items():
        if key in overridden:
            raise ValueError(f'{key} follows from {option} here: set that instead')
    tasks = {method: _tasks(plan, method) for method in plan.methods}
    runs = [(method, seed) for seed in plan.seeds for method in plan.methods]
    there = [(method, seed) for method in plan.methods for seed in seeds_in(plan.folder(method))]
    jobs, others = (
        [_job(plan, method, seed, task) for method, seed in wanted for task in tasks[method]]
        for wanted in (runs, [run for run in there if run not in runs])
    )
    for job in jobs + others:
        _refuse_another_run(job, prolonged=job.seed in plan.seeds)
    return jobs


def _overrides(plan: Plan, method: str) -> Tuple[str, ...]:
    """The overrides that apply to a method: a key that only one policy has reaches only that policy's methods."""
    keys_of = lambda name: set(leaves(ALGORITHMS[algorithm_of(name)].keys.defaults(), 'policy.'))
    elsewhere = {key for name in plan.methods for key in keys_of(name)} - keys_of(method)
    return tuple(override for override in plan.overrides if override.partition('=')[0] not in elsewhere)


def _tasks(plan: Plan, method: str) -> List[Optional[str]]:
    """The tasks of an ensemble's members; [None], one run for all tasks, for other methods."""
    players = references(plan.suite)
    if method in players:
        check_player(plan.suite, method)
        return [None]
    if method not in method_names():
        raise ValueError(f"unknown method '{method}'{did_you_mean(method, [*method_names(), *players])}")
    overrides = _overrides(plan, method)
    refuse_own_keys(method, parse_overrides(overrides))
    if not one_model_per_task(method):
        return [None]
    return build_config(plan.preset, plan.games, (), overrides, plan.suite)['env']['tasks']


def _job(plan: Plan, method: str, seed: int, task: Optional[str]) -> Job:
    run_dir = os.path.join(plan.folder(method), run_name(seed, task))
    arguments = ['--suite', plan.suite, '--preset', plan.preset, '--seed', str(seed), '--exp-name', run_dir]
    if method in method_names():
        arguments += ['--method', method]
    if task is not None or plan.games:
        arguments += ['--games', *([task] if task else plan.games)]
    arguments += [*_overrides(plan, method), *(() if task is None else _share_of_the_batch(plan, method))]
    parser = config_parser('', '', argv=arguments)
    config = new_config(parse(parser, arguments), {})
    if method not in method_names():
        config = reference_config(config, method, plan.random_episodes)
    return Job(method, seed, task, tuple(arguments), config)


def _share_of_the_batch(plan: Plan, method: str) -> List[str]:
    """
    The batch of an ensemble's member: its task's share of a shared model's batch. The ratio of updates to environment
    steps per task is the same, so a member makes as many updates on its task as the shared model makes in all.
    """
    shared = build_config(plan.preset, plan.games, (), _overrides(plan, method), plan.suite, method)
    policy, K = shared['policy'], len(shared['env']['tasks'])
    for key in ('batch_size', 'imagine_batch_size'):
        if policy[key] < K:
            raise ValueError(f'policy.{key} is {policy[key]} for {K} tasks: less than one sequence for each')
    return [f'policy.{key}={policy[key] // K}' for key in ('batch_size', 'imagine_batch_size')]


def _refuse_another_run(job: Job, prolonged: bool) -> None:
    """Refuse a folder that holds a run with another configuration; it may be shorter if it is going to be prolonged."""
    if not os.path.isfile(os.path.join(job.run_dir, TOTAL_CONFIG)):
        return
    saved, new = load_run_config(job.run_dir), plain(job.config)
    advice = 'choose another --runs folder and --output, or move the run away'
    for key in leaves(new):
        if key in NO_INFLUENCE or job.is_reference and key.startswith('policy.'):
            continue
        if get(saved, key) != get(new, key):
            raise ValueError(
                f"'{job.run_dir}' holds a run with {key}={get(saved, key)}, now {get(new, key)} is asked for: {advice}"
            )
    before, now = saved['max_env_step'], new['max_env_step']
    if before > now or before < now and not prolonged:
        raise ValueError(f"'{job.run_dir}' holds a run of {before} steps, now {now} are asked for: {advice}")


def has_ended(run_dir: str) -> bool:
    """Whether the run in a folder has reached the last step it was asked for."""
    record = read_run_record(run_dir)
    return record is not None and record.env_step >= load_run_config(run_dir)['max_env_step']


def is_finished(job: Job) -> bool:
    """Whether there is nothing left to do."""
    return has_ended(job.run_dir) and read_run_record(job.run_dir).env_step >= job.config['max_env_step']


def command(job: Job, plan: Plan) -> List[str]:
    """
    The command that brings a run to its end: from its last checkpoint if there is one, anew otherwise. What a run has
    left that was cut off before its first checkpoint is removed; BlockingIOError if another process is still at work.
    """
    module = [sys.executable, '-m']
    if not job.is_reference and os.path.isfile(os.path.join(job.run_dir, LATEST)):
        steps = str(job.config['max_env_step'])
        return [*module, 'lzero_mow', 'train', '--resume', job.run_dir, '--max-env-step', steps]
    if os.path.isdir(job.run_dir):
        locked(os.path.join(job.run_dir, 'log', 'lock')).close()
        shutil.rmtree(job.run_dir)
    if job.is_reference:
        options = ['--player', job.method, '--episodes', str(plan.random_episodes)]
        return [*module, 'lzero_mow.studies.experiment.reference_play', *job.arguments, *options]
    return [*module, 'lzero_mow', 'train', *job.arguments]
