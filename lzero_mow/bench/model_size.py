"""Parameters and megabytes of every module at a preset's size, beside the paper's numbers.

    python -m lzero_mow.bench.model_size [--preset paper] [--tasks 26]

Counted as in the paper: parameters and buffers of world model and agent, slow critic included, 4 bytes each,
1 MB = 2^20.
"""
import argparse
from typing import Dict, List, Tuple

from rich.console import Console
from rich.table import Table
from torch import nn

from lzero_mow.bench.configs import policy_config
from lzero_mow.model.mow_model import MoWModel
from lzero_mow.model.size import numbers

PAPER_MOW_MB, PAPER_STORM_MB = 972.5, 76.06  # Table of model sizes: MoW for 26 games, STORM for one


def rows(model: MoWModel) -> List[Tuple[str, int, int]]:
    """(module, how many of it, numbers in all of them)."""
    world, agent = model.world_model, model.agent
    parts: Dict[str, Tuple[int, List[nn.Module]]] = {
        'encoder': (world.num_clusters, [world.vae.encoders]),
        'posterior head': (world.num_clusters, [world.vae.posterior_head]),
        'decoder': (world.num_clusters, [world.vae.decoders]),
        'prior head': (world.num_clusters, [world.prior_head]),
        'reward head': (world.num_clusters, [world.reward_head]),
        'continuation head': (world.num_clusters, [world.continuation_head]),
        'critic, slow critic': (world.num_clusters, [agent.critic, agent.slow_critic]),
        'expert transformer': (world.num_experts, [world.experts]),
        'shared transformer': (1, [world.shared]),
        'task head': (1, [world.task_head]),
        'router': (1, [world.router]),
        'actor': (1, [agent.actor]),
    }
    return [
        (name, count, sum(numbers(module) for module in modules)) for name, (count, modules) in parts.items()
        if all(module is not None for module in modules)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--preset', default='paper')
    parser.add_argument('--tasks', type=int, default=26)
    args = parser.parse_args()
    storm = numbers(MoWModel(**policy_config('storm', 1).model))
    model = MoWModel(**policy_config(args.preset, args.tasks).model)
    table = Table(title=f'{args.preset}, {args.tasks} tasks')
    for column in ('module', 'number', 'parameters each', 'MB each', 'MB'):
        table.add_column(column, justify='left' if column == 'module' else 'right')
    megabytes = lambda n: f'{4 * n / 2 ** 20:.2f}'
    listed = rows(model)
    rest = numbers(model) - sum(total for _, _, total in listed)
    for name, count, total in listed + [('task embeddings, weights, scales', 1, rest)]:
        table.add_row(name, str(count), f'{total // count:,}', megabytes(total / count), megabytes(total))
    table.add_section()
    table.add_row('all', '', f'{numbers(model):,}', '', megabytes(numbers(model)))
    table.add_row('paper: MoW, 26 games', '', '', '', str(PAPER_MOW_MB))
    table.add_row('ours: STORM, one game', '', f'{storm:,}', '', megabytes(storm))
    table.add_row('paper: STORM, 26 x one game', '', '', str(PAPER_STORM_MB), f'{26 * PAPER_STORM_MB:.1f}')
    Console(width=110).print(table)


if __name__ == '__main__':
    main()
