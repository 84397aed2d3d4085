"""
Playing the Atari environment at random and comparing what came out.
"""
import numpy as np
from easydict import EasyDict

from lzero_mow.envs.atari import AtariMoWEnv


def make_env(task, seed=None, dynamic_seed=False, **cfg):
    env = AtariMoWEnv(EasyDict(task=task, **cfg))
    if seed is not None:
        env.seed(seed, dynamic_seed=dynamic_seed)
    return env


def same_timestep(left, right):
    return (
        np.array_equal(left.obs['observation'], right.obs['observation']) and left.reward == right.reward
        and left.done == right.done and left.info == right.info and left.obs['timestep'] == right.obs['timestep']
    )


def roll(env, steps, seed=0):
    """Random play over as many episodes as it takes; the timesteps, with the first observation of each episode."""
    rng, trace = np.random.default_rng(seed), [env.reset()['observation']]
    for _ in range(steps):
        trace.append(env.step(int(rng.integers(18))))
        if trace[-1].done:
            trace.append(env.reset()['observation'])
    return trace


def same_trace(left, right):
    return len(left) == len(right) and all(
        np.array_equal(a, b) if isinstance(a, np.ndarray) else same_timestep(a, b) for a, b in zip(left, right)
    )
