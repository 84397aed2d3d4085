"""Benchmarks, each started with ``python -m lzero_mow.studies.bench.NAME``."""
from lzero_mow.utils.quiet import quiet_imports

with quiet_imports():
    import lzero_mow.entry  # and with it DI-engine and LightZero, without their banners
