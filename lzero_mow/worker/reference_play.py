"""Play of a reference player: at random, or by a script that an environment brings with it."""
from typing import Dict

import numpy as np
from easydict import EasyDict


def play(env_cls: type, cfg: EasyDict, player: str, seed: int, episodes: int) -> Dict[str, np.ndarray]:
    """
    Play one environment, whose method ``<player>_action`` says what the player does and whose episodes follow from the
    seed. Returns ``return`` and what it reports at an episode's end, (episodes, ) each.
    """
    env = env_cls(cfg)
    env.seed(seed)
    choose = getattr(env, f'{player}_action')
    take = getattr(env, 'play', env.step)  # nobody looks at a frame
    ends = []
    for _ in range(episodes):
        env.reset()
        info = {}
        while 'eval_episode_return' not in info:
            info = take(choose())[-1]
        ends.append({'return': info['eval_episode_return'], **info.get('episode_info', {})})
    env.close()
    return {name: np.array([end[name] for end in ends]) for name in ends[0]}


def play_tasks(env_cls: type, cfg: EasyDict, player: str, seed: int, episodes: int) -> Dict[str, np.ndarray]:
    """
    ``play`` every task of the part ``env`` of a configuration, in task order, with one environment for each: (K,
    episodes), in the form of `MoWEvaluator.eval_tasks`.
    """
    cfgs = env_cls.create_evaluator_env_cfg(EasyDict(cfg, evaluator_env_num=1))
    ends = [play(env_cls, own, player, seed, episodes) for own in cfgs]
    return {name: np.array([of_task[name] for of_task in ends]) for name in ends[0]}
