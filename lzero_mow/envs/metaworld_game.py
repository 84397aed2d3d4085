"""
One Meta-World task (Yu et al. 2020; v3 tasks, McLean et al. 2025) as agents see it: pictures of a camera.
"""
import functools
import importlib.util
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from lzero_mow.config.metaworld import MOVED, NUM_GOALS
from .rendering import Renderer, choose_gl


@functools.lru_cache(maxsize=None)
def fixed_goals(task: str, seed: int) -> List[Any]:
    """
    Overview:
        The benchmark's 50 goals of a task (``metaworld.MT1``), which take a second or two to draw.
    Arguments:
        - task (:obj:`str`): Without -v3; seed (:obj:`int`): Decides the goals.
    """
    import metaworld
    return metaworld.MT1(f'{task}-v3', seed=seed).train_tasks


class MetaWorldGame:
    """
    Overview:
        A game of ``lzero_mow.envs.visual_env``'s form. Nothing terminates an episode.
    Arguments:
        - task (:obj:`str`): Without -v3.
        - size (:obj:`Tuple[int, int]`): Height and width of the pictures.
        - camera, render_profile, action_repeat, goals, goal_seed, reward_version: see ``METAWORLD_CONFIG``.
    Raises:
        - ValueError: one line, if nothing can be drawn here.
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
        self._upside_down = model.cam_mat0[camera_id].reshape(3, 3)[2, 1] < 0  # its up points down
        self._renderer = Renderer(model, camera, size, render_profile)
        self.state = np.zeros(0)

    @property
    def screen(self) -> np.ndarray:
        """The latest picture: uint8 (height, width, 3)."""
        return self._picture

    def fingerprint(self) -> np.ndarray:
        """Positions and velocities of everything, and the goal, as bytes."""
        data = self._env.data
        parts = (data.qpos, data.qvel, data.mocap_pos.ravel(), self._env._last_rand_vec)
        return np.concatenate([np.asarray(part, dtype=np.float64) for part in parts]).view(np.uint8)

    def reset(self, seed: int, goal: Optional[int] = None) -> np.random.Generator:
        """
        Overview:
            Start the episode that belongs to a seed.
        Arguments:
            - seed (:obj:`int`): Decides the goal, if ``goal`` does not.
            - goal (:obj:`Optional[int]`): Number of one of the fixed goals.
        Returns:
            - rng (:obj:`np.random.Generator`): For random play.
        """
        rng, env = np.random.default_rng(seed), self._env
        number = rng.integers(NUM_GOALS)
        env.set_task(self._goals[number if goal is None else goal % NUM_GOALS])
        if self._free and goal is None:
            env._freeze_rand_vec, env.seeded_rand_vec = False, True
            env.seed(int(rng.integers(2 ** 31)))
        self.state, _ = env.reset()
        self._forward()  # or the first picture shows the goal of the episode before
        return rng

    def step(self, action: np.ndarray) -> Tuple[float, bool, Dict[str, Any]]:
        """
        Overview:
            Hold one action.
        Arguments:
            - action (:obj:`np.ndarray`): float32 (4, ), -1 to 1.
        Returns:
            - reward (:obj:`float`): Of all simulator steps together.
            - terminated (:obj:`bool`): Always False.
            - info (:obj:`dict`): ``success``: whether the task was done at any of these steps; ``success_now``: at the
              last one.
        """
        total, successes = 0., []
        for _ in range(self._action_repeat):
            self.state, reward, _, _, info = self._env.step(action)
            total += float(reward)
            successes.append(bool(info['success']))
        return total, False, {'success': any(successes), 'success_now': successes[-1]}

    def observe(self) -> np.ndarray:
        """
        Overview:
            A picture of this moment: uint8 (3, height, width), upright; in corner2 the robot's base is on the left.
        Raises:
            - RuntimeError: one line that names the task, if it cannot be drawn any more.
        """
        try:
            picture = self._renderer.render(self._env.data)
        except Exception as error:  # each GL library has its own
            raise RuntimeError(f'{self._task} cannot be drawn any more: {error}') from error
        self._picture = picture[::-1, ::-1] if self._upside_down else picture
        return np.ascontiguousarray(self._picture.transpose(2, 0, 1))

    def close(self) -> None:
        """Free the renderer."""
        self._renderer.close()

    def _forward(self) -> None:
        import mujoco
        mujoco.mj_forward(self._env.model, self._env.data)


def require_metaworld() -> None:
    """
    Overview:
        Say what to do where Meta-World, an optional extra, is not installed.
    Raises:
        - ValueError: one line.
    """
    missing = [name for name in ('metaworld', 'mujoco', 'packaging') if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"Meta-World needs {', '.join(missing)}, not installed: pip install 'metaworld==3.1.1' packaging"
        )
