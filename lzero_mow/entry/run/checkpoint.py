"""
Checkpoints: written so that the last good one survives anything, read without executing what is in them.

A run folder holds ``ckpt/latest.pth.tar`` (all that a resumed run needs, but for the replay), ``ckpt/replay/`` (the
shards that ``latest`` lists) and ``ckpt/ckpt_best.pth.tar`` (the weights of the best evaluation).
"""
import os
import pickle
from typing import Any, BinaryIO, Dict, Optional, Protocol, Sequence

import torch

from lzero_mow.buffer.replay import Replay
from lzero_mow.policy.multitask_policy import MultitaskPolicy
from lzero_mow.utils.files import replacing
from lzero_mow.utils.paths import LATEST
from lzero_mow.utils.ranks import gathered, rank

FORMAT = 11
FOLDER = os.path.dirname(LATEST)
BEST = os.path.join(FOLDER, 'ckpt_best.pth.tar')
REPLAY = os.path.join(FOLDER, 'replay')
# The parts of which each rank has its own; the others are the same everywhere.
OF_RANK = ('acting', 'collector', 'replay', 'random', 'cost')
# What the warm-up writes into the run folder.
CURVE, CLUSTERS, SIMILARITY = WARM_UP = ('warm_up.csv', 'clusters.yaml', 'similarity.csv')


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written or read. The message is one line for the user."""


class Part(Protocol):
    """What a checkpoint is made of: anything with a state of tensors and plain values."""

    def state_dict(self) -> Any:
        """The state now."""

    def load_state_dict(self, state: Any) -> None:
        """Go back to a state."""


class _Recorded:
    """A file that remembers why a write failed: torch's zip writer reports only that one did."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: Optional[OSError] = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


def write_atomically(state: Any, path: str) -> None:
    """
    Overview:
        Save ``state`` so that ``path`` holds either its old content or the whole of the new one, whenever the process
        or the machine stops.
    Raises:
        - CheckpointError: if it cannot be written, for example because the disk is full; ``path`` is left as it was.
    """
    recorded = None
    try:
        with replacing(path) as temporary, open(temporary, 'wb') as file:
            recorded = _Recorded(file)
            torch.save(state, recorded)
    except (OSError, RuntimeError) as error:
        cause = error if recorded is None or recorded.error is None else recorded.error
        if not isinstance(cause, OSError):
            raise
        raise save_failure(path, cause) from cause


def save_failure(path: str, cause: OSError) -> CheckpointError:
    """The one line for a checkpoint (or a part of one, in the replay folder) that could not be written."""
    return CheckpointError(f'cannot save {path}: {cause.strerror or cause}; the last good checkpoint is untouched')


def read(path: str) -> dict:
    """
    Overview:
        Load a checkpoint into main memory. Nothing but tensors and plain values is ever built (``weights_only``).
    Raises:
        - CheckpointError: if there is none, or the file is damaged or no checkpoint of ours.
    """
    if not os.path.isfile(path):
        raise CheckpointError(f'there is no checkpoint {path}')
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split('\n')[0]
        raise CheckpointError(f'cannot read {path}: it is damaged or no checkpoint ({reason})') from error
    if not isinstance(state, dict) or state.get('format') != FORMAT:
        raise CheckpointError(f'cannot read {path}: it is no checkpoint of lzero_mow, or one of another version')
    return state


def save_run(run_dir: str, position: dict, parts: Dict[str, Part]) -> None:
    """
    Overview:
        Save a run: its parts, of which the replay writes new shards, then the checkpoint that lists them. Only then
        are the shards removed that it does not list. A stop at any point leaves a checkpoint and all of its shards. All
        ranks call it: each writes its shards, and rank 0 the checkpoint.
    Arguments:
        - position (:obj:`dict`): What the checkpoint says besides its parts.
        - parts (:obj:`dict`): Name -> part; one of them is the 'replay', a ``ReplayFolder``.
    Raises:
        - CheckpointError: if it cannot be written; the last one is untouched then.
    """
    states = {name: part.state_dict() for name, part in parts.items()}
    of_ranks = gathered({name: states.pop(name) for name in OF_RANK})
    if rank() == 0:
        write_atomically(dict(position, format=FORMAT, ranks=of_ranks, **states), os.path.join(run_dir, LATEST))
        parts['replay'].prune([own['replay'] for own in of_ranks])


def load_run(run_dir: str) -> dict:
    """Read what ``save_run`` saved: the position, and by name the state of every part."""
    path = os.path.join(run_dir, LATEST)
    if not os.path.isfile(path):
        raise CheckpointError(
            f"'{run_dir}' has no checkpoint yet ({path}): nothing can be resumed; remove the folder or start anew "
            'with another --exp-name'
        )
    return read(path)


def load_weights(policy: MultitaskPolicy, state: dict, path: str) -> None:
    """
    Overview:
        Take over the networks of a checkpoint of a run with the same ones. Nothing else is: optimizers, counters and
        running statistics of the policy stay as they are.
    Arguments:
        - state (:obj:`dict`), path (:obj:`str`): What ``read`` returned (``latest`` or ``ckpt_best``), and from where.
    Raises:
        - CheckpointError: if it holds no networks.
        - RuntimeError: if they differ.
    """
    networks = state['policy'].get('model')
    if networks is None:
        raise CheckpointError(f'there are no networks in {path}: its policy saves none')
    policy.load_networks(networks)


class ReplayFolder:
    """
    Overview:
        The replay as a part of a run: its steps lie in shards of their own, and its state lists them.
    Arguments:
        - replay (:obj:`Replay`): What is saved.
        - run_dir (:obj:`str`): The run folder.
    """

    def __init__(self, replay: Replay, run_dir: str) -> None:
        self._replay, self._folder = replay, os.path.join(run_dir, REPLAY)

    def state_dict(self) -> dict:
        """Write the shards that are new."""
        try:
            os.makedirs(self._folder, exist_ok=True)
            return self._replay.save(self._folder)
        except OSError as error:
            raise save_failure(self._folder, error) from error

    def load_state_dict(self, state: dict) -> None:
        self._replay.load(self._folder, state)

    def load_states(self, states: Sequence[dict]) -> None:
        """Load what is this rank's from the states of another number of ranks."""
        self.load_state_dict(self._replay.together(states))

    def prune(self, states: Sequence[dict]) -> None:
        """Remove the shards that the states of all ranks do not list."""
        self._replay.prune(self._folder, states[0] if len(states) == 1 else self._replay.together(states))


class ActingState:
    """What a policy remembers of the environments that it acts in, as a part of a run."""

    def __init__(self, policy: MultitaskPolicy) -> None:
        self.state_dict, self.load_state_dict = policy.acting_state, policy.load_acting_state


class WarmUpFiles:
    """The files of the warm-up in a run folder, of which every checkpoint has a copy: name -> text."""

    def __init__(self, run_dir: str) -> None:
        self._paths = {name: os.path.join(run_dir, name) for name in WARM_UP}

    def state_dict(self) -> Dict[str, str]:
        texts = {}
        for name, path in self._paths.items():
            if os.path.isfile(path):
                with open(path, newline='') as file:
                    texts[name] = file.read()
        return texts

    def load_state_dict(self, state: Dict[str, str]) -> None:
        """Put the files back, and remove those that were not there."""
        for name, path in self._paths.items():
            if name in state:
                with replacing(path) as temporary, open(temporary, 'w', newline='') as file:
                    file.write(state[name])
            elif os.path.isfile(path):
                os.remove(path)
