"""
MoW and ScaleZero: multi-task reinforcement learning with world models, as a LightZero plugin.

``import lzero_mow`` registers its environments, collector, evaluator, buffers, models and policies with DI-engine. The
command lines of this package stay light instead, so that ``--help`` and config errors answer at once: they call
``register()`` when their arguments are checked.
"""
import importlib
import sys

from lzero_mow.utils.quiet import quiet_imports

# Importing these modules is what registers our classes.
REGISTERING_MODULES = (
    'lzero_mow.envs.atari',
    'lzero_mow.envs.minatar',
    'lzero_mow.envs.metaworld',
    'lzero_mow.worker.collector',
    'lzero_mow.worker.evaluator',
    'lzero_mow.buffer.game_buffer_mow',
    'lzero_mow.model.mow.mow_model',
    'lzero_mow.policy.mow',
    'lzero_mow.buffer.game_buffer_scalezero',
    'lzero_mow.model.scalezero.scalezero_model',
    'lzero_mow.policy.scalezero',
)
# What `python -m` runs and stays light.
COMMANDS = ('lzero_mow', 'lzero_mow.studies.experiment.reference_play')


def register() -> None:
    """
    Overview:
        Register every class of this package in DI-engine's registries, by importing the modules that define them.
        Takes several seconds the first time (it imports torch, DI-engine and LightZero), nothing afterwards.
    Raises:
        - ModuleNotFoundError: when LightZero or DI-engine is not installed; the message says how to install them.
    """
    try:
        with quiet_imports():
            for module in REGISTERING_MODULES:
                importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name not in ('ding', 'ditk', 'lzero'):
            raise
        raise ModuleNotFoundError(
            f"lzero_mow needs LightZero and DI-engine, but there is no module {error.name!r}: "
            "install requirements.lock (see README)",
            name=error.name
        ) from error


def _is_command_line() -> bool:
    if sys.argv[:1] == ['-m']:  # the package of `python -m package.module` is being imported
        return any(argument.removeprefix('-m') in COMMANDS for argument in sys.orig_argv)
    return getattr(sys.modules.get('__main__'), 'LZERO_MOW_COMMAND', False)


if not _is_command_line():
    register()
