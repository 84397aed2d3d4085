"""
Parameters and megabytes of every module at a preset's size, beside the paper's numbers.

    python -m lzero_mow.studies.bench.model_size [--preset paper] [--tasks 26] [--method mow]

Counted as in MoW's paper: parameters and buffers of world model and agent, slow critic included, 4 bytes each,
1 MB = 2^20. For ScaleZero only the model that acts: its slowly moving copy is as large again.
"""
from typing import Dict, List, Tuple

from torch import nn

from lzero_mow.config.suites import algorithm_of
from lzero_mow.model.common.size import count_parameters
from lzero_mow.model.mow.mow_model import MoWModel
from lzero_mow.model.scalezero.moe import DenseFeedForward, MoEFeedForward
from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel
from .shared import parse, policy_config, show

Parts = Dict[str, Tuple[int, List[nn.Module]]]  # name: how many of it, and where they are
PAPER_MOW_MB, PAPER_STORM_MB = 972.5, 1977.5  # for 26 games: one MoW, and one STORM per game


def mow_parts(model: MoWModel) -> Parts:
    """MoW's modules."""
    world, agent = model.world_model, model.agent
    return {
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


def scalezero_parts(model: ScaleZeroModel) -> Parts:
    """ScaleZero's modules, those of all layers of the backbone together."""
    feed_forward = [block.feed_forward for block in model.backbone.blocks]
    sparse = [layer for layer in feed_forward if isinstance(layer, MoEFeedForward)]
    return {
        'encoder': (1, [model.encoder]),
        'attention': (1, [block.attention for block in model.backbone.blocks]),
        'dense feed-forward': (1, [layer for layer in feed_forward if isinstance(layer, DenseFeedForward)]),
        'expert': (len(sparse[0].share) if sparse else 0, [layer.experts for layer in sparse]),
        'shared expert': (1, [layer.shared for layer in sparse]),
        'router': (1, [layer.router for layer in sparse]),
        'heads of a task': (model.num_tasks, list(model.task_heads())),
    }


MODELS = {'mow': (MoWModel, mow_parts), 'scalezero': (ScaleZeroModel, scalezero_parts)}


def main() -> None:
    args = parse('model_size', __doc__, preset='paper', tasks=26, method='mow')
    storm = count_parameters(MoWModel(**policy_config('storm', 1).model))
    model_cls, parts_of = MODELS[algorithm_of(args.method)]
    model = model_cls(**policy_config(args.preset, args.tasks, args.method).model)
    megabytes = lambda n: f'{4 * n / 2 ** 20:.2f}'
    rows, rest = [], count_parameters(model)
    for name, (count, modules) in parts_of(model).items():
        if modules and all(module is not None for module in modules):
            total = sum(map(count_parameters, modules))
            rows.append((name, str(count), f'{total // count:,}', megabytes(total / count), megabytes(total)))
            rest -= total
    rows += [
        ('embeddings, norms and the like', '1', f'{rest:,}', megabytes(rest), megabytes(rest)),
        (),
        ('all', '', f'{count_parameters(model):,}', '', megabytes(count_parameters(model))),
        ('paper: MoW, 26 games', '', '', '', str(PAPER_MOW_MB)),
        ('ours: STORM, one game', '', f'{storm:,}', '', megabytes(storm)),
        ('paper: STORM, 26 x one game', '', '', f'{PAPER_STORM_MB / 26:.2f}', str(PAPER_STORM_MB)),
    ]
    title = f'{args.method}, {args.preset}, {args.tasks} tasks'
    show(title, ['module'], ['number', 'parameters each', 'MB each', 'MB'], rows)


if __name__ == '__main__':
    main()
