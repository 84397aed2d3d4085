"""Replay of MoW: per-task rings of steps, sampled as sequences."""
from .batch import SequenceBatch
from .game_buffer_mow import MoWGameBuffer
