"""One Meta-World task (Yu et al. 2020; v3 tasks, McLean et al. 2025) as agents see it: through a camera."""
import functools
import importlib.util
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from lzero_mow.config.metaworld import MOVED, NUM_GOALS
from .rendering import Renderer, choose_gl


@functools.lru_cache(maxsize=None)
def fixed_goals(task: str, seed: int) -> List[Any]:
    """The benchmark's 50 goals for a task (``metaworld.MT1``), drawn with a seed; takes a second or two."""
    import metaworld
    return metaworld.MT1(f'{task}-v3', seed=seed).train_tasks


class MetaWorldGame:
    """
    A game as ``lzero_mow.envs.visual_env`` defines it, whose episodes never terminate. ``size`` is the pictures' height
    and width; for the rest see ``MetaWorldKeys``. ValueError if this machine cannot render.
    """

    def __init__(
            self, task: str, size: Tuple[int, int], camera: str, render_profile: str, action_repeat: int, goals: str,
            goal_seed: int, reward_version: str
    ) -> None:
        choose_gl()
        self._task = task
        from metaworld.env_dict import ALL_V3_ENVIRONMENTS
        self._env = ALL_V3_ENVIRONMENTS[f'{task}-v3'](reward_function_version=reward_version)
        self._goals = fixed_goals(task, goal_seed)
        self._free, self._action_repeat = goals == 'free', action_repeat
        model = self._env.model
        camera_id = model.camera(camera).id
        if camera in MOVED:
            model.cam_pos[camera_id] = MOVED[camera]
        self._upside_down = model.cam_mat0[camera_id].reshape(3, 3)[2, 1] < 0  # its up vector points down
        self._renderer = Renderer(model, camera, size, render_profile)
        self.state = np.zeros(0)

    @property
    def screen(self) -> np.ndarray:
        """The latest picture: uint8 (height, width, 3)."""
        return self._picture

    def fingerprint(self) -> np.ndarray:
        """All positions and velocities, and the goal, as bytes."""
        data = self._env.data
        parts = (data.qpos, data.qvel, data.mocap_pos.ravel(), self._env._last_rand_vec)
        return np.concatenate([np.asarray(part, dtype=np.float64) for part in parts]).view(np.uint8)

    def reset(self, seed: int, goal: Optional[int] = None) -> np.random.Generator:
        """Start the episode of a seed, which decides the goal unless ``goal``, a fixed goal's index, does."""
        import mujoco
        rng, env = np.random.default_rng(seed), self._env
        drawn = rng.integers(NUM_GOALS)
        env.set_task(self._goals[drawn if goal is None else goal % NUM_GOALS])
        if self._free and goal is None:
            env._freeze_rand_vec, env.seeded_rand_vec = False, True
            env.seed(int(rng.integers(2 ** 31)))
        self.state, _ = env.reset()
        mujoco.mj_forward(env.model, env.data)  # otherwise the first picture shows the previous episode's goal
        return rng

    def step(self, action: np.ndarray) -> Tuple[float, bool, Dict[str, Any]]:
        """
        Hold an action for ``action_repeat`` simulator steps; returns the sum of their rewards. The info tells whether
        the task was done at any of these steps (``success``), and at the last one (``success_now``).
        """
        total, successes = 0., []
        for _ in range(self._action_repeat):
            self.state, reward, _, _, info = self._env.step(action)
            total += float(reward)
            successes.append(bool(info['success']))
        return total, False, {'success': any(successes), 'success_now': successes[-1]}

    def observe(self) -> np.ndarray:
        """
        The current frame: uint8 (3, height, width), upright; in corner2 the robot's base is on the left. RuntimeError
        that names the task if it can no longer be drawn.
        """
        try:
            picture = self._renderer.render(self._env.data)
        except Exception as error:  # each GL library raises its own
            raise RuntimeError(f'{self._task} can no longer be drawn: {error}') from error
        self._picture = picture[::-1, ::-1] if self._upside_down else picture
        return np.ascontiguousarray(self._picture.transpose(2, 0, 1))

    def close(self) -> None:
        """Free the renderer."""
        self._renderer.close()


def require_metaworld() -> None:
    """ValueError that says how to install Meta-World, an optional extra, if a part of it is missing."""
    missing = [name for name in ('metaworld', 'mujoco', 'packaging') if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f"Meta-World needs {', '.join(missing)}: pip install 'metaworld==3.1.1' packaging")
