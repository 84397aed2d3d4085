"""Configs, managers and policies for tests of collectors, evaluators and buffers."""
from collections import namedtuple
from functools import partial
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from ding.envs import BaseEnvManager, SyncSubprocessEnvManager
from easydict import EasyDict

from helpers.scripted_env import NUM_ACTIONS, ScriptedEnv, action_for, script_for

Mode = namedtuple('Mode', ['forward', 'reset', 'get_attribute'])


class ScalarLog:
    """Stands in for a SummaryWriter and remembers what it was given."""

    def __init__(self) -> None:
        self.scalars: Dict[str, List[Tuple[float, int]]] = {}

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars.setdefault(name, []).append((float(value), step))

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def make_policy_config(**changes: Any) -> EasyDict:
    """What LightZero's workers and our buffer read, for segments of 5 steps."""
    config = dict(
        type='mow',
        device='cpu',
        game_segment_length=5,
        num_unroll_steps=1,
        td_steps=1,
        discount_factor=0.99,
        sampled_algo=False,
        gumbel_algo=False,
        use_ture_chance_label_in_chance_encoder=False,
        use_priority=False,
        ignore_done=False,
        collect_with_pure_policy=False,
        use_wandb=False,
        gray_scale=False,
        transform2string=False,
        collector_env_num=1,
        evaluator_env_num=1,
        replay_buffer_size=200,
        replay_compression=True,
        cuda=False,
        batch_size=8,
        batch_length=16,
        life_loss_as_termination=True,
        imagine_source='batch',
        imagine_batch_size=4,
        context_length=4,
        env_type='not_board_games',
        action_type='fixed_action_space',
        priority_prob_alpha=0.6,
        priority_prob_beta=0.4,
        model=dict(
            frame_stack_num=1, model_type='conv', image_channel=3, observation_shape=(3, 64, 64),
            action_space_size=NUM_ACTIONS, continuous_action_space=False
        ),
    )
    config = EasyDict(config)
    config.model.update(changes.pop('model', {}))
    config.update(changes)
    return config


def make_manager(
        env_num: int, subprocess: bool = False, scripts: Optional[Sequence[Tuple]] = None, **env_cfg: Any
) -> BaseEnvManager:
    """
    Scripted environments, one task ('Task0', 'Task1' ...) each, under DI-engine's in-process or subprocess manager.
    """
    scripts = scripts or [script_for(env_id) for env_id in range(env_num)]
    configs = [
        EasyDict(env_id=env_id, task=f'Task{env_id}', task_id=env_id, script=scripts[env_id], **env_cfg)
        for env_id in range(env_num)
    ]
    manager = SyncSubprocessEnvManager if subprocess else BaseEnvManager
    config = manager.default_config()
    if subprocess:
        # Shared memory does not know observations that are dicts of different shapes.
        config.update(shared_memory=False, connect_timeout=5)
    return manager([partial(ScriptedEnv, cfg=config) for config in configs], config)


def policy_output(frames: np.ndarray, ready_env_id: Sequence[int], timestep: Sequence[int]) -> Dict[int, Dict]:
    """What a policy returns, from the newest frame of each row; the value tells the rows apart as well."""
    frames = np.asarray(frames)[:, -3:].astype(np.uint8)
    uniform = [1.0 / NUM_ACTIONS] * NUM_ACTIONS
    return {
        env_id: dict(
            action=action_for(frame), visit_count_distributions=uniform, visit_count_distribution_entropy=4.0,
            searched_value=float(action_for(frame)), predicted_value=float(action_for(frame)), timestep=int(step)
        )
        for env_id, frame, step in zip(ready_env_id, frames, timestep)
    }


def make_collect_mode(config: EasyDict, resets: Optional[List[Any]] = None) -> Mode:
    """
    A collect mode whose forward takes keywords only, with exactly the names LightZero's policies have. ``resets``
    receives the environments that it is told to forget.
    """

    def forward(*, data, action_mask, temperature, to_play, epsilon, ready_env_id, timestep):
        assert temperature == 1.0 and len(action_mask) == len(to_play) == len(timestep) == len(data)
        return policy_output(data.numpy(), ready_env_id, timestep)

    def reset(env_id=None, **_: Any) -> None:
        if resets is not None:
            resets.append(env_id)

    return Mode(forward, reset, lambda name: config)


def make_positional_collect_mode(config: EasyDict) -> Mode:
    """A collect mode as LightZero's own collectors call it."""

    def forward(data, action_mask, temperature, to_play, epsilon, ready_env_id, timestep):
        return policy_output(data.numpy(), list(ready_env_id), timestep)

    return Mode(forward, lambda *_, **__: None, lambda name: config)


def make_eval_mode(config: EasyDict) -> Mode:
    """An eval mode; frames must come as float, as LightZero's evaluator passes them."""

    def forward(data, action_mask, to_play, *, ready_env_id, timestep):
        assert data.dtype.is_floating_point
        return policy_output(data.numpy(), list(ready_env_id), timestep)

    return Mode(forward, lambda *_, **__: None, lambda name: config)
