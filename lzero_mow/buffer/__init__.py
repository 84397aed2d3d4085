"""Replay: per-task rings of steps, sampled as sequences, for MoW and, with search statistics, for ScaleZero."""
from .batch import SequenceBatch
from .game_buffer_mow import MoWGameBuffer
from .game_buffer_scalezero import ScaleZeroGameBuffer
from .replay import Replay
from .search_batch import SearchBatch
