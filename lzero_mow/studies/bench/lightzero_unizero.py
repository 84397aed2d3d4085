"""
LightZero 0.2.0's own UniZero on one MinAtar game, for a learning curve beside ours.

    python -m lzero_mow.studies.bench.lightzero_unizero --game Breakout --learning-rate 0.0003 --output DIR
    python -m lzero_mow curves DIR/results.csv OURS/results.csv

Trains with ``lzero.entry.train_unizero_segment``, whose code stays as released. In --output: ``results.csv``, with the
returns of 20 greedy episodes per evaluation; ``lightzero.csv``, with what was played, stored, learnt and paid for;
LightZero's own logs in ``lightzero/``, what it prints in ``printed.txt``.

- The task is that of MinAtar's preset laptop, with the legal actions alone. Pixels are repeated to 64 x 64, the
  smallest size that LightZero's encoder takes.
- Sizes are that preset's, for ``unizero_multitask_dense``: transformer, sequences, segments, searches, discount. The
  encoder has 16 channels and one residual block, its last layer is made to fit (64 channels as released): 222,000
  parameters in all. Supports are -50 to 50.
- All else is LightZero's: SimNorm, its loss weights, temperature 0.25, root noise, no priorities; of its Atari script
  the entropy weight 0.005, gradients clipped at 5 and the policy targets of 160 sequences searched again every 50
  collections.
- The first --random-steps are played at random, by LightZero's epsilon-greedy exploration with epsilon 1.
- LightZero evaluates between collections and loses the segments that a collection leaves unfinished. ``env_step`` is
  what was played when it evaluated. Updates are due by steps played, not by those stored.
"""
import importlib
import logging
import os
import resource
import sys
import time
from argparse import Namespace
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Dict, Optional, Tuple
from unittest import mock

import numpy as np
import torch
from ding.envs import BaseEnvTimestep
from ding.utils import ENV_REGISTRY, MODEL_REGISTRY
from ding.worker import BaseLearner
from easydict import EasyDict
from gymnasium import spaces
from lzero.entry import train_unizero_segment
from lzero.entry.utils import log_buffer_memory_usage
from lzero.mcts import UniZeroGameBuffer
from lzero.model.unizero_model import UniZeroModel
from lzero.worker import MuZeroEvaluator, MuZeroSegmentCollector
from rich.console import Console

from lzero_mow.config.build import build_config
from lzero_mow.config.minatar import MINATAR
from lzero_mow.envs.minatar import MinAtarMoWEnv
from lzero_mow.model.common.size import count_parameters
from lzero_mow.report.tables.csv_table import Table
from lzero_mow.report.tables.results import append_results, evaluation_rows
from lzero_mow.utils.memory import keep_freed_memory
from .shared import parse, show

METHOD, OURS = 'lightzero_unizero', 'unizero_multitask_dense'
SIZE, ENLARGE = 64, 4  # LightZero's encoder takes pictures of 64 x 64, ours are 16 x 16
RESULTS, COSTS, PRINTED = 'results.csv', 'lightzero.csv', 'printed.txt'


@dataclass(frozen=True)
class Cost:
    """A row of ``lightzero.csv``: what a run had done, and how long it had taken, when it was evaluated."""
    env_step: int  # that were played
    transitions: int  # of these that the replay holds
    updates: int
    cpu_seconds: float  # of the process since training began; the next two are parts of it
    collect_seconds: float
    evaluate_seconds: float


@ENV_REGISTRY.register('minatar_lightzero')
class LightZeroMinAtarEnv(MinAtarMoWEnv):
    """Our environment as LightZero's UniZero takes it: larger pictures of floats in [0, 1], and legal actions alone."""

    def __init__(self, cfg: dict) -> None:
        super().__init__(cfg)
        self._legal = self._new_game().minimal_actions

    @property
    def action_space(self) -> spaces.Discrete:
        return spaces.Discrete(len(self._legal))

    def observe(self) -> Dict[str, Any]:
        obs = super().observe()
        picture = obs['observation'].repeat(ENLARGE, axis=1).repeat(ENLARGE, axis=2)
        return dict(
            obs, observation=picture.astype(np.float32) / 255, action_mask=np.ones(len(self._legal), dtype=np.int8)
        )

    def step(self, action: Any) -> BaseEnvTimestep:
        return super().step(self._legal[int(action)])


@MODEL_REGISTRY.register('unizero_any_channels')
class AnyChannelsUniZeroModel(UniZeroModel):
    """LightZero's model with any number of channels; as released it takes no other than 64."""

    def __init__(self, num_channels: int, **kwargs: Any) -> None:
        super().__init__(num_channels=num_channels, **kwargs)
        encoder = self.representation_network
        encoder.last_linear = torch.nn.Linear(num_channels * 8 * 8, encoder.embedding_dim, bias=False)
        torch.nn.init.normal_(encoder.last_linear.weight, std=0.02)  # as LightZero's init_weights does


class StepCollector(MuZeroSegmentCollector):
    """
    LightZero's collector, by steps that are played: until training starts it plays at random, with LightZero's own
    epsilon-greedy exploration, and afterwards it says how many updates are due.
    """

    def __init__(self, run: 'Run', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._run = run
        run.collector = self

    def collect(self, train_iter: int, policy_kwargs: dict) -> Tuple[list, list]:
        begin, cfg = time.process_time(), self.policy_config
        random = self.envstep < cfg.train_start_after_envsteps
        cfg.eps.eps_greedy_exploration_in_collect, policy_kwargs['epsilon'] = random, float(random)
        data = super().collect(train_iter=train_iter, policy_kwargs=policy_kwargs)
        due = int(self._run.args.updates_per_step * (self.envstep - cfg.train_start_after_envsteps))
        cfg.update_per_collect = max(0, due - train_iter)
        self._run.collect_seconds += time.process_time() - begin
        return data


class StepEvaluator(MuZeroEvaluator):
    """LightZero's evaluator, at steps that are played instead of updates."""

    def __init__(self, run: 'Run', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._run = run
        run.evaluator = self

    def should_eval(self, train_iter: int) -> bool:
        return self._run.collector.envstep >= self._run.next_evaluation

    def eval(self, save_ckpt_fn: Optional[Callable], train_iter: int, envstep: int) -> Tuple[bool, dict]:
        begin = time.process_time()
        stop, info = super().eval(save_ckpt_fn, train_iter, envstep)
        self._run.evaluate_seconds += time.process_time() - begin
        self._run.write(np.array(info['eval_episode_return']))
        return stop, info


class Run:
    """One training: its parts, the numbers that it counts, the tables that it writes."""
    collector: StepCollector
    evaluator: StepEvaluator
    learner: BaseLearner
    buffer: UniZeroGameBuffer

    def __init__(self, args: Namespace, console: Console) -> None:
        self.args, self.console = args, console
        self.next_evaluation, self.collect_seconds, self.evaluate_seconds = 0, 0., 0.
        self.evaluations = 0

    def train(self) -> None:
        """Train, and evaluate at the end."""
        self._begin = time.process_time()
        # The entry has no other way to exchange its workers, and hands the buffer to nothing but this log.
        workers = dict(
            Collector=partial(StepCollector, self), Evaluator=partial(StepEvaluator, self),
            BaseLearner=self._new_learner, log_buffer_memory_usage=self._log_buffer
        )
        with mock.patch.multiple(importlib.import_module('lzero.entry.train_unizero_segment'), **workers):
            policy = train_unizero_segment(configs(self.args), seed=self.args.seed, max_env_step=self.args.steps)
        self.parameters = count_parameters(policy._model)
        self.evaluator.eval(None, self.learner.train_iter, self.collector.envstep)

    def _new_learner(self, *args: Any, **kwargs: Any) -> BaseLearner:
        self.learner = BaseLearner(*args, **kwargs)
        return self.learner

    def _log_buffer(self, train_iter: int, buffer: UniZeroGameBuffer, writer: Any) -> None:
        self.buffer = buffer
        log_buffer_memory_usage(train_iter, buffer, writer)

    def write(self, returns: np.ndarray) -> None:
        """Write what an evaluation has found, and what it took to get there."""
        args, env, env_step = self.args, laptop(self.args.game)['env'], self.collector.envstep
        self.next_evaluation += args.evaluate_every
        episodes, references = {'return': returns[np.newaxis]}, MINATAR.reference_scores(env)
        rows = evaluation_rows(METHOD, args.seed, [args.game], references, env_step, episodes)
        append_results(os.path.join(args.output, RESULTS), rows)
        self.cost = Cost(
            env_step, self.buffer.get_num_of_transitions(), self.learner.train_iter,
            time.process_time() - self._begin, self.collect_seconds, self.evaluate_seconds
        )
        Table('table of costs', Cost).append(os.path.join(args.output, COSTS), [self.cost])
        self.evaluations += 1
        self.console.print(f'step {env_step:,}: return {returns.mean():.2f}, {self.cost.updates:,} updates')

    def show(self) -> None:
        """The last row of costs, and what a step and an update cost."""
        cost, peak = self.cost, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        learning = cost.cpu_seconds - cost.collect_seconds - cost.evaluate_seconds
        rows = [
            ('parameters', f'{self.parameters:,}'),
            ('environment steps played', f'{cost.env_step:,}'),
            ('of these in the replay', f'{cost.transitions:,} ({cost.transitions / cost.env_step:.0%})'),
            ('updates', f'{cost.updates:,}'),
            ('CPU seconds for all', f'{cost.cpu_seconds:.1f}'),
            ('for an environment step', f'{cost.collect_seconds / cost.env_step:.4f}'),
            ('for an update', f'{learning / max(1, cost.updates):.4f}'),
            ('for an evaluation', f'{cost.evaluate_seconds / self.evaluations:.1f}'),
            ('peak memory, MB', f'{peak:.0f}'),
        ]
        show(f'LightZero\'s UniZero on {self.args.game}, seed {self.args.seed}', [''], ['so much'], rows)


def laptop(game: str) -> dict:
    """The configuration of our method on one game, from the preset laptop; ValueError for an unknown game."""
    return build_config('laptop', games=[game], suite='minatar', method=OURS)


def configs(args: Namespace) -> Tuple[EasyDict, EasyDict]:
    """LightZero's main_config and create_config."""
    config = laptop(args.game)
    env, ours, model = config['env'], config['policy'], config['policy']['model']
    actions = LightZeroMinAtarEnv(dict(env, task=args.game)).action_space.n
    shared = (
        'collector_env_num', 'evaluator_env_num', 'num_unroll_steps', 'td_steps', 'game_segment_length',
        'discount_factor'
    )
    world_model = dict(
        max_blocks=ours['num_unroll_steps'], max_tokens=2 * ours['num_unroll_steps'],
        context_length=2 * ours['context_length'], action_space_size=actions, num_simulations=args.simulations,
        env_num=env['evaluator_env_num'], policy_entropy_weight=5e-3, obs_type='image', device='cpu',
        **{key: model[key] for key in ('num_layers', 'num_heads', 'embed_dim')}
    )
    policy = dict(
        model=dict(
            type='unizero_any_channels', import_names=[], observation_shape=(3, SIZE, SIZE), action_space_size=actions,
            num_channels=args.channels, world_model_cfg=world_model
        ),
        cuda=False, model_path=None, learn=dict(learner=dict(hook=dict(save_ckpt_after_iter=int(1e9)))),
        learning_rate=args.learning_rate, batch_size=args.batch_size, num_simulations=args.simulations,
        num_segments=env['collector_env_num'], train_start_after_envsteps=args.random_steps,
        fixed_temperature_value=args.temperature, grad_clip_value=5, replay_buffer_size=int(1e6),
        buffer_reanalyze_freq=1 / 50, reanalyze_batch_size=160, reanalyze_partition=0.75,
        **{key: ours[key] for key in shared}
    )
    main_config = dict(
        exp_name=os.path.relpath(os.path.join(args.output, 'lightzero')),  # LightZero puts './' in front
        env=dict(env, n_evaluator_episode=env['evaluator_env_num'], stop_value=int(1e6)), policy=policy
    )
    create_config = dict(
        env=dict(type='minatar_lightzero', import_names=[]), env_manager=dict(type='base'),
        policy=dict(type='unizero', import_names=['lzero.policy.unizero'])
    )
    return EasyDict(main_config), EasyDict(create_config)


def check(args: Namespace) -> None:
    """ValueError in one line if these arguments cannot be run."""
    MINATAR.check(laptop(args.game)['env'])
    if not (args.learning_rate > 0 and args.updates_per_step > 0 and args.temperature > 0):
        raise ValueError('--learning-rate, --updates-per-step and --temperature must be above 0')
    if os.path.exists(os.path.join(args.output, RESULTS)):
        raise ValueError(f'{args.output} already has {RESULTS}: name another folder with --output')


def main() -> None:
    options = {
        'learning-rate': 1e-4, 'batch-size': 40, 'updates-per-step': 0.5, 'random-steps': 2000, 'evaluate-every': 3000
    }
    args = parse(
        'lightzero_unizero', __doc__, check, game='Breakout', seed=0, steps=15000, temperature=0.25, simulations=25,
        channels=16, output='data_mow/lightzero_unizero', **options
    )
    keep_freed_memory()
    logging.disable(logging.INFO)  # of LightZero's, several lines per episode; what it counts is in its TensorBoard log
    os.makedirs(args.output, exist_ok=True)
    run = Run(args, Console(file=sys.stdout))
    with open(os.path.join(args.output, PRINTED), 'w') as file, redirect_stdout(file):  # LightZero prints, too
        run.train()
    run.show()


if __name__ == '__main__':
    main()
