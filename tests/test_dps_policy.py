"""Dynamic Parameter Scaling in the policy: what trains, what is frozen, and what acts."""
import pytest
import torch
from test_scalezero_policy import act, frames

from helpers.scalezero_policy import random_search_batch, tiny_scalezero_policy
from lzero_mow.model.scalezero.staged_linear import Adapter, StagedLinear
from lzero_mow.multitask.dps.freeze import enter_stage


@pytest.mark.unittest
def test_heads_of_a_solved_task_do_not_change():
    policy = tiny_scalezero_policy(
        model=dict(stages=2), stage_min_updates=1000, solved_returns=dict(green=1.0), solved_patience=1
    )
    for seed in range(3):
        policy.learn_mode.forward(dict(search=random_search_batch(seed=seed)))
    policy.on_evaluation(dict(red=0.0, green=2.0, blue=0.0))
    assert policy.active_tasks == [0, 2]
    heads = {name: p for name, p in policy._model.named_parameters() if '_head.' in name}
    before = {name: p.detach().clone() for name, p in heads.items()}
    policy.learn_mode.forward(dict(search=random_search_batch((0, 0, 2, 2))))
    for name, p in heads.items():
        assert torch.equal(p[1], before[name][1]), name
    assert any(not torch.equal(p[0], before[name][0]) for name, p in heads.items())


@torch.no_grad()
def output_of(model):
    latent = model.encode(frames(6)).view(2, 3, -1)
    return model(latent, torch.tensor([[0, 1, 2], [3, 4, 0]]), model.route([0, 2]))


def changed(policy, before):
    return {name for name, p in policy._model.named_parameters() if not torch.equal(p, before[name])}


@pytest.mark.unittest
@pytest.mark.parametrize('adapt_encoder', [False, True])
def test_in_each_stage_exactly_the_intended_tensors_change(adapt_encoder):
    model = dict(stages=3, adapter_rank=2, adapter_dropout=0.0, adapt_encoder=adapt_encoder)
    policy = tiny_scalezero_policy(model=model, learning_rate=1e-2)
    for module in policy._model.modules():
        if isinstance(module, StagedLinear):
            for part in (*module.adapters, *([module.scales] if module.adapters else [])):
                part.reset() if isinstance(part, Adapter) else [scale.data.zero_() for scale in part]
    grown = ('backbone.', 'encoder.') if adapt_encoder else ('backbone.', )
    for stage in range(3):
        before_output = output_of(policy._model)
        enter_stage(policy._model, stage)
        for one, other in zip(before_output, output_of(policy._model)):
            torch.testing.assert_close(one, other, msg=f'the output jumps where stage {stage} begins')
        before = {name: p.detach().clone() for name, p in policy._model.named_parameters()}
        for seed in range(3):
            policy.learn_mode.forward(dict(search=random_search_batch(seed=seed)))
        moved, added = changed(policy, before), {name for name in before if '.adapters.' in name or '.scales.' in name}
        intended = set(before) - added
        if stage > 0:
            intended -= {name for name in before if name.startswith(grown)}
            intended |= {name for name in added if f'.adapters.{stage - 1}.' in name}
            intended |= {name for name in added if '.scales.' in name and int(name.rsplit('.', 1)[1]) <= stage}
        assert moved == intended, (stage, sorted(moved ^ intended))


@pytest.mark.unittest
def test_with_adapters_it_acts_on_the_weights_of_the_last_update():
    policy = tiny_scalezero_policy(model=dict(stages=3), stage_min_updates=1, stage_max_updates=1, learning_rate=1e-2)
    seen = []
    for seed in range(4):
        policy.learn_mode.forward(dict(search=random_search_batch(seed=seed)))
        assert policy._model.stage == min(seed + 1, 2)
        policy.eval_mode.reset()
        output = act(policy, frames(3), [0, 1, 2], mode='eval')
        with torch.no_grad():
            latent = policy._model.encode(frames(3)).unsqueeze(1)
            routing, nothing = policy._model.route([0, 1, 2]), torch.zeros(3, 0, dtype=torch.long)
            roots = policy._model.open(latent, nothing, torch.ones(3, dtype=torch.long), routing)
            value = policy._model.value_support.mean(roots.value)
        seen.append([output[i]['predicted_value'] for i in range(3)])
        assert seen[-1] == pytest.approx(value.tolist(), abs=1e-5)
    assert seen[2] != seen[3]
