"""ScaleZero's parts: staged linear layers, the mixture of experts, encoders, norms, supports."""
import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from helpers.scalezero import random_frames, random_steps, tiny_scalezero
from lzero_mow.model.common.groups import Groups
from lzero_mow.model.scalezero.moe import MoEFeedForward
from lzero_mow.model.scalezero.norms import latent_norm
from lzero_mow.model.scalezero.resnet import ResNet
from lzero_mow.model.scalezero.staged_linear import StagedLinear, Staging
from lzero_mow.model.scalezero.support import Support, compress, expand
from lzero_mow.model.scalezero.vit import ViT

CLOSE = dict(rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- staged linear layers

def disturbed(module, seed=0):
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, 0.5)
    return module


def plain_staged(layer, x, stage, group=0):
    """The formula, one row at a time."""
    scale = [1 + 0.2 * torch.tanh(logit[group]) for logit in layer.scales]
    out = scale[0] * (layer.weight[group] @ x) + (0 if layer.bias is None else layer.bias[group])
    for j in range(1, stage + 1):
        adapter = layer.adapters[j - 1]
        out = out + scale[j] * 6.0 / 3 * (adapter.up.weight[group] @ (adapter.down.weight[group] @ x))
    return out


def with_adapters(model):
    return [layer for layer in model.modules() if isinstance(layer, StagedLinear) and layer.adapters]


@pytest.mark.unittest
@torch.no_grad()
@pytest.mark.parametrize('stage', [1, 2, 3])
def test_staged_linear_is_its_formula(stage):
    layer, x = disturbed(StagedLinear(7, 5, True, 3, 6.0, 0.0, 4)), torch.randn(2, 4, 7)
    layer.set_stage(stage)
    for row in np.ndindex(2, 4):
        torch.testing.assert_close(layer(x)[row], plain_staged(layer, x[row], stage), **CLOSE)
    grouped = disturbed(StagedLinear(7, 5, False, 3, 6.0, 0.0, 4, groups=3))
    grouped.set_stage(stage)
    for tasks in ([0, 0, 2, 2, 2], [0, 1, 2]):
        rows = torch.randn(len(tasks), 7)
        out = grouped(rows, Groups.of(tasks, 3, rows.device))
        for row, task in enumerate(tasks):
            torch.testing.assert_close(out[row], plain_staged(grouped, rows[row], stage, task), **CLOSE)


@pytest.mark.unittest
@torch.no_grad()
def test_first_stage_is_the_plain_layer_and_a_new_stage_changes_nothing():
    layer, x = StagedLinear(7, 5, True, 3, 6.0, 0.5, 3).train(), torch.randn(4, 7)
    plain = F.linear(x, layer.weight[0], layer.bias[0])
    for stage in (0, 1, 2):
        layer.set_stage(stage)
        assert torch.equal(layer(x), plain)
    for staging in (Staging(rank=0, stages=3), Staging(rank=3, stages=1)):
        without = StagedLinear(7, 5, True, *staging)
        assert list(without.state_dict()) == ['weight', 'bias']
        with pytest.raises(ValueError, match='stage 1'):
            without.set_stage(1)


@pytest.mark.unittest
@pytest.mark.parametrize('stage', range(4))
def test_a_folded_layer_is_the_same_in_stage_0(stage):
    layer, x = disturbed(StagedLinear(7, 5, True, 3, 6.0, 0.5, 4, groups=2)).eval(), torch.randn(6, 7)
    layer.set_stage(stage)
    groups = Groups.of([0, 0, 0, 1, 1, 1], 2, x.device)
    before = layer(x, groups)
    layer.fold()
    assert layer.current == 0
    torch.testing.assert_close(layer(x, groups), before, **CLOSE)


@pytest.mark.unittest
def test_only_the_adapters_up_to_the_stage_get_gradients():
    layer = disturbed(StagedLinear(7, 5, True, 3, 6.0, 0.0, 4, groups=2))
    layer.set_stage(2)
    x = torch.randn(6, 7)
    layer(x, Groups.of([0, 0, 0, 1, 1, 1], 2, x.device)).square().sum().backward()
    used = {name for name, parameter in layer.named_parameters() if parameter.grad is not None}
    assert used == {
        'weight', 'bias', 'scales.0', 'scales.1', 'scales.2', 'adapters.0.down.weight', 'adapters.0.up.weight',
        'adapters.1.down.weight', 'adapters.1.up.weight'
    }
    assert all(parameter.grad.abs().sum() > 0 for parameter in layer.parameters() if parameter.grad is not None)


@pytest.mark.unittest
@torch.no_grad()
def test_a_state_restores_the_stage_and_copies_go_their_own_way():
    model = tiny_scalezero(adapter_rank=2, stages=3)
    staged = with_adapters(model)
    assert len(staged) == 2 * (4 + 3)  # attention and experts; not the ViT
    assert len(with_adapters(tiny_scalezero(adapter_rank=2, stages=3, adapt_encoder=True))) == 2 * (4 + 3) + 2 * 4
    for layer in staged:
        layer.set_stage(2)
    steps, routing = random_steps(2, 3), model.route([0, 1])
    restored, copied = tiny_scalezero(1, adapter_rank=2, stages=3), copy.deepcopy(model)
    restored.load_state_dict(model.state_dict())
    for ours, theirs, copys in zip(model(*steps, routing), restored(*steps, routing), copied(*steps, routing)):
        assert torch.equal(ours, theirs) and torch.equal(ours, copys)
    for layer in staged:
        layer.set_stage(0)
    assert not torch.equal(model(*steps, routing).value, copied(*steps, routing).value)


@pytest.mark.unittest
@torch.no_grad()
def test_adapters_drop_only_what_they_read():
    layer, x = disturbed(StagedLinear(7, 5, True, 3, 6.0, 0.5, 2)), torch.randn(64, 7)
    layer.set_stage(1)
    layer.eval()
    still = layer(x)
    layer.train()
    assert not torch.allclose(layer(x), still)
    layer.adapters[0].up.weight.zero_()
    moving = layer(x)
    torch.testing.assert_close(moving, layer.eval()(x))


# ---------------------------------------------------------------- mixture of experts

def plain_moe(layer, x, k, norm):
    """One token (D,) at a time."""
    logits = layer.router.weight @ x
    best = sorted(range(len(logits)), key=lambda e: -logits[e])[:k]
    weights = torch.softmax(logits, 0)[best] if norm == 'all' else torch.softmax(logits[best], 0)
    out = torch.zeros_like(x)
    if layer.shared is not None:
        expand, _, contract = layer.shared
        out = contract.weight @ F.gelu(expand.weight @ x + expand.bias) + contract.bias
    for weight, e in zip(weights, best):
        w1, w2, w3 = (getattr(layer.experts, name).weight[e] for name in ('gate', 'contract', 'expand'))
        out = out + weight * (w2 @ (F.silu(w1 @ x) * (w3 @ x)))
    return out, best


@pytest.mark.unittest
@torch.no_grad()
@pytest.mark.parametrize('norm', ['all', 'topk'])
@pytest.mark.parametrize('k, shared', [(1, 1), (2, 0), (4, 2)])
@pytest.mark.parametrize('every_expert', [False, True])
def test_mixture_of_experts_is_its_formula(every_expert, k, shared, norm):
    layer = disturbed(MoEFeedForward(6, 10, 4, k, shared, norm, Staging()))
    layer.every_expert = every_expert
    x = torch.randn(3, 7, 6)
    out, used = layer(x), torch.zeros(4)
    for place in np.ndindex(3, 7):
        expected, best = plain_moe(layer, x[place], k, norm)
        torch.testing.assert_close(out[place], expected, rtol=1e-4, atol=1e-5)
        used[best] += 1
    torch.testing.assert_close(layer.share, used / used.sum())


@pytest.mark.unittest
@pytest.mark.parametrize('norm, k, learns', [('all', 1, True), ('topk', 1, False), ('topk', 2, True)])
def test_a_top_one_router_learns_by_default_and_not_as_in_lightzero(norm, k, learns):
    layer = disturbed(MoEFeedForward(6, 10, 4, k, 1, norm, Staging()))
    layer(torch.randn(30, 6)).square().sum().backward()
    assert bool(layer.router.weight.grad.abs().max() > 1e-6) == learns


@pytest.mark.unittest
def test_experts_without_tokens_get_a_gradient_of_zero_and_share_nothing():
    layer = disturbed(MoEFeedForward(6, 10, 4, 1, 1, 'all', Staging()))
    with torch.no_grad():
        layer.router.weight.zero_()
        layer.router.weight[2] = 1.0
    layer(torch.rand(5, 6)).sum().backward()
    assert layer.share.tolist() == [0, 0, 1, 0] and not layer.share.requires_grad
    moved = layer.experts.gate.weight.grad.flatten(1).abs().sum(1)
    assert moved[2] > 0 and moved[[0, 1, 3]].sum() == 0
    assert 'share' not in layer.state_dict()


# ---------------------------------------------------------------- encoders and norms

def plain_patches(frame, size):
    """Patches row by row; in a patch pixel by pixel, channels together."""
    side = frame.shape[-1] // size
    return torch.stack([
        frame[:, i * size:(i + 1) * size, j * size:(j + 1) * size].permute(1, 2, 0).flatten()
        for i in range(side) for j in range(side)
    ])


@pytest.mark.unittest
@torch.no_grad()
@pytest.mark.parametrize('size, patch_size', [(16, 2), (32, 4), (64, 8), (128, 32)])
def test_encoders_take_every_frame_size(size, patch_size):
    frames = random_frames(2, size)
    vit = ViT((3, size, size), patch_size, 16, 1, 2, 4, 8, 0.1, 24, Staging()).eval()
    assert torch.equal(vit.patches(frames)[1], plain_patches(frames[1], patch_size))
    assert vit(frames).shape == (2, 24)
    resnet = ResNet((3, size, size), 4, 1, 24).eval()
    assert resnet.layers[:-1](frames / 255).shape == (2, 4, 8, 8) and resnet(frames).shape == (2, 24)
    for encoder in (vit, resnet):
        torch.testing.assert_close(encoder(frames[1:]), encoder(frames)[1:], rtol=1e-4, atol=1e-5)


@pytest.mark.unittest
@torch.no_grad()
def test_latents_are_normalised():
    model = tiny_scalezero()
    model.latent_norm.weight.fill_(1)
    model.latent_norm.bias.zero_()
    latent = model.encode(random_frames(3))
    torch.testing.assert_close(latent.mean(-1), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(latent.square().mean(-1), torch.ones(3), rtol=1e-3, atol=0)
    simplices = latent_norm('sim', 1, 32)(torch.randn(2, 3, 32)).unflatten(-1, (4, 8))
    assert (simplices > 0).all()
    torch.testing.assert_close(simplices.sum(-1), torch.ones(2, 3, 4))


# ---------------------------------------------------------------- supports

@pytest.mark.unittest
def test_compression_is_muzeros_and_its_inverse_is_exact_near_zero_too():
    x = torch.tensor([-3000.0, -17.3, -1.0, -1e-4, 0.0, 1e-6, 0.5, 1.0, 21.0, 2500.0])
    exact = x.double()
    expected = exact.sign() * ((exact.abs() + 1).sqrt() - 1) + 0.001 * exact
    torch.testing.assert_close(compress(x).double(), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(expand(compress(x)), x, rtol=1e-5, atol=0)


@pytest.mark.unittest
def test_two_hot_and_back():
    support = Support(-50, 50, 1)
    assert len(support) == 101
    x = torch.tensor([[-30.0, 0.0, 0.3], [7.0, 1234.5, 0.0]])
    code = support.two_hot(x)
    assert code.shape == (2, 3, 101) and ((code > 0).sum(-1) <= 2).all()
    torch.testing.assert_close(code.sum(-1), torch.ones(2, 3))
    torch.testing.assert_close((code * support.atoms).sum(-1), compress(x), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(support.mean(code.clamp(min=1e-30).log()), x, rtol=1e-3, atol=1e-4)
    smooth = support.two_hot(x, 0.1)
    torch.testing.assert_close(smooth, 0.9 * code + 0.1 / 101)


@pytest.mark.unittest
def test_scalars_beyond_the_support_are_clamped_and_nan_stays_visible():
    support = Support(-2, 2, 0.5)
    code = support.two_hot(torch.tensor([1e9, -1e9, float('nan')]))
    assert code[0].argmax() == 8 and code[1].argmax() == 0 and code[0, 8] == 1 and code[1, 0] == 1
    assert code[2].isnan().any()
    assert support.mean(torch.zeros(9)).abs() < 1e-6
