"""A configuration as it runs here: checked, for this device, and compiled by DI-engine."""
import torch
from ding.config import compile_config
from ding.envs import get_env_cls
from ding.policy import get_policy_cls
from easydict import EasyDict

from lzero_mow.config.algorithms import ALGORITHMS
from lzero_mow.config.build import settle
from lzero_mow.config.keys import DERIVED_KEYS
from lzero_mow.config.tree import merge
from lzero_mow.config.validate import validate
from lzero_mow.model.common.grouped import has_grouped_product
from lzero_mow.utils.screen import started_here


def resolve(main_config: dict, create_config: dict, seed: int, max_env_step: int) -> dict:
    """
    Overview:
        LightZero's two configs as one tree, checked and with the defaults filled in.
    Raises:
        - ValueError: in one line for a key that is unknown, an invalid value or keys that contradict each other.
    """
    policy_type, policy = create_config['policy']['type'], main_config['policy']
    if policy_type not in ALGORITHMS:
        given = {key: value for key, value in policy.items() if f'policy.{key}' not in DERIVED_KEYS}
        defaults = get_policy_cls(EasyDict(create_config['policy'])).default_config()
        policy = merge({'policy': defaults}, {'policy': given})['policy']
    config = settle(
        dict(
            exp_name=main_config['exp_name'],
            method=main_config.get('method', policy_type) if policy_type in ALGORITHMS else policy_type, seed=seed,
            max_env_step=max_env_step, env=main_config['env'], policy=policy, create=create_config
        )
    )
    validate(config)
    return config


def on_device(config: dict) -> dict:
    """The configuration with ``policy.device`` decided if it is ``auto``; ValueError if there is no such device."""
    device, has_gpu = config['policy']['device'], torch.cuda.is_available()
    if device == 'auto':
        device = 'cuda' if has_gpu else 'cpu'
    elif device != 'cpu' and not has_gpu:
        raise ValueError(f'policy.device is {device} but torch finds no usable GPU: try --device cpu')
    if device != 'cpu' and started_here() > max(1, torch.cuda.device_count()):
        raise ValueError(
            f'torchrun starts {started_here()} processes on a machine with {torch.cuda.device_count()} GPUs: one for '
            'each GPU, or --device cpu'
        )
    if config['policy'].get('compile'):
        _check_compile(torch.device(device), config['policy']['bf16'])
    return dict(config, policy=dict(config['policy'], device=device, cuda=device.startswith('cuda')))


def _check_compile(device: torch.device, bf16: bool) -> None:
    """Refuse graphs that would be made anew for most batches, because they have the sizes of groups in them."""
    if device.type == 'cpu':
        raise ValueError('policy.compile is True: it is for GPUs, and costs more than it saves on a CPU')
    if not (bf16 and has_grouped_product(device)):
        raise ValueError(
            'policy.compile is True: it needs policy.bf16, torch 2.10 and a GPU of compute capability 9 or 10 (H100, '
            'B200); leave it out'
        )


def compile_run(config: dict) -> EasyDict:
    """Fill in the defaults of DI-engine's classes, as LightZero's entries do, without touching the run folder."""
    main, create = EasyDict({key: config[key] for key in ('exp_name', 'env', 'policy')}), EasyDict(config['create'])
    return compile_config(main, seed=config['seed'], auto=True, create_cfg=create, save_cfg=False)


def checked_env_cls(cfg: EasyDict) -> type:
    """
    Overview:
        The class of the environments that the part ``env`` of a configuration asks for, which it has checked.
    Raises:
        - ValueError: in one line, if they cannot be built from these keys, or if the class lacks what a run asks of it.
    """
    env_cls = get_env_cls(cfg)
    missing = [name for name in ('check', 'reference_scores') if not hasattr(env_cls, name)]
    if missing:
        lacks = ' and '.join(missing)
        raise ValueError(f"environment '{cfg.type}' lacks {lacks}: see lzero_mow.envs.visual_env.VisualEnv")
    env_cls.check(cfg)
    return env_cls
