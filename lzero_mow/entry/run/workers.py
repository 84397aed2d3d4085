"""The parts of a run, built from LightZero's two configs, which name them in DI-engine's registries."""
import itertools
import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple
from zlib import crc32

import numpy as np
import torch
from ding.envs import BaseEnvManager, create_env_manager, get_vec_env_setting
from ding.policy import create_policy
from ding.utils import SERIAL_EVALUATOR_REGISTRY, import_module, set_pkg_seed
from ding.worker.collector.base_serial_collector import get_serial_collector_cls
from ding.worker.replay_buffer.base_buffer import get_buffer_cls
from easydict import EasyDict

from lzero_mow.buffer.batch import RecordedPlay, TaskBatch
from lzero_mow.buffer.prefetch import prefetched
from lzero_mow.buffer.replay import Replay
from lzero_mow.config.envs import evaluation_episodes
from lzero_mow.policy.multitask_policy import MultitaskPolicy
from lzero_mow.utils.ranks import gathered, of_all_tasks, own_tasks, rank, world_size
from .scalar_writer import NoScalars

COLLECTING, EVALUATING = 0, 1


@dataclass
class Workers:
    """
    What a run consists of, besides its log. Environments and replay are those of this rank's tasks, ``own``: the
    collector, the evaluator and the replay number these from 0, everything else has the numbers of the run.
    """
    cfg: EasyDict
    policy: MultitaskPolicy
    collector: Any
    evaluator: Any
    buffer: Replay
    own: range

    def __post_init__(self) -> None:
        # Steps that each task took, and that others took while it was not collected.
        self._steps_taken = np.zeros(len(self.cfg.env.tasks), dtype=np.int64)
        self._steps_idle = np.zeros_like(self._steps_taken)

    def env_step(self) -> int:
        """
        The clock of a run: environment steps that every task has taken or was idle for. Tasks advance together; if
        environments reset in processes of their own, one may be a few steps ahead.
        """
        return int((self._steps_taken + self._steps_idle).min())

    def interactions(self) -> int:
        """Environment steps taken so far, all tasks together."""
        return int(self._steps_taken.sum())

    def note_steps(self) -> None:
        """Count the steps that the collectors of all ranks have taken."""
        own = self.collector.envsteps.reshape(len(self.own), -1).sum(axis=1)
        self._steps_taken = np.concatenate(gathered(own))

    def collect(self, train_iter: int, epsilon: float, until: int) -> int:
        """
        Collect about one segment of every environment of the active tasks into the replay; returns the steps that each
        of them took. If all tasks are idle, time advances to the next evaluation, which may reactivate some, or to the
        run's last step.
        """
        before, taken, active = self.env_step(), self._steps_taken, self.policy.active_tasks
        if not active:
            self._steps_idle += min(self.cfg.policy.eval_freq, until - before)
            return 0
        envs_per_task = self.cfg.env.collector_env_num
        env_ids = [task * envs_per_task + i for task in self._numbers(active) for i in range(envs_per_task)]
        segments = self.collector.collect(
            num_segments=len(active) * envs_per_task, train_iter=train_iter,
            policy_kwargs=dict(temperature=1.0, epsilon=epsilon), env_ids=env_ids
        )
        self.buffer.push_game_segments(segments)
        self.note_steps()
        idle = [task for task in range(len(taken)) if task not in active]
        self._steps_idle[idle] += (self._steps_taken - taken)[active].min()
        return self.env_step() - before

    def drain_episodes(self) -> List[Tuple[int, float, int]]:
        """The episodes of all tasks that have ended since the last call: (task, raw return, length in steps)."""
        per_task, drained = self.cfg.env.collector_env_num, self.collector.drain_episodes()
        own = [(self.own[env_id // per_task], *rest) for env_id, *rest in drained]
        return [episode for of_rank in gathered(own) for episode in of_rank]

    def evaluate(self, train_iter: int, env_step: int) -> Dict[str, np.ndarray]:
        """See `MoWEvaluator.eval_tasks`: the episodes of all tasks."""
        return of_all_tasks(self.evaluator.eval_tasks(train_iter, env_step))

    @property
    def plays(self) -> Dict[int, RecordedPlay]:
        """The beginning of an episode of the last evaluation, by task of this rank."""
        return dict(zip(self.own, self.evaluator.plays))

    def gradient_batches(self, number: int) -> Iterator[TaskBatch]:
        """
        Batches of this rank's tasks to measure gradients on, about as large as an update's, with the same number of
        sequences per task. Drawn by numpy's global state, without the buffer's own randomness.
        """
        rng = np.random.default_rng(np.random.randint(2 ** 31))
        per_task = -(-self.cfg.policy.batch_size // len(self.cfg.env.tasks))
        for _ in range(number):
            yield self.numbered(self.buffer.sample_for_report(per_task * len(self.own), rng))

    def samples(self, count: int) -> Iterator[Any]:
        """
        The data of so many updates, of this rank's tasks that are active now: of a batch, which all ranks share, the
        part of these tasks, None for none. A thread draws ahead, but no more than so many.
        """
        share, tasks = self._share(self.cfg.policy.batch_size)
        if not tasks:
            return itertools.repeat(None, count)
        return prefetched(lambda: self.numbered(self.buffer.sample(share, tasks)), count)

    def reanalyze(self) -> None:
        """If it is time for it, let the policy search from old steps of the replay anew."""
        number = self.policy.reanalysis_due()
        share, tasks = self._share(number)
        if share:
            search_anew = lambda batch: self.policy.reanalyze(self.numbered(batch), np.arange(share))
            self.buffer.reanalyze_buffer(share, search_anew, tasks)

    def _share(self, number: int) -> Tuple[int, List[int]]:
        """Of so many sequences, which all ranks share, those of this rank's tasks that are active; and these tasks."""
        active = self.policy.active_tasks
        tasks = self._numbers(active)
        before = sum(task < self.own.start for task in active)  # those of lower ranks
        count = max(len(active), 1)
        return number * (before + len(tasks)) // count - number * before // count, tasks

    def numbered(self, data: Any) -> Any:
        """What the replay has drawn, a batch or a dict of them, with the run's numbers of the tasks."""
        if world_size() == 1:
            return data
        if isinstance(data, dict):
            return {name: batch and self.numbered(batch) for name, batch in data.items()}
        return replace(data, task=tuple(self.own[task] for task in data.task))

    def _numbers(self, tasks: Sequence[int]) -> List[int]:
        """The numbers that collector, evaluator and replay have for those of some tasks that are this rank's."""
        return [task - self.own.start for task in tasks if task in self.own]

    def state_dict(self) -> List[int]:
        """The steps that each task was idle for; collector, policy and replay are parts of their own."""
        return self._steps_idle.tolist()

    def load_state_dict(self, state: List[int]) -> None:
        self._steps_idle[:] = state
        self.note_steps()

    def regroup(self, collectors: Sequence[dict]) -> None:
        """Let the collector go on where those of another number of ranks stopped, whose states these are."""
        per_task = self.cfg.env.collector_env_num
        self.collector.load_counts(collectors, range(self.own.start * per_task, self.own.stop * per_task))

    def close(self) -> None:
        self.collector.close()
        self.evaluator.close()


def build_workers(cfg: EasyDict, create_cfg: dict, run_dir: str, model: Optional[torch.nn.Module] = None) -> Workers:
    """
    Build environments, policy, replay, collector and evaluator from the two configs, and seed everything; `model` takes
    the place of the one that the config describes. If a part fails, the environments are closed.
    """
    own = own_tasks(len(cfg.env.tasks))
    own_cfg = EasyDict(cfg.env, tasks=cfg.env.tasks[own.start:own.stop])
    env_fn, collector_cfgs, evaluator_cfgs = get_vec_env_setting(own_cfg)
    collector_env = create_env_manager(cfg.env.manager, [partial(env_fn, cfg=c) for c in collector_cfgs])
    evaluator_env = create_env_manager(cfg.env.manager, [partial(env_fn, cfg=c) for c in evaluator_cfgs])
    with ExitStack() as on_failure:
        on_failure.callback(collector_env.close)
        on_failure.callback(evaluator_env.close)
        collector_env.seed(env_seeds(cfg.seed, COLLECTING, [c.task for c in collector_cfgs]))
        evaluation_seeds = env_seeds(cfg.seed, EVALUATING, [c.task for c in evaluator_cfgs])
        evaluator_env.seed(list(evaluation_seeds), dynamic_seed=False)  # the manager empties the list
        workers = _build_on(cfg, EasyDict(create_cfg), run_dir, collector_env, evaluator_env, model, own)
        workers.evaluator.play_same(evaluation_seeds)
        on_failure.pop_all()
    return workers


def _build_on(
        cfg: EasyDict, create_cfg: EasyDict, run_dir: str, collector_env: BaseEnvManager, evaluator_env: BaseEnvManager,
        model: Optional[torch.nn.Module], own: range
) -> Workers:
    set_pkg_seed(cfg.seed, use_cuda=torch.cuda.is_available())
    policy = create_policy(cfg.policy, model=model, enable_field=['learn', 'collect', 'eval'])
    if not isinstance(policy, MultitaskPolicy):
        raise ValueError(f"policy '{cfg.policy.type}' must derive from {MultitaskPolicy.__module__}.MultitaskPolicy")
    buffer_cls = get_buffer_cls(create_cfg.replay_buffer)
    if not issubclass(buffer_cls, Replay):
        raise ValueError(f"replay '{create_cfg.replay_buffer.type}' lacks methods of {Replay.__module__}.Replay")
    if world_size() > 1 and not hasattr(buffer_cls, 'together'):
        raise ValueError(
            f"replay '{create_cfg.replay_buffer.type}' cannot be shared out over processes: it lacks `together`, see "
            'lzero_mow.buffer.game_buffer_mow'
        )
    if world_size() > 1:  # the same networks, but other random numbers on each rank
        own_seed = np.random.SeedSequence([cfg.seed, rank()]).generate_state(1)[0] >> 1
        set_pkg_seed(int(own_seed), use_cuda=torch.cuda.is_available())
    buffer = buffer_cls(cfg.policy, tasks=list(cfg.env.tasks[own.start:own.stop]))
    # LightZero's workers log below './' + exp_name, which would break an absolute path.
    shared = dict(tb_logger=NoScalars(), exp_name=os.path.relpath(run_dir), policy_config=cfg.policy)
    collector = get_serial_collector_cls(create_cfg.collector)(env=collector_env, policy=policy.collect_mode, **shared)
    import_module(create_cfg.evaluator.get('import_names', []))
    evaluator_cls = SERIAL_EVALUATOR_REGISTRY.get(create_cfg.evaluator.type)
    num_episodes = len(own) * evaluation_episodes(cfg.env)
    evaluator = evaluator_cls(
        n_evaluator_episode=num_episodes, env=evaluator_env, policy=policy.eval_mode, **shared
    )
    return Workers(cfg, policy, collector, evaluator, buffer, own)


def env_seeds(seed: int, purpose: int, tasks: Sequence[str]) -> List[int]:
    """
    A seed for each environment, given the task of each and a purpose (COLLECTING or EVALUATING), so that a task has the
    same episodes in every run of one seed, whatever other tasks are trained with it. DI-engine's seed + i would give
    runs of neighbouring seeds the same episodes.
    """
    places = [tasks[:i].count(task) for i, task in enumerate(tasks)]  # among the environments of the task
    return [
        int(np.random.SeedSequence([seed, purpose, crc32(task.encode()), place]).generate_state(1)[0])
        for task, place in zip(tasks, places)
    ]
