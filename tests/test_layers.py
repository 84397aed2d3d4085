"""The package is layers that import only downwards: imports inside functions and for type checkers count too."""
import ast
from collections import defaultdict
from pathlib import Path
from typing import Iterator, Tuple

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'lzero_mow'
# From the bottom up. A room is a folder or a top-level file of the package.
LAYERS = (
    'utils', 'config', 'envs', 'buffer', 'worker', 'model', 'agent', 'mcts', 'multitask', 'policy', 'report', 'entry',
    'studies', '__init__', 'cli', '__main__'
)


def imports(path: Path, package: Path = PACKAGE) -> Iterator[Tuple[str, int]]:
    """Every module of the package that a file imports, dotted and from the package on, with its line."""
    here = ('lzero_mow', *path.relative_to(package).with_suffix('').parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = '.'.join([*here[:-node.level], *([node.module] if node.module else [])]) if node.level \
                else node.module
            yield from ((f'{base}.{alias.name}', node.lineno) for alias in node.names)


def room_of(path: Path) -> str:
    """The folder or top-level file that a file stands in."""
    return path.relative_to(PACKAGE).with_suffix('').parts[0]


def room_imports() -> dict:
    """(room, other room that it imports) -> where."""
    found = defaultdict(list)
    for path in sorted(PACKAGE.rglob('*.py')):
        for name, line in imports(path):
            parts = name.split('.')
            if parts[0] != 'lzero_mow':
                continue
            other = parts[1] if len(parts) > 1 and parts[1] in LAYERS else '__init__'
            if other != room_of(path):
                found[room_of(path), other].append(f'{path.relative_to(PACKAGE)}:{line}')
    return found


@pytest.mark.unittest
def test_every_room_has_a_layer():
    assert {room_of(path) for path in PACKAGE.rglob('*.py')} == set(LAYERS)


@pytest.mark.unittest
def test_imports_run_downwards():
    found = room_imports()
    upward = {pair: where for pair, where in found.items() if LAYERS.index(pair[0]) < LAYERS.index(pair[1])}
    print(f'{len(LAYERS)} rooms, {len(found)} imports between them, {len(upward)} upward')
    assert not upward, '\n'.join(f'{a} imports {b}: {", ".join(where)}' for (a, b), where in upward.items())


@pytest.mark.unittest
def test_no_file_is_too_long_to_read():
    lengths = {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob('*.py')}
    assert max(lengths.values()) <= 300, [str(path) for path, lines in lengths.items() if lines > 300]


@pytest.mark.unittest
def test_no_line_is_wider_than_lightzeros():
    folders = (PACKAGE, PACKAGE.parent / 'zoo', PACKAGE.parent / 'tests')
    files = [path for folder in folders for path in folder.rglob('*.py')]
    assert not [f'{path}: {line}' for path in files for line in path.read_text().split('\n') if len(line) > 120]
