"""What a configuration knows of the toy suite. Light: imports no environment."""
from typing import Annotated

from pydantic import Field

from lzero_mow.config.envs import EnvKeys, Suite
from lzero_mow.config.fields import Count, Frame
from lzero_mow.config.references import References

TASKS = {'Same': 0, 'Next': 1}  # how far the right button lies from the lamp


class ToyKeys(EnvKeys):
    """Keys of the toy environments."""
    obs_shape: Frame = (3, 16, 16)
    max_episode_steps: Count = 16
    # (int) Brightness of the lamp.
    brightness: Annotated[int, Field(ge=1, le=255)] = 255


def check_task(task: str) -> None:
    """Refuse a name that is no task's."""
    if task not in TASKS:
        raise ValueError(f'env.tasks names the unknown task {task!r}: there are {", ".join(TASKS)}')


TOY = Suite(
    'toy_mow', ToyKeys, check_task, num_actions=4, players=dict(script='a script that sees the lamp'),
    references=References(lambda task: (4.0, 16.0), 'script-normalised score', 'random play 0, the script 1')
)
