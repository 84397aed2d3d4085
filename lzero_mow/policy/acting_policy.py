"""What every policy of several tasks needs to act through LightZero's collectors and evaluators."""
from typing import Any, Dict, List, Tuple

import numpy as np
import torch
from ding.policy import Policy
from torch import Tensor

from .acting_memory import ActingMemory


class ActingPolicy(Policy):
    """
    Overview:
        DI-engine's collect and eval modes with LightZero's signatures: one call acts in the environments of all tasks
        that are ready, each with a memory of its present episode.
    Interfaces:
        A policy says how it acts (``_act``), how much it remembers (``_memory_sizes``) and where it keeps the legal
        actions (``_action_table``).
    """

    def _memory_sizes(self) -> Tuple[int, int]:
        """Steps of an episode that are remembered, and the width of a latent."""
        raise NotImplementedError

    def _action_table(self) -> Tensor:
        """(K, A) bool, a buffer of the model."""
        raise NotImplementedError

    def _act(
            self, memory: ActingMemory, obs: Tensor, action_mask: np.ndarray, env_ids: List[int], tasks: List[int],
            timestep: List, epsilon: float, evaluating: bool
    ) -> Dict[int, Dict]:
        """
        Arguments:
            - memory (:obj:`ActingMemory`): Read, and extended by this step.
            - obs (:obj:`Tensor`): (R, C, H, W) uint8; action_mask (:obj:`np.ndarray`): (R, A) bool, the legal actions.
            - env_ids (:obj:`list`), tasks (:obj:`list`), timestep (:obj:`list`): R each.
            - epsilon (:obj:`float`): Share of uniformly random legal actions; 1 is random play.
            - evaluating (:obj:`bool`): Whether exploration is to be left out.
        Returns:
            - output (:obj:`dict`): By env id, see `lzero_mow.policy.worker_output`.
        """
        raise NotImplementedError

    def _memory(self, envs_per_task: int) -> ActingMemory:
        num_envs, model = envs_per_task * len(self._cfg.tasks), self._cfg.model
        action_dim = model.action_space_size if model.continuous_action_space else 0
        return ActingMemory(num_envs, *self._memory_sizes(), action_dim, self._device)

    def _init_collect(self) -> None:
        self._collect_model = self._model  # DI-engine's collect_mode.state_dict reads it
        self._collect_memory = self._memory(self._cfg.collector_env_num)

    def _init_eval(self) -> None:
        self._eval_model = self._model
        self._eval_memory = self._memory(self._cfg.evaluator_env_num)

    def _forward_collect(
            self, data: Tensor, action_mask: List = None, temperature: float = 1.0, to_play: List = (-1, ),
            epsilon: float = 0.0, ready_env_id=None, timestep: List = (0, ), task_id: int = None, **kwargs
    ) -> Dict[int, Dict]:
        """See ``_act``; the signature is LightZero's. `epsilon` 1 is random play."""
        return self._act_when_ready(self._collect_memory, data, action_mask, ready_env_id, timestep, epsilon, False)

    def _forward_eval(
            self, data: Tensor, action_mask: List = None, to_play: List = (-1, ), ready_env_id=None,
            timestep: List = (0, ), task_id: int = None, **kwargs
    ) -> Dict[int, Dict]:
        """Like `_forward_collect`, without exploration; LightZero's evaluator hands over float frames in 0..255."""
        return self._act_when_ready(self._eval_memory, data, action_mask, ready_env_id, timestep, 0.0, True)

    def _act_when_ready(
            self, memory: ActingMemory, data: Tensor, action_mask: List, ready_env_id, timestep: List, epsilon: float,
            evaluating: bool
    ) -> Dict[int, Dict]:
        env_ids = list(ready_env_id)
        envs_per_task = len(memory.steps) // len(self._cfg.tasks)
        tasks = [env_id // envs_per_task for env_id in env_ids]
        mask = np.asarray(action_mask, dtype=bool).reshape(len(env_ids), -1)
        self._allow(tasks, mask)
        return self._act(memory, data.to(torch.uint8), mask, env_ids, tasks, timestep, epsilon, evaluating)

    def _allow(self, tasks: List[int], action_mask: np.ndarray) -> None:
        """Note which actions the tasks' environments allow; what is learned keeps to them too."""
        table = self._action_table()
        if not hasattr(self, '_allowed'):
            self._allowed = table.cpu().numpy()
        if not np.array_equal(self._allowed[tasks], action_mask):
            self._allowed[tasks] = action_mask
            table.copy_(torch.from_numpy(self._allowed))

    def _autocast(self) -> torch.autocast:
        """bfloat16 on a GPU, float32 on CPU."""
        return torch.autocast('cuda', torch.bfloat16, enabled=self._cuda and self._cfg.bf16)

    def _reset_collect(self, env_id=None, current_steps=None, reset_init_data=True, task_id=None, **kwargs) -> None:
        self._collect_memory.reset(env_id)

    def _reset_eval(self, env_id=None, current_steps=None, reset_init_data=True, task_id=None, **kwargs) -> None:
        self._eval_memory.reset(env_id)

    # LightZero's collectors build segments themselves; DI-engine's transition interface is not used by them.

    def _process_transition(self, obs: Any, policy_output: Any, timestep: Any) -> None:
        raise RuntimeError(f"policy {self._cfg.type} collects segments: use LightZero's collectors, not DI-engine's")

    def _get_train_sample(self, data: Any) -> None:
        raise RuntimeError(f"policy {self._cfg.type} has its own replay: use LightZero's collectors, not DI-engine's")
