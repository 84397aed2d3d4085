import os
import signal

import pytest

# Small tensors: one thread is the fastest and the most repeatable. Torch reads this at its import, hence here.
os.environ.setdefault('OMP_NUM_THREADS', '1')
# A shell's background jobs inherit Ctrl-C as ignored, and tests of it would wait forever.
signal.signal(signal.SIGINT, signal.default_int_handler)

MARKERS = ('unittest', 'envtest', 'gputest')


def pytest_collection_modifyitems(items: list) -> None:
    """
    Refuse tests that no selection by marker (``pytest -m unittest``) would ever run, and skip the GPU tests on a
    machine without a GPU.
    """
    unmarked = [item.nodeid for item in items if not any(item.get_closest_marker(name) for name in MARKERS)]
    if unmarked:
        raise pytest.UsageError(f"mark with one of {', '.join(MARKERS)}: {', '.join(unmarked)}")
    gpu_items = [item for item in items if item.get_closest_marker('gputest')]
    if gpu_items:
        import torch
        if not torch.cuda.is_available():
            for item in gpu_items:
                item.add_marker(pytest.mark.skip(reason='no CUDA device'))


@pytest.fixture
def in_tmp_path(tmp_path, monkeypatch):
    """Run the test in a temporary folder."""
    monkeypatch.chdir(tmp_path)
