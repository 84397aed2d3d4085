"""
Environment steps per second: ours, alone and in DI-engine's managers, beside gymnasium's and ALE's own.

    python -m lzero_mow.studies.bench.env_speed [--game Pong] [--envs 8] [--steps 2000]

All play one of the 26 Atari 100k games at random: 64x64 RGB, skip 4, maximum of the last two frames, 1-30 no-ops,
restarts included. A manager has --envs environments. They take turns in every round of --steps, so that a machine whose
speed drifts is unfair to none; a row is the median of its rounds.
'of ALE' is relative to ale_py's vector environment, which steps in C++ threads.
"""
from contextlib import ExitStack
from functools import partial
from typing import Any, Callable, Tuple

import ale_py
import numpy as np
from ding.envs.env_manager import BaseEnvManager, SyncSubprocessEnvManager
from easydict import EasyDict
from gymnasium.wrappers import AtariPreprocessing
from rich.progress import track

from lzero_mow.config.atari import ale_id, check_game
from lzero_mow.envs.atari import AtariMoWEnv
from .shared import parse, show, timed

ROUNDS, THREADS = 5, 2
Play = Callable[[int], None]  # this many environment steps in all
Player = Tuple[Play, Callable[[], None]]  # with what closes it


def main() -> None:
    args = parse('env_speed', __doc__, lambda args: check_game(args.game), game='Pong', envs=8, steps=2000)
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # or the first console prints a banner
    ale = f'ale_py AtariVectorEnv, {args.envs}, threads: {THREADS}'
    players = {
        'gymnasium AtariPreprocessing, 1 environment': gymnasium_player(args.game),
        'lzero_mow, 1 environment': single_player(args.game),
        f'lzero_mow, DI-engine base manager, {args.envs}': manager_player(BaseEnvManager, args.game, args.envs),
        f'lzero_mow, DI-engine subprocess manager, {args.envs}':
            manager_player(SyncSubprocessEnvManager, args.game, args.envs),
        ale: vector_player(args.game, args.envs),
    }
    seconds = {name: [] for name in players}
    with ExitStack() as stack:
        for _, close in players.values():
            stack.callback(close)
        for _ in track(range(ROUNDS), transient=True):
            for name, (play, _) in players.items():
                seconds[name].append(timed(lambda: play(args.steps)))
    speeds = {name: args.steps / np.median(of_rounds) for name, of_rounds in seconds.items()}
    rows = [(name, f'{speed:.0f}', f'{speed / speeds[ale]:.0%}') for name, speed in speeds.items()]
    show(f'{args.game}, {ROUNDS} rounds of {args.steps} steps', [''], ['steps/s', 'of ALE'], rows)


def _random_player(env: Any, ends: Callable[[Any], bool]) -> Play:
    """Plays one environment at random, restarting it after a step that ``ends`` an episode."""
    rng = np.random.default_rng(0)

    def play(steps: int) -> None:
        for action in rng.integers(18, size=steps).tolist():
            if ends(env.step(action)):
                env.reset()

    return play


def gymnasium_player(game: str) -> Player:
    """One environment, built as gymnasium's documentation says."""
    env = ale_py.AtariEnv(ale_id(game), frameskip=1, repeat_action_probability=0., full_action_space=True)
    env = AtariPreprocessing(env, screen_size=64, grayscale_obs=False)
    env.reset(seed=0)
    return _random_player(env, lambda step: step[2] or step[3]), env.close  # terminated or truncated


def single_player(game: str) -> Player:
    """One environment of ours."""
    env = AtariMoWEnv(dict(task=game))
    env.seed(0)
    env.reset()
    return _random_player(env, lambda step: step.done), env.close


def manager_player(manager_cls: type, game: str, envs: int) -> Player:
    """Environments of ours in one of DI-engine's managers."""
    cfgs = AtariMoWEnv.create_collector_env_cfg(dict(tasks=[game], collector_env_num=envs))
    manager_cfg = EasyDict(manager_cls.default_config(), **AtariMoWEnv.config['manager'])
    manager = manager_cls([partial(AtariMoWEnv, cfg) for cfg in cfgs], manager_cfg)
    manager.seed(0)
    manager.launch()
    rng = np.random.default_rng(0)

    def play(steps: int) -> None:
        played = 0
        while played < steps:
            played += len(manager.step({env_id: int(rng.integers(18)) for env_id in manager.ready_obs}))

    return play, manager.close


def vector_player(game: str, envs: int) -> Player:
    """ALE's own vector environment."""
    env = ale_py.AtariVectorEnv(
        ale_id(game), envs, num_threads=THREADS, img_height=64, img_width=64, grayscale=False, stack_num=1,
        reward_clipping=False, use_fire_reset=False, full_action_space=True
    )
    env.reset(seed=0)
    rng = np.random.default_rng(0)

    def play(steps: int) -> None:
        for _ in range(-(-steps // envs)):
            env.step(rng.integers(18, size=envs))

    return play, env.close


if __name__ == '__main__':
    main()
