"""With one task, one cluster, no experts and no task inputs, the model is STORM."""
import pytest
import torch
import torch.nn.functional as F

from helpers.models import random_batch, random_latent, tiny_model
from lzero_mow.config.build import build_config
from lzero_mow.model.mow.mow_model import MoWModel

STORM = build_config('storm')['policy']['model']  # the preset
# STORM's published configuration (STORM.yaml, 18 actions): D 512, 2 layers, 8 heads, latent 32 x 32, channels 32..256.
D, Z, A, FFN, LENGTH, FEATURES = 512, 1024, 18, 1024, 64, 256 * 4 * 4
CONVOLUTIONS = 16 * (3 * 32 + 32 * 64 + 64 * 128 + 128 * 256)  # 4 x 4 kernels, no bias
STORM_PARAMETERS = dict(
    encoder=CONVOLUTIONS + 2 * (32 + 64 + 128 + 256),
    # first layer, its batch norm, three transposed convolutions with norms, the last one with a bias
    decoder=Z * FEATURES + 2 * 256 + CONVOLUTIONS + 2 * (128 + 64 + 32) + 3,
    posterior=FEATURES * Z + Z,
    prior=D * Z + Z,
    reward=2 * (D * D + 2 * D) + D * 255 + 255,
    termination=2 * (D * D + 2 * D) + D + 1,
    # mixer, positions, input norm, and in each layer: q k v and output projection, norm, two FFN layers, norm
    transformer=(Z + A) * D + 2 * D + D * D + 2 * D + LENGTH * D + 2 * D + 2 *
    (4 * D * D + 2 * D + D * FFN + FFN + FFN * D + D + 2 * D),
    actor=(Z + D) * D + 2 * D + D * D + 2 * D + D * A + A,
    critic=(Z + D) * D + 2 * D + D * D + 2 * D + D * 255 + 255,
)


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.unittest
def test_storm_has_storms_parameters_module_by_module():
    model = MoWModel(**STORM)
    world = model.world_model
    ours = dict(
        encoder=count(world.vae.encoders), decoder=count(world.vae.decoders), posterior=count(world.vae.posterior_head),
        prior=count(world.prior_head), reward=count(world.reward_head), termination=count(world.continuation_head),
        transformer=count(world.shared), actor=count(model.agent.actor), critic=count(model.agent.critic)
    )
    assert ours == STORM_PARAMETERS
    assert count(world) == sum(STORM_PARAMETERS.values()) - STORM_PARAMETERS['actor'] - STORM_PARAMETERS['critic']
    assert count(model.agent.slow_critic) == STORM_PARAMETERS['critic']
    # 76.06 MB in the paper: parameters with the slow critic, and the running mean and variance of the batch norms
    batch_norms = 2 * (32 + 64 + 128 + 256) + 2 * (256 + 128 + 64 + 32)
    megabytes = 4 * (sum(STORM_PARAMETERS.values()) + STORM_PARAMETERS['critic'] + batch_norms) / 2 ** 20
    assert megabytes == pytest.approx(76.06, abs=0.005)


# ---------------------------------------------------------------- the same equations, written plainly

def plain_linear(layer, x, group=0):
    return x @ layer.weight[group].T + (0 if layer.bias is None else layer.bias[group])


def plain_norm(layer, x, group=0):
    centred = x - x.mean(-1, keepdim=True)
    unit = centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + layer.eps)
    return unit * layer.weight[group] + layer.bias[group]


def plain_mlp(mlp, x, group=0):
    for linear, norm in zip(mlp.hidden, mlp.norms):
        x = plain_norm(norm, plain_linear(linear, x, group), group).clamp(min=0)
    return plain_linear(mlp.out, x, group)


def plain_transformer(transformer, x, group=0):
    """x (L, in) of one sequence -> (L, D); attention one head and one query at a time."""
    mixer, (length, width) = transformer.mixer, (len(x), transformer.position.shape[-1])
    x = plain_norm(mixer.inner_norm, plain_linear(mixer.inner, x, group), group).clamp(min=0)
    x = plain_norm(mixer.outer_norm, plain_linear(mixer.outer, x, group), group)
    x = plain_norm(transformer.norm, x + transformer.position[group, :length], group)
    heads = transformer.attention[0].num_heads
    head_width = width // heads
    for attention, feed_forward in zip(transformer.attention, transformer.feed_forward):
        query, key, value = plain_linear(attention.query_key_value, x, group).split(width, -1)
        out = torch.zeros_like(x)
        for head in range(heads):
            at = slice(head * head_width, (head + 1) * head_width)
            for t in range(length):
                weights = torch.softmax(key[:t + 1, at] @ query[t, at] / head_width ** 0.5, 0)
                out[t, at] = weights @ value[:t + 1, at]
        x = plain_norm(attention.norm, x + plain_linear(attention.out, out, group), group)
        hidden = plain_linear(feed_forward.expand, x, group).clamp(min=0)
        x = plain_norm(feed_forward.norm, x + plain_linear(feed_forward.contract, hidden, group), group)
    return x


def plain_batch_norm(layer, x):
    shape = (1, -1, 1, 1)
    scale = layer.weight / torch.sqrt(layer.running_var + layer.eps)
    return (x - layer.running_mean.view(shape)) * scale.view(shape) + layer.bias.view(shape)


def plain_posterior(vae, frame, embedding, cluster=0):
    """One frame (3, 64, 64) uint8 -> (categories, classes) probabilities."""
    x = frame[None].float() / 255
    layers = list(vae.encoders[cluster].layers)
    for convolution, norm in zip(layers[0:12:3], layers[1:12:3]):
        x = plain_batch_norm(norm, F.conv2d(x, convolution.weight, stride=2, padding=1)).clamp(min=0)
    logits = plain_linear(vae.posterior_head, torch.cat([x.flatten(), embedding]), cluster)
    probs = torch.softmax(logits.view(vae.latent_shape), -1)
    return 0.99 * probs + 0.01 / vae.latent_shape[1]


def plain_decode(vae, latent, embedding, cluster=0):
    layers = list(vae.decoders[cluster].layers)
    x = (layers[0].weight @ torch.cat([latent, embedding])).view(1, -1, 4, 4)
    x = plain_batch_norm(layers[2], x).clamp(min=0)
    for convolution, norm in zip(layers[4:13:3], layers[5:13:3]):
        x = plain_batch_norm(norm, F.conv_transpose2d(x, convolution.weight, stride=2, padding=1)).clamp(min=0)
    return F.conv_transpose2d(x, layers[13].weight, layers[13].bias, stride=2, padding=1)[0]


def check_against_plain(model, tasks, length, experts_of, cluster_of):
    """Every output of the batched model equals the plain computation, one sequence at a time."""
    world, batch = model.world_model, random_batch(tasks, length, model.world_model.action_space_size)
    latent = random_latent(len(tasks), length, model)
    routing = world.route(tasks)
    posterior = world.encode(batch.obs, routing).exp()
    decoded = world.decode(latent, routing)
    predicted = world.predict(world.dynamics(latent, batch.action, routing), routing)
    unit = torch.zeros(world.num_tasks, 0)
    if world.task_embedding is not None:
        unit = world.task_embedding / world.task_embedding.norm(dim=-1, keepdim=True)
    for row, task in enumerate(tasks):
        cluster, e = cluster_of[task], unit[task]
        step = torch.cat([
            latent[row], torch.eye(world.action_space_size)[batch.action[row]], e.expand(length, -1)
        ], -1)
        if world.experts is not None:
            step = torch.cat([plain_transformer(world.experts, step, j) for j in experts_of[task]], -1)
            if world.shared is not None:
                step = torch.cat([step, e.expand(length, -1)], -1)
        hidden = step if world.shared is None else plain_transformer(world.shared, step)
        prior = torch.softmax(plain_linear(world.prior_head, hidden, cluster).view(length, *world.latent_shape), -1)
        close = dict(rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(predicted.prior[row].exp(), 0.99 * prior + 0.01 / world.latent_shape[1], **close)
        torch.testing.assert_close(predicted.reward[row], plain_mlp(world.reward_head, hidden, cluster), **close)
        torch.testing.assert_close(
            predicted.continuation[row], plain_mlp(world.continuation_head, hidden, cluster)[:, 0], **close
        )
        for t in range(length):
            expected = plain_posterior(world.vae, batch.obs[row, t], e, cluster)
            torch.testing.assert_close(posterior[row, t], expected, **close)
            torch.testing.assert_close(decoded[row, t], plain_decode(world.vae, latent[row, t], e, cluster), **close)
        if world.task_head is not None:
            torch.testing.assert_close(predicted.task[row], plain_mlp(world.task_head, hidden), **close)


def disturb_batch_norms(model):
    """Running statistics away from 0 and 1, so that a test can see them."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)


@pytest.mark.unittest
@torch.no_grad()
def test_storm_forward_equals_plain_computation_at_published_sizes():
    torch.manual_seed(1)
    model = MoWModel(**STORM).eval()
    disturb_batch_norms(model)
    check_against_plain(model, [0], 6, None, [0])


@pytest.mark.unittest
@torch.no_grad()
@pytest.mark.parametrize('without', ['nothing', 'experts', 'shared transformer'])
def test_mow_forward_equals_plain_computation(without):
    changes = {'nothing': {}, 'experts': dict(num_experts=0), 'shared transformer': dict(shared_transformer=False)}
    model = tiny_model(seed=2, cluster_of_task=[1, 0, 1], **changes[without])
    disturb_batch_norms(model)
    experts_of = None if without == 'experts' else model.world_model.router.chosen_on_host
    assert experts_of is None or all(pair == sorted(set(pair)) for pair in experts_of)
    check_against_plain(model, [0, 0, 1, 2], 5, experts_of, [1, 0, 1])
