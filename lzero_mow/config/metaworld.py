"""
The part ``env`` of a configuration, for Meta-World. Light: imports no simulator.
"""


from .envs import SHARED_CONFIG, Rules, check_tasks, check_values, is_count, with_defaults
from .tree import nearest

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
ACTION_DIM = 4  # dx, dy, dz of the hand (1 is a centimetre), gripper
CAMERAS = ('topview', 'corner', 'corner2', 'corner3', 'corner4', 'behindGripper', 'gripperPOV')
MOVED = {'corner2': (0.75, 0.075, 0.7)}  # where a camera stands, if not where the package has it
PROFILES = ('fast', 'full')  # of pictures
MAX_STEPS = 500  # of the simulator, which refuses more
NUM_GOALS = 50

METAWORLD_CONFIG = dict(
    SHARED_CONFIG,
    # (str) One of the package's cameras. corner2 is moved twice as near (MOVED), to where papers that learn from
    # pictures have had it since MWM (Seo et al. 2022).
    camera='corner2',
    # (str) 'fast': without shadows, reflections and anti-aliasing, for drawing without a GPU; 'full': with them.
    render_profile='fast',
    # (int) Simulator steps for which an action is held; one environment step, whose reward is their sum.
    action_repeat=1,
    # (str) 'fixed': the benchmark's 50 goals and object positions a task, drawn from goal_seed; in evaluation one after
    # the other. 'free': another one every episode.
    goals='fixed',
    # (int) Decides the 50 goals.
    goal_seed=0,
    # (str) The package's reward function.
    reward_version='v2',
    # (int) Environment steps after which an episode is truncated; nothing else ends it.
    max_episode_steps=MAX_STEPS,
    # (int) Episodes per task in an evaluation, a multiple of evaluator_env_num; 0: one in each environment. Other suites
    # do not have it: LightZero's evaluator shares episodes out evenly only where all of them are equally long.
    evaluation_episodes=0,
    # (dict) The first reset draws the goals and opens the renderer: seconds each, and many at once where processes are
    # more than cores. DI-engine would wait for a minute.
    manager=dict(SHARED_CONFIG['manager'], connect_timeout=1800),
)
_RULES: Rules = {
    'action_space': ("'full': actions are numbers, of which all are legal", lambda value: value == 'full'),
    'camera': (' or '.join(CAMERAS), lambda value: value in CAMERAS),
    'render_profile': (' or '.join(PROFILES), lambda value: value in PROFILES),
    'action_repeat': ('a whole number of at least 1', lambda value: is_count(value, 1)),
    'goals': ("'fixed' or 'free'", lambda value: value in ('fixed', 'free')),
    'goal_seed': ('a whole number of at least 0', lambda value: is_count(value, 0)),
    'evaluation_episodes': ('a whole number of at least 0', lambda value: is_count(value, 0)),
    'reward_version': ("'v1' or 'v2'", lambda value: value in ('v1', 'v2')),
}


def check_config(cfg: dict) -> None:
    """
    Overview:
        Refuse a configuration that no environment can be built from.
    Arguments:
        - cfg (:obj:`dict`): The part ``env`` of a run's configuration.
    Raises:
        - ValueError: one line, for unknown or repeated tasks and values that make no sense.
    """
    cfg = with_defaults(METAWORLD_CONFIG, cfg)
    check_tasks(cfg.tasks, _check_task)
    check_values(cfg, _RULES)
    if cfg.evaluation_episodes % cfg.evaluator_env_num:
        raise ValueError(
            f'env.evaluation_episodes is {cfg.evaluation_episodes}: it must be a multiple of env.evaluator_env_num, '
            f'{cfg.evaluator_env_num}'
        )
    steps = cfg.max_episode_steps * cfg.action_repeat
    if steps > MAX_STEPS:
        raise ValueError(
            f'env.max_episode_steps x env.action_repeat is {steps}: Meta-World ends an episode after {MAX_STEPS} steps '
            f'of the simulator: lower env.max_episode_steps to {MAX_STEPS // cfg.action_repeat}'
        )


def _check_task(task: str) -> None:
    if task not in MT50:
        raise ValueError(
            f"env.tasks names the unknown task {task!r}: did you mean {', '.join(nearest(task, MT50))}? "
            '(names are as in MT50, without -v3)'
        )
