"""The suite of Meta-World tasks. Light: imports no simulator."""
from typing import Annotated, Literal, get_args

from .envs import EnvKeys, ManagerKeys, Suite, refuse_unknown
from .fields import MAY_CHANGE, Count, Positive, Whole

# In the package's order (its names end in -v3), which is not alphabetical.
MT50 = (
    'assembly', 'basketball', 'bin-picking', 'box-close', 'button-press-topdown', 'button-press-topdown-wall',
    'button-press', 'button-press-wall', 'coffee-button', 'coffee-pull', 'coffee-push', 'dial-turn', 'disassemble',
    'door-close', 'door-lock', 'door-open', 'door-unlock', 'hand-insert', 'drawer-close', 'drawer-open', 'faucet-open',
    'faucet-close', 'hammer', 'handle-press-side', 'handle-press', 'handle-pull-side', 'handle-pull', 'lever-pull',
    'pick-place-wall', 'pick-out-of-hole', 'pick-place', 'plate-slide', 'plate-slide-side', 'plate-slide-back',
    'plate-slide-back-side', 'peg-insert-side', 'peg-unplug-side', 'soccer', 'stick-push', 'stick-pull', 'push',
    'push-wall', 'push-back', 'reach', 'reach-wall', 'shelf-place', 'sweep-into', 'sweep', 'window-open', 'window-close'
)
MOVED = {'corner2': (0.75, 0.075, 0.7)}  # where a camera stands, if not where the package has it
Profile = Literal['fast', 'full']  # of pictures
PROFILES = get_args(Profile)
MAX_STEPS = 500  # of the simulator, which refuses more
NUM_GOALS = 50


class MetaWorldManagerKeys(ManagerKeys):
    """Keys of DI-engine's environment manager."""
    # (float) Seconds, a minute in DI-engine. The first reset draws the goals and opens the renderer: seconds each,
    # and many at once where there are more processes than cores.
    connect_timeout: Positive = 1800.0


class MetaWorldKeys(EnvKeys):
    """Keys of Meta-World's environments."""
    # (str) Actions are numbers, of which all are legal.
    action_space: Literal['full'] = 'full'
    # (str) One of the package's cameras. corner2 is moved twice as near (MOVED), to where papers that learn from
    # pictures have had it since MWM (Seo et al. 2022).
    camera: Literal['topview', 'corner', 'corner2', 'corner3', 'corner4', 'behindGripper', 'gripperPOV'] = 'corner2'
    # (str) 'fast': without shadows, reflections and anti-aliasing, for drawing without a GPU; 'full': with them.
    render_profile: Profile = 'fast'
    # (int) Simulator steps for which an action is held; one environment step, whose reward is their sum.
    action_repeat: Count = 1
    # (str) 'fixed': the benchmark's 50 goals and object positions per task, drawn from goal_seed (int); in evaluation
    # one after the other. 'free': another one every episode.
    goals: Literal['fixed', 'free'] = 'fixed'
    goal_seed: Whole = 0
    # (str) The package's reward function.
    reward_version: Literal['v1', 'v2'] = 'v2'
    # (int) Environment steps after which an episode is truncated; nothing else ends it.
    max_episode_steps: Count = MAX_STEPS
    # (int) Episodes per task in an evaluation, a multiple of evaluator_env_num; 0: one in each environment. Other
    # suites do not have it: LightZero's evaluator shares episodes out evenly only where all are equally long.
    evaluation_episodes: Annotated[Whole, MAY_CHANGE] = 0
    manager: Annotated[MetaWorldManagerKeys, MAY_CHANGE] = MetaWorldManagerKeys()


def check_keys(env: dict) -> None:
    """Refuse keys that do not fit each other."""
    episodes, shared_by = env['evaluation_episodes'], env['evaluator_env_num']
    if episodes % shared_by:
        raise ValueError(f'env.evaluation_episodes is {episodes}, no multiple of env.evaluator_env_num = {shared_by}')
    steps = env['max_episode_steps'] * env['action_repeat']
    if steps > MAX_STEPS:
        raise ValueError(
            f'env.max_episode_steps x env.action_repeat is {steps}: Meta-World ends an episode after {MAX_STEPS} steps '
            f"of the simulator: lower env.max_episode_steps to {MAX_STEPS // env['action_repeat']}"
        )


def check_task(task: str) -> None:
    """Refuse a name that is no task's."""
    refuse_unknown(task, MT50, hint=' (names are as in MT50, without -v3)')


METAWORLD = Suite(
    'metaworld_mow', MetaWorldKeys, check_task, num_actions=4, continuous=True, check_keys=check_keys,
    players=dict(expert='scripted experts')
)
