"""Training entries, as in ``lzero.entry``."""
from .train_multitask import train_multitask
