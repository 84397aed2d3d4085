"""What a run asks of a replay, whatever it keeps and however it samples."""
from typing import Any, Dict, List, Optional, Protocol, Sequence, Tuple, runtime_checkable

import numpy as np
from easydict import EasyDict

from .batch import TaskBatch


@runtime_checkable
class Replay(Protocol):
    """
    Overview:
        Any class with these methods that is registered in DI-engine's BUFFER_REGISTRY can be a run's replay: the
        configuration's ``create.replay_buffer`` gives its name and its module. It is constructed as
        ``cls(policy_config, tasks=task_names)``. It does not have to derive from this class or from LightZero's
        ``GameBuffer``, most of which is about search trees.
    """

    @classmethod
    def default_config(cls) -> EasyDict:
        """Default keys, which DI-engine asks for when it compiles a configuration; may be empty."""

    def push_game_segments(self, data_and_meta: Tuple[List[Any], List[Dict[str, Any]]]) -> None:
        """
        Overview:
            Store what was collected, and drop what no longer fits.
        Arguments:
            - data_and_meta (:obj:`Tuple`): ``[segments, metas]`` as `MoWSegmentCollector.collect` returns them, oldest
              first. A meta gives the environment and episode of its segment, and how each step ended.
        """

    def get_num_of_transitions(self) -> int:
        """The number of steps in the replay, all tasks together, for the log."""

    def sample(self, batch_size: int, tasks: Optional[Sequence[int]] = None) -> Any:
        """
        Overview:
            The data of one update, which `MultitaskPolicy._forward_learn` takes. A thread calls it during the update
            before, so it must draw random numbers of its own; nothing is pushed or saved meanwhile.
        Arguments:
            - batch_size (:obj:`int`): Sequences, all tasks together.
            - tasks (:obj:`Optional[Sequence[int]]`): Ids of the tasks to draw from, ascending; None for all.
        """

    def sample_for_report(self, n: int, rng: np.random.Generator) -> TaskBatch:
        """
        n sequences to measure or to draw, as evenly over all tasks as n allows. They must be drawn with `rng` alone, so
        that training is not affected.
        """

    def save(self, folder: str) -> Dict[str, Any]:
        """
        Overview:
            Write the replay's steps into a folder, without touching a file that an earlier manifest needs.
        Returns:
            - manifest (:obj:`Dict[str, Any]`): Plain values and tensors, which become part of the checkpoint.
        Raises:
            - OSError: The disk is full or not writable; earlier manifests stay valid.
        """

    def load(self, folder: str, manifest: Dict[str, Any]) -> None:
        """
        Overview:
            Become the replay that was saved: every later sample equals the one it would have drawn.
        Raises:
            - ValueError: Another replay was saved, or a file is missing or damaged.
        """

    def prune(self, folder: str, manifest: Dict[str, Any]) -> None:
        """Remove the files that a manifest doesn't need; called once the checkpoint with that manifest is durable."""
