"""Rendering MuJoCo scenes without a display: which GL library to use, and a renderer, many per process."""
import atexit
import functools
import os
import subprocess
import sys
from typing import Any, Optional, Tuple

import numpy as np

BACKENDS = ('egl', 'osmesa')  # in the order of trial
PROBE_SECONDS = 120
PACKAGES = 'apt install libegl1 libopengl0 libgl1-mesa-dri (or libosmesa6)'
# Renders a lit box, and fails if the picture is black.
_PROBE = """
import mujoco
model = mujoco.MjModel.from_xml_string(
    '<mujoco><worldbody><light pos="0 0 3"/><geom type="box" size="1 1 1"/></worldbody></mujoco>')
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
renderer = mujoco.Renderer(model, 16, 16)
renderer.update_scene(data)
assert renderer.render().any(), 'the picture is black'
renderer.close()
"""
_GL_VARIABLES = ('MUJOCO_GL', 'PYOPENGL_PLATFORM')


@functools.lru_cache(maxsize=None)
def choose_gl() -> str:
    """
    Choose the GL library for this process and its children, and set MUJOCO_GL to it: the one named there, else EGL,
    else OSMesa. Each is tried in a process of its own (1.5 s), because a failed ``import mujoco`` cannot be undone.
    ValueError if neither can render, with the packages to install.
    """
    if 'mujoco' in sys.modules:
        from mujoco.gl_context import GLContext
        backend = GLContext.__module__.rpartition('.')[-1]
        if backend not in BACKENDS:
            raise ValueError(f'mujoco already uses {backend}, which needs a display: start Python with MUJOCO_GL=egl')
        return backend
    wanted = os.environ.get('MUJOCO_GL', '').lower().strip()
    if wanted and wanted not in BACKENDS:
        raise ValueError(f"MUJOCO_GL is '{wanted}', which needs a display: unset it, or set it to egl or osmesa")
    failures = []
    for backend in (wanted, ) if wanted else BACKENDS:
        environment = {name: value for name, value in os.environ.items() if name not in _GL_VARIABLES}
        try:
            probe = subprocess.run(
                [sys.executable, '-c', _PROBE], env=dict(environment, MUJOCO_GL=backend), capture_output=True,
                text=True, timeout=PROBE_SECONDS
            )
        except subprocess.TimeoutExpired:
            failures.append(f'{backend}: no picture after {PROBE_SECONDS} seconds')
            continue
        if probe.returncode == 0:
            os.environ['MUJOCO_GL'] = backend
            os.environ.pop('PYOPENGL_PLATFORM', None)  # set for another backend, it would break this one
            return backend
        failures.append(f'{backend}: {(probe.stderr.strip() or str(probe.returncode)).splitlines()[-1]}')
    raise ValueError(f"cannot render without a display: {PACKAGES}; {'; '.join(failures)}")


class Renderer:
    """
    Renders one MuJoCo model: ``mujoco.Renderer`` with its GL context made current before every call. Otherwise two
    renderers in one process draw, or delete, each other's scenes. The profile 'fast' is without shadows, reflections
    and anti-aliasing, which take nine tenths of the time in software rendering. RuntimeError in a process that was
    forked from one with a GL context.
    """

    _first_process: Optional[int] = None  # the first with a GL context; a process forked from it would hang

    def __init__(self, model: Any, camera: str, size: Tuple[int, int], profile: str) -> None:
        import mujoco
        if Renderer._first_process not in (None, os.getpid()):
            raise RuntimeError(
                'this process was forked from one that has already rendered: set create.env_manager.type=base, or '
                'start the environments from a new process'
            )
        Renderer._first_process = os.getpid()
        fast = profile == 'fast'
        model.vis.global_.offheight, model.vis.global_.offwidth = size
        if fast:
            model.vis.quality.shadowsize, model.vis.quality.offsamples = 0, 0
        self._camera = camera
        self._renderer = mujoco.Renderer(model, *size)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._renderer.scene.flags[flag] = not fast
        atexit.register(self.close)  # closing it after the modules are gone raises a traceback

    def render(self, data: Any) -> np.ndarray:
        """The scene in state ``data``: uint8 (height, width, 3)."""
        self._renderer.update_scene(data, self._camera)
        return self._renderer.render()

    def close(self) -> None:
        """Free the GL context; called at exit if not before."""
        if self._renderer is not None:
            atexit.unregister(self.close)
            self._renderer._gl_context.make_current()
            self._renderer.close()
            self._renderer = None
