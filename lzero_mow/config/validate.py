"""
Checks of a configuration that need neither torch nor an environment: what is wrong, where, and what to do.

Every check raises ``ValueError`` with one line. They run before anything heavy is imported, so that a mistyped number
costs a second and not a minute.
"""
import os
from typing import Any

from . import atari as atari_config
from . import metaworld as metaworld_config
from . import minatar as minatar_config
from .algorithms import ALGORITHMS
from .common import is_number
from .keys import IDENTITY
from .saved import TOTAL_CONFIG
from .suites import one_model_per_task
from .tree import get, leaves

# Environment: the check of its part of the configuration.
SUITES = {
    'atari_mow': atari_config.check_config,
    'minatar_mow': minatar_config.check_config,
    'metaworld_mow': metaworld_config.check_config,
}
CHOICES = {
    'policy.model.norm': ('batch', 'group', 'layer'),
    'policy.model.router_gradient': ('straight_through', 'none'),
    'policy.task_weighting': ('harmonious', 'sum'),
    'policy.imagine_source': ('replay', 'batch'),
    'policy.lambda_bootstrap': ('next', 'current'),
    'policy.model.encoder': ('vit', 'resnet'),
    'policy.model.latent_norm': ('layer', 'sim'),
    'policy.model.router_norm': ('all', 'topk'),
    'policy.device': ('auto', 'cpu', 'cuda'),
}
# What has to be a whole number of at least one.
COUNTS = (
    'max_env_step', 'env.collector_env_num', 'env.evaluator_env_num', 'policy.replay_buffer_size', 'policy.batch_size',
    'policy.batch_length', 'policy.game_segment_length', 'policy.train_start_after_envsteps',
    'policy.imagine_batch_size', 'policy.context_length', 'policy.horizon', 'policy.acting_window', 'policy.eval_freq',
    'policy.checkpoint_freq', 'policy.report_freq', 'policy.log_freq', 'policy.model.num_clusters',
    'policy.model.stem_channels', 'policy.model.categories', 'policy.model.classes', 'policy.model.width',
    'policy.model.num_layers', 'policy.model.num_heads', 'policy.model.max_length', 'policy.model.agent_layers',
    'policy.model.agent_width', 'policy.model.temperature_steps', 'policy.num_unroll_steps', 'policy.td_steps',
    'policy.num_simulations', 'policy.eval_simulations', 'policy.entropy_target_updates', 'policy.model.patch_size',
    'policy.model.vit_width', 'policy.model.vit_layers', 'policy.model.vit_heads', 'policy.model.vit_head_width',
    'policy.model.vit_mlp_width', 'policy.model.resnet_channels', 'policy.model.resnet_blocks',
    'policy.model.embed_dim', 'policy.model.max_steps', 'policy.model.feed_forward_width', 'policy.model.stages',
    'policy.solved_patience', 'policy.stage_min_updates', 'policy.stage_max_updates'
)
# Numbers above zero.
POSITIVE = (
    'policy.replay_ratio', 'policy.learning_rate', 'policy.agent_learning_rate', 'policy.grad_clip',
    'policy.agent_grad_clip', 'policy.agent_eps', 'policy.return_scale_floor', 'policy.loss_weights.reconstruction',
    'policy.model.temperature_start', 'policy.model.unimix', 'policy.temperature', 'policy.root_dirichlet_alpha',
    'policy.entropy_learning_rate', 'policy.model.adapter_alpha', 'policy.pb_c_base', 'policy.pb_c_init',
    'policy.value_delta_max'
)
# Numbers that may be zero, which turns off what they weigh.
NOT_NEGATIVE = (
    'policy.weight_decay', 'policy.model.num_experts', 'policy.model.num_shared_experts', 'policy.model.adapter_rank'
)
LOSS_WEIGHTS = ('policy.loss_weights', 'policy.agent_loss_weights')  # groups of numbers that may be zero
# Shares and probabilities, and the largest value that makes sense.
SHARES = {
    'policy.discount_factor': 1.0,
    'policy.lambda_': 1.0,
    'policy.model.dropout': 0.99,
    'policy.model.unimix': 0.99,
    'policy.critic_ema': 1.0,
    'policy.return_ema': 1.0,
    'policy.label_smoothing': 1.0,
    'policy.target_momentum': 1.0,
    'policy.root_noise_weight': 1.0,
    'policy.model.vit_dropout': 0.99,
    'policy.model.adapter_dropout': 0.99,
}


def validate(config: dict) -> None:
    """
    Overview:
        Check a configuration (see ``lzero_mow.config.build``).
    Raises:
        - ValueError: for the first thing that cannot work. Keys that a method does not have are not asked for.
    """
    _check_run(config)
    _check_ranges(config)
    policy = config['create']['policy']['type']
    if policy in ALGORITHMS:
        _refuse_incomplete(config, {'policy': ALGORITHMS[policy].config})
        ALGORITHMS[policy].check(config)




def _check_run(config: dict) -> None:
    method, tasks = config['method'], config['env']['tasks']
    if one_model_per_task(method) and len(tasks) > 1:
        raise ValueError(
            f"method '{method}' is one model per task, and this run has {len(tasks)} tasks: name one with --games, or "
            f'train them all with `python -m lzero_mow experiment SUITE --methods {method}`'
        )
    if not _is_whole(config['seed']) or not 0 <= config['seed'] < 2 ** 32:
        raise ValueError(f"--seed is {config['seed']}: expected a whole number from 0 to {2 ** 32 - 1}")
    name = config['exp_name']
    if not isinstance(name, str) or not name:
        raise ValueError(f"exp_name is {name!r}: expected the name of a folder, such as exp_name=data_mow/my_run")
    if config['create']['env']['type'] in SUITES:
        _refuse_other_suites(config['create']['env']['type'], tasks)
        SUITES[config['create']['env']['type']](config['env'])
        _check_solved(config)
    elif not config['env']['tasks']:
        raise ValueError('env.tasks is empty: name at least one task')


def _refuse_other_suites(suite: str, tasks: Any) -> None:
    """A run's tasks share one kind of action, hence one suite."""
    for task in tasks if isinstance(tasks, (list, tuple)) else ():
        homes = [name for name in SUITES if _knows(name, task)]
        if homes and suite not in homes:
            raise ValueError(
                f"env.tasks names {task}, a task of {' and '.join(homes)}: a run's tasks share their actions, and have "
                f'to be of one suite, here {suite}'
            )


def _knows(suite: str, task: Any) -> bool:
    try:
        SUITES[suite](dict(tasks=[task]))
    except ValueError:
        return False
    return True


def _check_solved(config: dict) -> None:
    """Games in policy.solved_returns; not all of them have to be this run's."""
    solved = get(config, 'policy.solved_returns')
    if solved:
        if not isinstance(solved, dict):
            raise ValueError(f'policy.solved_returns is {solved}: expected a number per game, such as {{Pong: 20.0}}')
        try:
            SUITES[config['create']['env']['type']](dict(config['env'], tasks=list(solved)))
        except ValueError as error:
            raise ValueError(str(error).replace('env.tasks', 'policy.solved_returns')) from None


def _check_ranges(config: dict) -> None:
    for path, choices in CHOICES.items():
        value = get(config, path)
        if value is not None and value not in choices:
            raise ValueError(f"{path} is '{value}': expected {' or '.join(choices)}")
    for path in COUNTS:
        value = get(config, path)
        if value is not None and not (_is_whole(value) and value >= 1):
            raise ValueError(f'{path} is {value}: expected a whole number of at least 1')
    for path in POSITIVE:
        value = get(config, path)
        if value is not None and not (is_number(value) and value > 0):
            raise ValueError(f'{path} is {value}: expected more than 0')
    weights = [f'{group}.{term}' for group in LOSS_WEIGHTS for term in get(config, group) or ()]
    for path in (*NOT_NEGATIVE, *weights):
        value = get(config, path)
        if value is not None and not (is_number(value) and value >= 0):
            raise ValueError(f'{path} is {value}: expected 0 or more')
    for path, most in SHARES.items():
        value = get(config, path)
        if value is not None and not (is_number(value) and 0 <= value <= most):
            raise ValueError(f'{path} is {value}: expected 0 to {most}')


def _refuse_incomplete(config: dict, defaults: dict) -> None:
    for key in leaves(defaults):
        if get(config, key) is None and get(defaults, key) is not None:
            raise ValueError(
                f'{key} is missing: a run that another version of lzero_mow began goes on with that version alone'
            )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def check_run_folder(run_dir: str) -> None:
    """
    Overview:
        Check that a new run may use a folder. What a run leaves that failed before its first evaluation is no obstacle.
    Raises:
        - ValueError: if there is anything else in it.
    """
    if os.path.exists(run_dir) and (not os.path.isdir(run_dir) or set(os.listdir(run_dir)) - {TOTAL_CONFIG, 'log'}):
        raise ValueError(
            f"the folder '{run_dir}' holds a run already: go on with --resume {run_dir}, or choose another --exp-name"
        )


def run_identity(config: dict) -> dict:
    """
    Overview:
        What a resumed run has to share with the run it resumes: the tasks, and every leaf under ``IDENTITY``.
    Returns:
        - identity (:obj:`dict`): Dotted key -> value of plain types.
    """
    identity = {'env.tasks': list(config['env']['tasks'])}
    for path in IDENTITY:
        value = get(config, path)
        if isinstance(value, dict):
            identity.update({leaf: get(config, leaf) for leaf in leaves(value, path + '.')})
        else:
            identity[path] = value
    return {key: list(value) if isinstance(value, tuple) else value for key, value in identity.items()}


def check_identity(saved: dict, new: dict, run_dir: str) -> None:
    """
    Overview:
        Compare two results of ``run_identity``.
    Raises:
        - ValueError: that names the first key which differs.
    """
    for key in dict.fromkeys([*saved, *new]):
        if saved.get(key) != new.get(key):
            what = 'another task list' if key == 'env.tasks' else f'another {key}'
            raise ValueError(
                f"cannot resume '{run_dir}' with {what}: it was started with {_shown(saved.get(key))}, now "
                f'{_shown(new.get(key))} is asked for; start a new run with --exp-name'
            )


def _shown(value: Any) -> str:
    return ', '.join(map(str, value)) if isinstance(value, list) else str(value)
