"""
Pictures of MuJoCo scenes without a display: which GL library to use, and a renderer of which a process can have many.
"""
import atexit
import functools
import os
import subprocess
import sys
from typing import Any, Optional, Tuple

import numpy as np

BACKENDS = ('egl', 'osmesa')  # in the order in which they are tried
PROBE_SECONDS = 120
PACKAGES = 'apt install libegl1 libopengl0 libgl1-mesa-dri (or libosmesa6)'
# Draws one picture of a lit box, and fails where that comes out black.
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
    Overview:
        Choose the GL library for this process and its children: the one that MUJOCO_GL names, or else EGL, or else
        OSMesa. Each is tried in a process of its own (1.5 s), because a failed ``import mujoco`` cannot be undone.
    Returns:
        - backend (:obj:`str`): Now in MUJOCO_GL.
    Raises:
        - ValueError: one line, with the packages to install, if nothing can be drawn.
    """
    if 'mujoco' in sys.modules:
        from mujoco.gl_context import GLContext
        backend = GLContext.__module__.rpartition('.')[-1]
        if backend not in BACKENDS:
            raise ValueError(
                f'mujoco was imported before a library to draw with was chosen, and took {backend}: start Python with '
                'MUJOCO_GL=egl'
            )
        return backend
    wanted = os.environ.get('MUJOCO_GL', '').lower().strip()
    if wanted and wanted not in BACKENDS:
        raise ValueError(f"MUJOCO_GL is '{wanted}', which draws nothing without a display: unset it, or egl or osmesa")
    failures = []
    for backend in (wanted, ) if wanted else BACKENDS:
        environment = {name: value for name, value in os.environ.items() if name not in _GL_VARIABLES}
        try:
            probe = subprocess.run(
                [sys.executable, '-c', _PROBE], env=dict(environment, MUJOCO_GL=backend), capture_output=True,
                text=True, timeout=PROBE_SECONDS
            )
        except subprocess.TimeoutExpired:
            failures.append(f'{backend}: nothing drawn in {PROBE_SECONDS} seconds')
            continue
        if probe.returncode == 0:
            os.environ['MUJOCO_GL'] = backend
            os.environ.pop('PYOPENGL_PLATFORM', None)  # of another backend, it would stop this one
            return backend
        failures.append(f'{backend}: {(probe.stderr.strip() or str(probe.returncode)).splitlines()[-1]}')
    raise ValueError(f"no picture can be drawn without a display: {PACKAGES}; {'; '.join(failures)}")


class Renderer:
    """
    Overview:
        Pictures of one MuJoCo model. ``mujoco.Renderer`` with its GL context made current before every call, without
        which two renderers in one process draw, or delete, each other's scenes.
    Arguments:
        - model (:obj:`mujoco.MjModel`): Its buffer is made as small as the picture.
        - camera (:obj:`str`): A camera of the model.
        - size (:obj:`Tuple[int, int]`): Height and width.
        - profile (:obj:`str`): 'full', or 'fast': without shadows, reflections and anti-aliasing, which in software are
            nine tenths of the time.
    Raises:
        - RuntimeError: one line, in a process that was forked from one with a GL context.
    """

    _drawn_in: Optional[int] = None  # the process that first had a GL context; one forked from it would wait for ever

    def __init__(self, model: Any, camera: str, size: Tuple[int, int], profile: str) -> None:
        import mujoco
        if Renderer._drawn_in not in (None, os.getpid()):
            raise RuntimeError(
                'this process was forked from one that had drawn before: draw in neither or in both, with '
                'create.env_manager.type=base, or start the environments of a new process'
            )
        Renderer._drawn_in = os.getpid()
        fast = profile == 'fast'
        model.vis.global_.offheight, model.vis.global_.offwidth = size
        if fast:
            model.vis.quality.shadowsize, model.vis.quality.offsamples = 0, 0
        self._camera = camera
        self._renderer = mujoco.Renderer(model, *size)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._renderer.scene.flags[flag] = not fast
        atexit.register(self.close)  # a context that outlives the interpreter's modules ends in a traceback

    def render(self, data: Any) -> np.ndarray:
        """The scene as it is in ``data``: uint8 (height, width, 3)."""
        self._renderer.update_scene(data, self._camera)
        return self._renderer.render()

    def close(self) -> None:
        """Free the GL context; at the end of the process at the latest."""
        if self._renderer is not None:
            atexit.unregister(self.close)
            self._renderer._gl_context.make_current()
            self._renderer.close()
            self._renderer = None
