"""Training entries, as in ``lzero.entry``."""
from .evaluate import evaluate
from .train_multitask import train_multitask
