"""Training entries, as in ``lzero.entry``."""
from lzero_mow.utils.quiet import quiet_imports

with quiet_imports():  # what imports DI-engine and LightZero
    import lzero

    from .evaluate import evaluate
    from .train_multitask import train, train_multitask
