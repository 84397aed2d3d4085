"""What the benchmarks' command lines share. Light: imports no torch."""
import argparse
from typing import Optional


def command_line(name: str, text: Optional[str]) -> argparse.ArgumentParser:
    """A benchmark's parser; the text is its docstring."""
    return argparse.ArgumentParser(
        prog=f'python -m lzero_mow.studies.bench.{name}', description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter
    )
