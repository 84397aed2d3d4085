"""Importing DI-engine and LightZero without their banners, and with one clear line if they are missing."""
import contextlib
import importlib
import logging
import sys
import warnings
from typing import Iterator

REQUIRED = ('ding', 'ditk', 'lzero')  # what DI-engine and LightZero install
DEPRECATIONS = (FutureWarning, DeprecationWarning, PendingDeprecationWarning)
# gym makes all deprecation warnings of the process visible, by adding this filter.
GYM_FILTER = ('once', None, DeprecationWarning, None, 0)


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """
    Silence what importing DI-engine and LightZero is known to print: gym's notice that it is unmaintained, deprecation
    warnings (treevalue, wandb), and log lines below ERROR about missing optional packages (pyecharts, transformers).
    Errors, other warnings and all other output to stderr are shown as usual, and changes that these imports make to the
    process's logging and warning settings are undone.

    A missing DI-engine or LightZero is a ``ModuleNotFoundError`` that says how to install them.
    """
    try:
        with _no_gym_notice(), _no_deprecation_warnings(), _no_log_lines():
            yield
    except ModuleNotFoundError as error:
        if error.name not in REQUIRED:
            raise
        raise ModuleNotFoundError(
            f"lzero_mow needs LightZero and DI-engine, but there is no module {error.name!r}: "
            "install requirements.lock (see README)", name=error.name
        ) from error


@contextlib.contextmanager
def _no_gym_notice() -> Iterator[None]:
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module('gym_notices.notices').notices.clear()
    yield


@contextlib.contextmanager
def _no_deprecation_warnings() -> Iterator[None]:
    # Not `catch_warnings`, which would also undo filters that numpy, torch and others set for good reasons.
    had_gym_filter = GYM_FILTER in warnings.filters
    show = warnings.showwarning

    def show_others(message, category, *args, **kwargs):
        if not issubclass(category, DEPRECATIONS):
            show(message, category, *args, **kwargs)

    warnings.showwarning = show_others
    try:
        yield
    finally:
        warnings.showwarning = show
        if not had_gym_filter and GYM_FILTER in warnings.filters:
            warnings.filters.remove(GYM_FILTER)


@contextlib.contextmanager
def _no_log_lines() -> Iterator[None]:
    # If the root logger has no handler, the first `logging.warning` of an imported module would add one permanently.
    root = logging.getLogger()
    disabled = root.manager.disable
    guard = logging.StreamHandler(sys.stderr)
    if not root.handlers:
        root.addHandler(guard)
    logging.disable(max(disabled, logging.WARNING))
    try:
        yield
    finally:
        logging.disable(disabled)
        root.removeHandler(guard)
