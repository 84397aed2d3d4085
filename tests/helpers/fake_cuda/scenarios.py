"""
What the policies do in a run, on the fake device: python -m helpers.fake_cuda.scenarios SCENARIO prints JSON, phase ->
{launches, waits, blocking}, the last two by place.
"""
import copy
import io
import json
import sys
from typing import Any, Callable, Dict, Iterator, Tuple

from helpers.fake_cuda import installed

installed()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.utils._pytree import tree_map  # noqa: E402

from helpers.fake_cuda.patches import patch  # noqa: E402
from helpers.fake_cuda.tensor import FakeDevice, FakeTensor, counts  # noqa: E402

Phases = Iterator[Tuple[str, Callable[[], Any]]]


def mow(preset: str, num_tasks: int, continuous: bool = False, **overrides: Any) -> Phases:
    """MoW with the structure of a preset and small layers: all that a run calls."""
    from lzero_mow.policy.mow import MoWPolicy
    from lzero_mow.studies.bench.shared import policy_config
    from lzero_mow.studies.bench.update_speed import random_sequences
    cfg = policy_config(preset, num_tasks)
    small = dict(width=16, num_heads=2, stem_channels=2, categories=4, classes=4, agent_width=16)
    cfg.model.update(small, task_embedding_dim=min(8, cfg.model.task_embedding_dim))
    cfg.model.num_clusters = min(cfg.model.num_clusters, num_tasks)
    cfg.update(cuda=True, device='cuda', collector_env_num=1, evaluator_env_num=1, imagine_batch_size=2 * num_tasks)
    cfg.update(batch_size=2 * num_tasks, batch_length=10, micro_batch_tasks=None, **overrides)
    if continuous:
        cfg.model.update(continuous_action_space=True, action_space_size=4)
    random = lambda rows, steps: with_actions(random_sequences(rows, steps, num_tasks), cfg.model)
    batch = lambda: random(cfg.batch_size, cfg.batch_length)
    fresh = lambda: random(cfg.imagine_batch_size, cfg.context_length)
    data = lambda: dict(world_model=batch(), imagine=fresh() if cfg.imagine_source == 'replay' else None)
    make = lambda: MoWPolicy(copy.deepcopy(cfg), enable_field=['learn', 'collect', 'eval'])
    policy = make()
    if num_tasks == 26:  # uneven, as from gradients
        policy._model.world_model.set_clusters(
            [0, 0, 1, 2, 1, 3, 1, 4, 5, 6, 6, 7, 1, 8, 9, 1, 3, 5, 6, 3, 2, 10, 1, 11, 1, 3]
        )
    yield 'first update', lambda: policy.learn_mode.forward(data())
    yield 'update', lambda: policy.learn_mode.forward(data())
    yield 'check', policy.check_finite
    yield from acting(policy, num_tasks)
    yield 'report', lambda: policy.report(batch())
    if num_tasks < 26:  # of many tasks it takes long
        yield 'diagnose', lambda: policy.diagnose(iter([batch(), batch()]), {0: play(batch())})
    yield 'save and load', lambda: load(policy, make())
    if num_tasks > 1:
        cfg.update(warmup_steps=1, clustering='gradient')
        warm = make()
        yield 'warm-up', lambda: warm.learn_mode.forward(data())
        yield 'group', lambda: warm.group_tasks(iter([batch(), batch()]))
        yield 'update after grouping', lambda: warm.learn_mode.forward(data())


def with_actions(batch: Any, model: Any) -> Any:
    """Of the model's kind."""
    if model.continuous_action_space:
        batch.action = torch.rand(*batch.action.shape, model.action_space_size) * 2 - 1
    return batch


def scalezero(method: str, num_tasks: int = 6, **overrides: Any) -> Phases:
    """ScaleZero with the paper's structure and small layers."""
    from lzero_mow.policy.scalezero import ScaleZeroPolicy
    from lzero_mow.studies.bench.shared import policy_config
    cfg = policy_config('paper', num_tasks, method)
    cfg.model.update(
        vit_width=16, vit_heads=2, vit_head_width=8, vit_mlp_width=16, embed_dim=16, num_heads=2, feed_forward_width=16,
        adapter_rank=2, **overrides.pop('model', {})
    )
    cfg.update(cuda=True, device='cuda', collector_env_num=1, evaluator_env_num=1, batch_size=2 * num_tasks)
    cfg.update(num_simulations=8, eval_simulations=8, **overrides)
    make = lambda: ScaleZeroPolicy(copy.deepcopy(cfg), enable_field=['learn', 'collect', 'eval'])
    policy = make()
    update = lambda: policy.learn_mode.forward(dict(search=random_search_batch(cfg)))
    yield 'first update', update
    yield 'update', update
    if cfg.model.stages > 1:
        returns = {task: 2.0 if task == 'task 0' else 0.0 for task in cfg.tasks}
        yield 'a task is solved', lambda: policy.on_evaluation(returns)
        yield 'update while one rests', update
        yield 'update of a later stage', update
    yield 'check', policy.check_finite
    yield from acting(policy, num_tasks)
    yield 'report', lambda: policy.report(random_search_batch(cfg))
    if cfg.model.stages == 1:
        batch = random_search_batch(cfg)
        yield 'diagnose', lambda: policy.diagnose(iter([batch, batch]), {0: play(batch)})
    yield 'save and load', lambda: load(policy, make())


def without_grouped_product() -> Phases:
    """ScaleZero on a card of compute capability 8."""
    torch.cuda.get_device_capability = lambda device=None: (8, 0)
    return scalezero('scalezero')


def random_search_batch(cfg: Any) -> 'SearchBatch':
    """Two sequences of noise for each task."""
    from lzero_mow.buffer.search_batch import SearchBatch
    rows, steps, choices = cfg.batch_size, cfg.num_unroll_steps + cfg.td_steps, cfg.model.action_space_size
    never, samples, action = torch.zeros(rows, steps, dtype=torch.bool), None, torch.randint(0, choices, (rows, steps))
    if cfg.model.continuous_action_space:
        action, choices = torch.rand(rows, steps, choices) * 2 - 1, cfg.num_sampled_actions
        samples = torch.rand(rows, cfg.num_unroll_steps, choices, action.shape[-1]) * 1.8 - 0.9
    return SearchBatch(
        obs=torch.randint(0, 256, (rows, steps, 3, 64, 64), dtype=torch.uint8), action=action,
        reward=torch.randint(-1, 2, (rows, steps)).float(), terminated=never, truncated=never.clone(),
        life_loss=never.clone(), visits=torch.rand(rows, cfg.num_unroll_steps, choices).softmax(-1),
        task=tuple(sorted(i % len(cfg.tasks) for i in range(rows))), sampled_actions=samples
    )


def acting(policy: Any, num_tasks: int) -> Phases:
    """Decisions in one environment a task, then in half of them, then after a new episode."""
    C, H, W = policy.cfg.model.observation_shape
    legal = np.ones((num_tasks, policy.cfg.model.action_space_size))

    every, half = range(num_tasks), range(num_tasks // 2, num_tasks)
    frames = lambda ids: torch.randint(0, 256, (len(ids), C, H, W), dtype=torch.uint8).to('cuda', non_blocking=True)
    about = lambda ids: dict(ready_env_id=list(ids), timestep=[0] * len(ids))
    collect = lambda ids, epsilon: policy.collect_mode.forward(
        frames(ids), legal[ids], 1.0, [0] * len(ids), epsilon, **about(ids)
    )
    evaluate = lambda ids: policy.eval_mode.forward(frames(ids), legal[ids], [0] * len(ids), **about(ids))
    yield 'first decision', lambda: collect(every, 0.0)
    yield 'decision', lambda: collect(every, 0.0)
    yield 'decision of some, random', lambda: collect(half, 0.3)
    yield 'reset', lambda: policy.collect_mode.reset([0])
    yield 'decision after reset', lambda: collect(every, 0.0)
    yield 'evaluation', lambda: evaluate(every)


def load(policy: Any, other: Any) -> None:
    """The first policy's state to a file and into the other."""
    in_memory = lambda x: x.held.clone() if isinstance(x, FakeTensor) else x
    file = io.BytesIO()
    torch.save(tree_map(in_memory, policy.learn_mode.state_dict()), file)
    file.seek(0)
    other.learn_mode.load_state_dict(torch.load(file, map_location='cpu', weights_only=True))
    other.load_acting_state(tree_map(in_memory, policy.acting_state()))


def play(batch: Any) -> 'RecordedPlay':
    """The steps of all sequences of a batch, one after the other."""
    from lzero_mow.buffer.batch import RecordedPlay
    obs, action, reward = (x.flatten(0, 1).numpy() for x in (batch.obs, batch.action, batch.reward))
    never = np.zeros(len(reward), dtype=bool)
    return RecordedPlay(obs, action, reward, never, never)


SCENARIOS: Dict[str, Callable[[], Phases]] = {
    'paper': lambda: mow('paper', 26),
    'storm': lambda: mow('storm', 1),
    'continuous': lambda: mow('paper', 6, imagine_source='batch', continuous=True),
    'scalezero': lambda: scalezero('scalezero', micro_batch_size=6),
    'without_grouped_product': without_grouped_product,
    'scalezero_dps': lambda: scalezero(
        'scalezero_dps', model=dict(stages=3, vit_checkpoint=True), stage_min_updates=2, stage_max_updates=2,
        solved_returns={'task 0': 1.0}, solved_patience=1
    ),
}


def main(name: str) -> None:
    patch()
    torch.manual_seed(0)
    found = {}
    with FakeDevice():
        for phase, call in SCENARIOS[name]():
            counts.clear()
            call()
            found[phase] = {kind: dict(getattr(counts, kind)) for kind in ('launches', 'waits', 'blocking')}
    print(json.dumps(found))


if __name__ == '__main__':
    main(sys.argv[1])
