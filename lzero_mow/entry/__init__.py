"""Training entries, as in ``lzero.entry``."""
from lzero_mow.utils.quiet import quiet_imports

with quiet_imports():  # these two import DI-engine and LightZero
    from .evaluate import evaluate
    from .train_multitask import train_multitask
