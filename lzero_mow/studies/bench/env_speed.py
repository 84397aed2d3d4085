"""
Environment steps per second: ours, alone and in DI-engine's managers, beside gymnasium's and ALE's own.

    python -m lzero_mow.studies.bench.env_speed [--game Pong] [--envs 8] [--threads 2] [--rounds 5]

All play one game at random: 64x64 RGB, skip 4, maximum of the last two frames, 1-30 no-ops, restarts included. They
take turns in every round, so that a machine whose speed drifts is unfair to none; a row has the median of its rounds.
'of ALE' is the share of ale_py's vector environment, which steps in C++ threads. 'CPU us' is processor time per step, all
threads together, which other programs on the machine disturb less (it is not known for subprocesses).
"""
import argparse
import statistics
import time
from functools import partial
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from rich.console import Console
from rich.table import Table

from lzero_mow.config.atari import ale_id, check_game
from lzero_mow.utils.quiet import quiet_imports
from .command_line import command_line

VECTOR = 'ale_py AtariVectorEnv'


class Player(NamedTuple):
    """One row of the table."""
    play: Callable[[int], None]  # so many environment steps in all
    close: Callable[[], None]
    in_process: bool = True


class Speed(NamedTuple):
    """Medians over the rounds."""
    steps_per_second: float
    cpu_us: Optional[float]


def parse(arguments: Optional[List[str]]) -> argparse.Namespace:
    """The checked command line."""
    parser = command_line('env_speed', __doc__)
    parser.add_argument('--game', default='Pong', help='one of the 26 Atari 100k games (default: %(default)s)')
    parser.add_argument('--envs', type=int, default=8, help='environments of a manager (default: %(default)s)')
    parser.add_argument(
        '--threads', type=int, default=2, help='threads of the vector environment (default: %(default)s)'
    )
    parser.add_argument('--steps', type=int, default=2000, help='steps of a row in a round (default: %(default)s)')
    parser.add_argument('--rounds', type=int, default=5, help='rounds (default: %(default)s)')
    args = parser.parse_args(arguments)
    try:
        check_game(args.game)
    except ValueError as error:
        parser.error(str(error))
    if min(args.envs, args.threads, args.steps, args.rounds) < 1:
        parser.error('--envs, --threads, --steps and --rounds must be at least 1')
    return args


def main(arguments: Optional[List[str]] = None) -> None:
    """Measure and show the table."""
    args = parse(arguments)
    with quiet_imports():
        players = make_players(args)
    speeds = measure(players, args.steps, args.rounds)
    vector = speeds[vector_name(args.envs, args.threads)].steps_per_second
    table = Table(title=f'{args.game}, {args.rounds} rounds of {args.steps} steps')
    for column in ('', 'steps/s', 'of ALE', 'CPU us'):
        table.add_column(column, justify='right' if column else 'left')
    for name, (rate, cpu_us) in speeds.items():
        table.add_row(name, f'{rate:.0f}', f'{rate / vector:.0%}', f'{cpu_us:.0f}' if cpu_us else '')
    Console(width=110).print(table)


def make_players(args: argparse.Namespace) -> Dict[str, Player]:
    """Everything that is compared, by the name it has in the table."""
    import ale_py
    from ding.envs.env_manager import BaseEnvManager, SyncSubprocessEnvManager
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # or the first console prints a banner
    players = {
        'gymnasium AtariPreprocessing, 1 environment': gymnasium_player(args.game),
        'lzero_mow, 1 environment': single_player(args.game),
        f'lzero_mow, DI-engine base manager, {args.envs}': manager_player(BaseEnvManager, args),
        f'lzero_mow, DI-engine subprocess manager, {args.envs}': manager_player(SyncSubprocessEnvManager, args),
    }
    for threads in sorted({1, args.threads}):
        players[vector_name(args.envs, threads)] = vector_player(args.game, args.envs, threads)
    return players


def measure(players: Dict[str, Player], steps: int, rounds: int) -> Dict[str, Speed]:
    """Let every player play in turn, round after round; they are closed at the end."""
    seconds = {name: [] for name in players}
    cpu_seconds = {name: [] for name in players}
    try:
        for _ in range(rounds):
            for name, player in players.items():
                start, cpu_start = time.perf_counter(), time.process_time()
                player.play(steps)
                seconds[name].append(time.perf_counter() - start)
                cpu_seconds[name].append(time.process_time() - cpu_start)
    finally:
        for player in players.values():
            player.close()
    return {
        name: Speed(
            steps / statistics.median(seconds[name]),
            1e6 * statistics.median(cpu_seconds[name]) / steps if player.in_process else None
        )
        for name, player in players.items()
    }


def gymnasium_player(game: str) -> Player:
    """One environment, built as gymnasium's documentation says."""
    import ale_py
    from gymnasium.wrappers import AtariPreprocessing
    env = ale_py.AtariEnv(ale_id(game), frameskip=1, repeat_action_probability=0., full_action_space=True)
    env = AtariPreprocessing(env, screen_size=64, grayscale_obs=False)
    env.reset(seed=0)
    rng = _rng()

    def play(steps: int) -> None:
        for action in rng.integers(18, size=steps).tolist():
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    return Player(play, env.close)


def single_player(game: str) -> Player:
    """One environment of ours."""
    from lzero_mow.envs.atari import AtariMoWEnv
    env = AtariMoWEnv(dict(task=game))
    env.seed(0)
    env.reset()
    rng = _rng()

    def play(steps: int) -> None:
        for action in rng.integers(18, size=steps).tolist():
            if env.step(action).done:
                env.reset()

    return Player(play, env.close)


def manager_player(manager_cls: type, args: argparse.Namespace) -> Player:
    """Environments of ours in one of DI-engine's managers."""
    from ding.envs.env_manager import BaseEnvManager
    from easydict import EasyDict

    from lzero_mow.envs.atari import AtariMoWEnv
    cfgs = AtariMoWEnv.create_collector_env_cfg(dict(tasks=[args.game], collector_env_num=args.envs))
    manager_cfg = EasyDict(manager_cls.default_config(), **AtariMoWEnv.config['manager'])
    manager = manager_cls([partial(AtariMoWEnv, cfg) for cfg in cfgs], manager_cfg)
    manager.seed(0)
    manager.launch()
    rng = _rng()

    def play(steps: int) -> None:
        played = 0
        while played < steps:
            played += len(manager.step({env_id: int(rng.integers(18)) for env_id in manager.ready_obs}))

    return Player(play, manager.close, in_process=manager_cls is BaseEnvManager)


def vector_player(game: str, envs: int, threads: int) -> Player:
    """ALE's own vector environment."""
    from ale_py import AtariVectorEnv
    env = AtariVectorEnv(
        ale_id(game), envs, num_threads=threads, img_height=64, img_width=64, grayscale=False, stack_num=1,
        reward_clipping=False, use_fire_reset=False, full_action_space=True
    )
    env.reset(seed=0)
    rng = _rng()

    def play(steps: int) -> None:
        for _ in range(-(-steps // envs)):
            env.step(rng.integers(18, size=envs))

    return Player(play, env.close)


def vector_name(envs: int, threads: int) -> str:
    """Name of a row of ALE's vector environment."""
    return f'{VECTOR}, {envs}, threads: {threads}'


def _rng() -> Any:
    import numpy as np
    return np.random.default_rng(0)


if __name__ == '__main__':
    main()
