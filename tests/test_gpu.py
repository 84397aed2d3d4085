"""On a machine with a GPU: what it computes is what a CPU computes, and a whole run works."""
import copy

import numpy as np
import pytest
import torch

from helpers.policies import tiny_policy, training_data
from helpers.scalezero_policy import random_search_batch, tiny_scalezero_policy
from helpers.tiny_run import load, tiny_config, train
from lzero_mow.model.common import distributions
from lzero_mow.model.common.grouped import GroupedLinear, has_grouped_product
from lzero_mow.model.common.groups import Groups

CLOSE = dict(rtol=1e-3, atol=1e-4)


@pytest.fixture(autouse=True)
def exact_convolutions(monkeypatch):
    """Without the shorter numbers that cuDNN takes by default."""
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)


def on_gpu(policy, make):
    """Another policy with the same networks, on the GPU in float32."""
    other = make(device='cuda', cuda=True, bf16=False)
    other.learn_mode.load_state_dict(copy.deepcopy(policy.learn_mode.state_dict()))
    return other


@pytest.mark.gputest
def test_scalezero_updates_alike():
    policy = tiny_scalezero_policy()
    for _ in range(3):
        other = on_gpu(policy, tiny_scalezero_policy)
        logs = [p.learn_mode.forward(dict(search=random_search_batch())) for p in (policy, other)]
        for name, value in logs[0].items():
            torch.testing.assert_close(logs[1][name].cpu(), value, **CLOSE, msg=lambda text: f'{name}: {text}')


@pytest.mark.gputest
def test_mow_updates_alike(monkeypatch):
    """With the same random numbers, which are drawn on the CPU for both."""
    rand, draw = torch.rand, distributions._draw
    monkeypatch.setattr(torch, 'rand', lambda *shape, device=None, **more: rand(*shape, **more).to(device))
    monkeypatch.setattr(distributions, '_draw', lambda probs: draw(probs.cpu()).to(probs.device))
    make = lambda **overrides: tiny_policy(model=dict(dropout=0.0), **overrides)
    policy, logs = make(), []
    for p in (policy, on_gpu(policy, make)):
        torch.manual_seed(0)
        logs.append(p.learn_mode.forward(training_data()))
    for name, value in logs[0].items():
        torch.testing.assert_close(logs[1][name].cpu(), value.cpu(), **CLOSE, msg=lambda text: f'{name}: {text}')


@pytest.mark.gputest
def test_one_product_of_all_groups_is_that_of_each():
    if not has_grouped_product(torch.device('cuda')):
        pytest.skip('no grouped product: torch before 2.10, or a GPU of compute capability other than 9 and 10')
    torch.manual_seed(0)
    layer, tasks, x = GroupedLinear(4, 13, 7), [0, 0, 0, 2, 2, 2, 2, 2, 3], torch.randn(9, 2, 13)
    expected = layer(x, Groups.of(tasks, 4, torch.device('cpu')))
    groups = Groups.of(tasks, 4, torch.device('cuda'))
    with torch.autocast('cuda', torch.bfloat16):
        out = layer.cuda()(x.cuda(), groups)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.cpu().float(), expected, rtol=0.05, atol=0.05)


@pytest.mark.gputest
def test_mow_predicts_alike():
    make = lambda **overrides: tiny_policy(model=dict(dropout=0.0), **overrides)
    policy = make()
    batch = training_data()['world_model']
    latent = torch.nn.functional.one_hot(torch.randint(0, 5, (6, 8, 6)), 5).float().flatten(2)
    predictions = []
    for device, model in (('cpu', policy._model), ('cuda', on_gpu(policy, make)._model)):
        world, x = model.world_model, batch.to(torch.device(device))
        routing = world.route(x.task)
        z = latent.to(device)
        hidden = world.dynamics(z, x.action, routing)
        parts = [world.encode(x.obs, routing), world.decode(z, routing), hidden, *world.predict(hidden, routing)]
        predictions.append([part.detach().cpu() for part in parts])
    for of_cpu, of_gpu in zip(*predictions):
        torch.testing.assert_close(of_gpu, of_cpu, **CLOSE)


@pytest.mark.gputest
@pytest.mark.parametrize('bf16', [False, True])
def test_mow_learns_with_finite_losses(bf16):
    policy = tiny_policy(device='cuda', cuda=True, bf16=bf16)
    for i in range(5):
        log = policy.learn_mode.forward(training_data(seed=i))
    policy.check_finite()
    assert all(np.isfinite(float(value)) for value in log.values())


@pytest.mark.gputest
def test_a_run_and_its_continuation(tmp_path):
    config = tiny_config(tmp_path / 'run', policy=dict(device='cuda'))
    train(config, max_env_step=48)
    train(config)
    assert load(tmp_path / 'run')['env_step'] >= 96
