"""Products in bfloat16, as a GPU makes them, on the CPU."""
import copy
from contextlib import nullcontext

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from helpers.models import random_latent, tiny_model
from lzero_mow.agent import imagination
from lzero_mow.entry.run.run_config import on_device
from lzero_mow.model.common import grouped
from lzero_mow.model.common.grouped import GroupedLinear
from lzero_mow.model.common.groups import Groups
from lzero_mow.model.common.kept_cast import KeptCast
from lzero_mow.policy.optimise import clipped_step

CPU = torch.device('cpu')
needs_product = pytest.mark.skipif(
    not hasattr(torch.nn.functional, 'grouped_mm'), reason='torch before 2.10 has no grouped product'
)


@pytest.mark.unittest
@needs_product
@pytest.mark.parametrize('bias', [False, True])
@pytest.mark.parametrize('width', [(16, 8), (13, 7)])
def test_one_product_of_all_groups_is_that_of_each(bias, width):
    torch.manual_seed(0)
    layer, groups = GroupedLinear(4, *width, bias=bias), Groups.of([0, 0, 0, 2, 2, 2, 2, 2, 3], 4, CPU)
    x, found = torch.randn(9, 2, width[0]), []
    for product in (layer, lambda x, groups: layer._by_offsets(x.bfloat16(), groups, layer.bias)):
        layer.zero_grad()
        rows = x.clone().requires_grad_()
        out = product(rows, groups).float()
        out.square().sum().backward()
        found.append([out.detach(), rows.grad, *(p.grad.clone() for p in layer.parameters())])
    for one_by_one, at_once in zip(*found):
        assert at_once.shape == one_by_one.shape
        torch.testing.assert_close(at_once, one_by_one, rtol=0.05, atol=0.05 * one_by_one.abs().max().item())
    assert (found[1][2][1] == 0).all()  # no row belongs to group 1


@pytest.mark.unittest
def test_a_copy_is_kept_until_the_parameter_learns():
    layer, cast = GroupedLinear(2, 3, 3), KeptCast()
    with torch.no_grad():
        first = cast(layer.weight, torch.bfloat16)
        assert cast(layer.weight, torch.bfloat16) is first
        assert copy.deepcopy(cast)(layer.weight, torch.bfloat16) is not first
    optimizer = torch.optim.Adam(layer.parameters(), lr=1.0, fused=True)
    clipped_step(optimizer, [layer(torch.ones(2, 3), Groups.of([0, 1], 2, CPU)).sum()], 10.0)
    with torch.no_grad():
        second = cast(layer.weight, torch.bfloat16)
        assert not torch.equal(second, first) and torch.equal(second, layer.weight.bfloat16())
        other = GroupedLinear(2, 3, 3).weight
        assert torch.equal(cast(other, torch.bfloat16), other.bfloat16())


@pytest.mark.unittest
def test_a_copy_that_learns_passes_gradients_on():
    weight, cast = torch.ones(2, 3, 3, requires_grad=True), KeptCast()
    with torch.no_grad():
        cast(weight, torch.bfloat16)
    cast(weight, torch.bfloat16).float().sum().backward()
    assert torch.equal(weight.grad, torch.ones_like(weight))


@pytest.mark.unittest
@needs_product
def test_one_graph_imagines_all_steps_whoever_uses_which_expert(monkeypatch):
    """As on a GPU: neither the place in the sequence nor the sizes of groups are values that a graph is made for."""
    monkeypatch.setattr(grouped, 'takes_offsets', lambda x, dtype: dtype == torch.bfloat16)
    model, tasks = tiny_model(), (0, 0, 1, 1, 2, 2)
    world, graphs = model.world_model, CompileCounter()
    compiled = torch.compile(imagination.imagined_step, fullgraph=True, backend=graphs)
    latent, action = random_latent(6, 4, model), torch.zeros(6, 3, dtype=torch.long)
    for experts in ([0, 1], [1, 3], [2, 3]), ([0, 1], [0, 1], [0, 1]):
        world.router.chosen_on_host, rollouts = list(experts), []
        for step in (imagination.imagined_step, compiled):
            torch.manual_seed(0)
            with torch.autocast('cpu', torch.bfloat16):
                routing = world.route(tasks)
                rollouts.append(imagination.imagine(world, model.agent, latent, action, tasks, routing, 5, step))
        for eager, graph in zip(*rollouts):
            assert eager == graph if isinstance(eager, tuple) else torch.equal(eager, graph)
    assert graphs.frame_count == 1
    torch.compiler.reset()


@pytest.mark.unittest
@needs_product
def test_parts_of_any_size_need_three_graphs(monkeypatch):
    """Of one row, of the first size, and of all others."""
    monkeypatch.setattr(grouped, 'takes_offsets', lambda x, dtype: dtype == torch.bfloat16)
    model, graphs = tiny_model(), CompileCounter()
    world, compiled = model.world_model, torch.compile(imagination.imagined_step, fullgraph=True, backend=graphs)
    for tasks in ((0, 0, 1), (0, 0, 1, 2), (1, 2), (2, ), (0, 1, 1, 1, 2), (1, 1)):
        latent, action = random_latent(len(tasks), 4, model), torch.zeros(len(tasks), 3, dtype=torch.long)
        with torch.autocast('cpu', torch.bfloat16):
            imagination.imagine(world, model.agent, latent, action, tasks, world.route(tasks), 3, compiled)
    assert graphs.frame_count <= 3
    torch.compiler.reset()


@pytest.mark.unittest
def test_a_device_without_the_grouped_product_does_not_compile(monkeypatch):
    monkeypatch.setattr(torch.nn.functional, 'grouped_mm', lambda: None, raising=False)
    config = lambda device, bf16: dict(policy=dict(device=device, compile=True, bf16=bf16))
    with pytest.raises(ValueError, match='policy.compile is True: it is for GPUs'):
        on_device(config('cpu', True))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    cases = (8, True, 'capability 9 or 10'), (9, False, 'needs policy.bf16'), (9, True, None)
    for generation, bf16, message in cases:
        monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda device: (generation, 0))
        with pytest.raises(ValueError, match=message) if message else nullcontext():
            on_device(config('cuda', bf16))
