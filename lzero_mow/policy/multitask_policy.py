"""What all policies share: the hooks that the training entry calls, and acting through LightZero's workers."""
from abc import abstractmethod
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import torch
from ding.policy import Policy
from easydict import EasyDict
from torch import Tensor

from lzero_mow.buffer.batch import RecordedPlay, TaskBatch
from lzero_mow.utils.ranks import own_tasks, told_by_owners
from .acting_memory import ActingMemory
from .decisions import ReadyEnvs
from .finite import FiniteWatch


class MultitaskPolicy(Policy):
    """
    Overview:
        Base of all policies. To DI-engine's learn, collect and eval modes it adds the hooks that the training entry
        calls; each does nothing, or the simplest thing, unless a policy overrides it. In collect and eval mode one
        call acts in all environments that are ready, of all tasks, each with a memory of its current episode.
    Interfaces:
        A policy must implement ``_act``, ``_memory_sizes`` and ``_action_table``, and DI-engine's ``_forward_learn``,
        ``_state_dict_learn`` and ``_load_state_dict_learn``.
    """

    _allowed: Optional[np.ndarray] = None  # the table of legal actions, on the host

    def __init__(
            self, cfg: EasyDict, model: Optional[torch.nn.Module] = None, enable_field: Optional[List[str]] = None
    ) -> None:
        if cfg.get('multi_gpu'):
            raise ValueError('policy.multi_gpu is True: leave it False, torchrun alone starts several processes')
        self._finite = FiniteWatch(cfg.tasks)
        super().__init__(cfg, model, enable_field)

    @property
    def _device(self) -> str:
        """Where this process computes. DI-engine's constructor would have all processes use the first GPU."""
        return f'cuda:{torch.cuda.current_device()}' if self._cuda else 'cpu'

    @_device.setter
    def _device(self, device: str) -> None:
        pass

    # ------------------------------------------------------------------ hooks of the training entry

    @property
    def warmup_steps(self) -> int:
        """Updates on random play alone, before ``group_tasks`` is called."""
        return 0

    def group_tasks(self, batches: Iterable[TaskBatch]) -> Optional[Dict[str, Any]]:
        """
        Overview:
            Group the tasks, once, after the warm-up and before the first update of training.
        Arguments:
            - batches (:obj:`Iterable[TaskBatch]`): Real sequences of every task, drawn when they are iterated over.
        Returns:
            - grouping (:obj:`Optional[dict]`): 'clusters': the cluster of each task; 'similarity': (K, K), or None.
              None for a policy that doesn't group tasks.
        """
        return None

    @property
    def active_tasks(self) -> List[int]:
        """Ids of the tasks that are collected and trained, ascending."""
        return list(range(len(self._cfg.tasks)))

    def on_evaluation(self, returns: Mapping[str, float]) -> None:
        """Called after each evaluation, with the mean return of every task; it may change ``active_tasks``."""

    def reanalysis_due(self) -> int:
        """
        Called after each collection: the number of sequences of the replay whose steps `reanalyze` should search anew.
        """
        return 0

    def task_state(self) -> List[Tensor]:
        """
        Tensors (K, ...) that learning keeps for each task, and of which under several ranks only the task's own rank
        has the row as it is: `share_task_state`.
        """
        return [self._action_table()]

    def share_task_state(self, own: Sequence[int]) -> None:
        """Called before updates and checkpoints, with the tasks of this rank: have others' rows from their ranks."""
        told_by_owners(self.task_state(), own)

    def check_finite(self) -> None:
        """Called once per cycle of updates: raises if a value recorded in ``self._finite`` was not finite."""
        self._finite.check()

    def report(self, batch: TaskBatch) -> Dict[str, Any]:
        """
        Overview:
            What can be shown of the networks, on a batch with at least one sequence of each task.
        Returns:
            - pictures (:obj:`dict`): Any of: 'open_loop', task name -> (3, L, C, H, W) array in [0, 1] with the rows
              true, imagined and difference, and with it 'context', the number of real frames at its start; 'router',
              (K', E) weights of the experts of each of the batch's tasks, ascending.
        """
        return {}

    def diagnose(self, batches: Iterable[TaskBatch], plays: Mapping[int, RecordedPlay]) -> Optional[Dict[str, Any]]:
        """
        Overview:
            Measure, without changing anything, the networks' plasticity on real sequences of the tasks, and where
            learning stops on play that was never trained on.
        Arguments:
            - plays (:obj:`Sequence[RecordedPlay]`): The beginning of an evaluation episode of each task.
        Returns:
            - diagnosis (:obj:`Optional[dict]`): 'scalars': name -> number; 'conflict': shared part -> (K, K) cosines of
              the tasks' gradients. None for a policy that measures nothing.
        """
        return None

    def acting_state(self) -> Dict[str, Any]:
        """What acting in this rank's environments has changed, for exact resume."""
        return dict(collect_memory=self._collect_memory.state_dict())

    def load_acting_state(self, state: Dict[str, Any]) -> None:
        """Go back to such a state."""
        self._collect_memory.load_state_dict(state['collect_memory'])

    @property
    def target_networks(self) -> List[torch.nn.Module]:
        """Networks that learning needs in addition to the model."""
        return []

    def load_networks(self, networks: Dict[str, Tensor]) -> None:
        """Load the networks of another run; RuntimeError if they do not fit."""
        self._model.load_state_dict(networks)

    # ------------------------------------------------------------------ collect and eval

    @abstractmethod
    def _memory_sizes(self) -> Tuple[int, int]:
        """How many steps of an episode are remembered, and the width of a latent."""

    @abstractmethod
    def _action_table(self) -> Tensor:
        """(K, A) bool, a buffer of the model: the legal actions of each task."""

    @abstractmethod
    def _act(self, memory: ActingMemory, ready: ReadyEnvs, epsilon: float, evaluating: bool) -> Dict[int, Dict]:
        """
        Overview:
            Choose an action for each environment.
        Arguments:
            - memory (:obj:`ActingMemory`): Read, and extended by this step.
            - epsilon (:obj:`float`): Share of uniformly random legal actions; 1 is random play.
            - evaluating (:obj:`bool`): Act without exploration.
        Returns:
            - output (:obj:`dict`): By env id, see `worker_output`.
        """

    def _memory(self, envs_per_task: int) -> ActingMemory:
        num_envs, model = envs_per_task * len(own_tasks(len(self._cfg.tasks))), self._cfg.model
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
        """See ``_act``; the signature is LightZero's."""
        ready = self._ready(self._collect_memory, data, action_mask, ready_env_id, timestep)
        return self._act(self._collect_memory, ready, epsilon, evaluating=False)

    def _forward_eval(
            self, data: Tensor, action_mask: List = None, to_play: List = (-1, ), ready_env_id=None,
            timestep: List = (0, ), task_id: int = None, **kwargs
    ) -> Dict[int, Dict]:
        """Like `_forward_collect`, without exploration; LightZero's evaluator passes float frames in 0..255."""
        ready = self._ready(self._eval_memory, data, action_mask, ready_env_id, timestep)
        return self._act(self._eval_memory, ready, epsilon=0.0, evaluating=True)

    def _ready(self, memory: ActingMemory, data: Tensor, action_mask: List, env_ids, timestep: List) -> ReadyEnvs:
        env_ids, own = list(env_ids), own_tasks(len(self._cfg.tasks))
        envs_per_task = len(memory.steps) // len(own)
        tasks = [own[env_id // envs_per_task] for env_id in env_ids]
        legal = np.asarray(action_mask, dtype=bool).reshape(len(env_ids), -1)
        self._allow(tasks, legal)
        return ReadyEnvs(data.to(torch.uint8), legal, env_ids, tasks, timestep)

    def _allow(self, tasks: List[int], legal: np.ndarray) -> None:
        """Record which actions the tasks' environments allow; training is restricted to them as well."""
        table = self._action_table()
        if self._allowed is None:
            self._allowed = table.cpu().numpy()
        if not np.array_equal(self._allowed[tasks], legal):
            self._allowed[tasks] = legal
            table.copy_(torch.from_numpy(self._allowed))

    def _autocast(self) -> torch.autocast:
        """bfloat16 on a GPU, float32 on CPU."""
        return torch.autocast('cuda', torch.bfloat16, enabled=self._cuda and self._cfg.bf16)

    def _reset_collect(self, env_id=None, current_steps=None, reset_init_data=True, task_id=None, **kwargs) -> None:
        self._collect_memory.reset(env_id)

    def _reset_eval(self, env_id=None, current_steps=None, reset_init_data=True, task_id=None, **kwargs) -> None:
        self._eval_memory.reset(env_id)

    def _process_transition(self, *_) -> None:
        """Part of DI-engine's transition interface; LightZero's collectors build segments themselves."""
        raise RuntimeError(f"policy {self._cfg.type} collects segments: use LightZero's collectors, not DI-engine's")

    _get_train_sample = _process_transition
