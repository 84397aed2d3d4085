"""Collectors and evaluators on scripted environments, and what was collected read back."""
from typing import Any, Dict, List, Optional, Tuple

from ding.envs import BaseEnvManager
from easydict import EasyDict
from lzero.mcts.buffer.game_segment import GameSegment
from lzero.worker import MuZeroEvaluator

from helpers.scripted_env import Step, decode
from helpers.workers import Mode, ScalarLog, make_collect_mode, make_eval_mode, make_manager, make_policy_config
from lzero_mow.worker import MoWEvaluator, MoWSegmentCollector


def make_collector(
        env_num: int, config: Optional[EasyDict] = None, resets: Optional[List[Any]] = None,
        manager: Optional[BaseEnvManager] = None, **kwargs: Any
) -> MoWSegmentCollector:
    """Our collector on scripted environments, one task each."""
    config = config or make_policy_config()
    return MoWSegmentCollector(
        env=manager or make_manager(env_num), policy=make_collect_mode(config, resets),
        tb_logger=kwargs.pop('tb_logger', ScalarLog()), exp_name='test', policy_config=config, **kwargs
    )


def real_steps(segment: GameSegment, meta: Dict[str, Any], frame_stack: int = 1) -> List[Step]:
    """The steps of a segment without its padding, as lines of the environment's log."""
    steps = []
    for index in range(len(meta['terminated'])):
        env_id, episode, timestep = decode(segment.obs_segment[frame_stack - 1 + index][-3:])
        flags = [bool(meta[name][index]) for name in ('terminated', 'truncated', 'life_loss')]
        action, reward = int(segment.action_segment[index]), float(segment.reward_segment[index])
        steps.append(Step(env_id, episode, timestep, action, reward, *flags))
    return steps


def in_flight_steps(collector: MoWSegmentCollector, env_id: int) -> int:
    """How many steps of an environment the collector still keeps to itself."""
    held = collector.last_game_segments[env_id]
    segment = collector._streams[env_id].segment
    return sum(len(part.action_segment) for part in (held, segment) if part is not None)


def collect_logs(collector: MoWSegmentCollector, calls: int, frame_stack: int = 1) -> Tuple[Dict, List]:
    """Collect several times; all steps by environment, and all (segment, meta) pairs."""
    logs, pairs = {env_id: [] for env_id in range(collector._env_num)}, []
    for _ in range(calls):
        segments, metas = collector.collect(policy_kwargs={'temperature': 1.0, 'epsilon': 0.0})
        assert len(segments) == len(metas) >= collector._env_num
        for segment, meta in zip(segments, metas):
            logs[meta['env_id']] += real_steps(segment, meta, frame_stack)
            pairs.append((segment, meta))
    return logs, pairs


def make_evaluator(
        manager: BaseEnvManager, config: EasyDict, mode: Optional[Mode] = None, cls: type = MoWEvaluator, each: int = 1
) -> MuZeroEvaluator:
    """An evaluator, ours unless told otherwise, that plays so many episodes in each environment."""
    return cls(
        eval_freq=1, n_evaluator_episode=each * manager.env_num, env=manager, policy=mode or make_eval_mode(config),
        tb_logger=ScalarLog(), exp_name='test', policy_config=config
    )
