"""Causality, caching, routing and gradients of the world model."""
import pytest
import torch

from helpers.models import random_batch, random_latent, tiny_model
from lzero_mow.agent.open_loop import open_loop
from lzero_mow.model.mow.world_model_loss import balance_loss, world_model_terms


@pytest.mark.unittest
@torch.no_grad()
@pytest.mark.parametrize('overrides', [{}, dict(num_experts=0), dict(shared_transformer=False)])
def test_cached_steps_equal_the_full_pass(overrides):
    model = tiny_model(**overrides)
    world, tasks, length = model.world_model, (0, 1, 1, 2), 12
    latent, action = random_latent(4, length, model), random_batch(tasks, length).action
    routing = world.route(tasks)
    full = world.dynamics(latent, action, routing)
    cache = world.new_cache(length)
    blocks = [(0, 5), (5, 6), (6, 7), (7, 10), (10, 12)]  # a context, single steps, and blocks in the middle
    cached = [world.dynamics(latent[:, a:b], action[:, a:b], routing, cache) for a, b in blocks]
    torch.testing.assert_close(torch.cat(cached, 1), full, rtol=1e-4, atol=1e-5)


@pytest.mark.unittest
@torch.no_grad()
def test_the_past_does_not_see_the_future():
    model = tiny_model()
    world, tasks, length = model.world_model, (0, 2), 10
    latent, action = random_latent(2, length, model), random_batch(tasks, length).action
    before = world.dynamics(latent, action, world.route(tasks))
    latent[:, 6:], action[:, 6:] = random_latent(2, 4, model, seed=9), (action[:, 6:] + 1) % 5
    after = world.dynamics(latent, action, world.route(tasks))
    assert torch.equal(before[:, :6], after[:, :6])
    assert not torch.allclose(before[:, 6:], after[:, 6:])


@pytest.mark.unittest
@torch.no_grad()
def test_tasks_do_not_affect_each_other_in_eval_mode():
    model = tiny_model(cluster_of_task=[0, 1, 0])
    world, length = model.world_model, 6
    batch, latent = random_batch((0, 0, 1, 2), length), random_latent(4, length, model)
    together, alone = world.route(batch.task), world.route(batch.task[2:3])
    close = dict(rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        world.encode(batch.obs, together)[2:3], world.encode(batch.obs[2:3], alone), **close
    )
    torch.testing.assert_close(world.decode(latent, together)[2:3], world.decode(latent[2:3], alone), **close)
    hidden = world.dynamics(latent, batch.action, together)
    hidden_alone = world.dynamics(latent[2:3], batch.action[2:3], alone)
    torch.testing.assert_close(hidden[2:3], hidden_alone, **close)
    for ours, theirs in zip(world.predict(hidden, together), world.predict(hidden_alone, alone)):
        torch.testing.assert_close(ours[2:3], theirs, **close)


@pytest.mark.unittest
def test_rows_may_come_in_any_order():
    model = tiny_model(cluster_of_task=[1, 0, 1])
    world, tasks = model.world_model, (2, 0, 1, 0)
    batch, latent = random_batch(tasks, 5), random_latent(4, 5, model)
    hidden = world.dynamics(latent, batch.action, world.route(tasks))
    order = [1, 3, 2, 0]
    permuted = world.dynamics(latent[order], batch.action[order], world.route([tasks[i] for i in order]))
    torch.testing.assert_close(hidden[order], permuted, rtol=1e-4, atol=1e-5)


@pytest.mark.unittest
def test_a_task_reaches_only_its_experts_and_its_cluster():
    model = tiny_model(cluster_of_task=[0, 1, 0])
    world = model.world_model
    batch = random_batch((1, 1), 5)
    terms, _ = world_model_terms(world, batch, world.route(batch.task), free_bits=0.0)
    sum(term.sum() for term in terms.values()).backward()
    chosen = world.router.chosen_on_host[1]
    for name, parameter in world.experts.named_parameters():
        for expert, grad in enumerate(parameter.grad):
            assert bool(grad.abs().sum() > 0) == (expert in chosen), f'{name} of expert {expert}'
    for name, parameter in list(world.prior_head.named_parameters()) + list(world.reward_head.named_parameters()):
        assert parameter.grad[0].abs().sum() == 0 and parameter.grad[1].abs().sum() > 0, name
    assert all(p.grad is None for p in world.vae.encoders[0].parameters())
    assert all(p.grad.abs().sum() > 0 for p in world.vae.encoders[1].parameters())


@pytest.mark.unittest
@pytest.mark.parametrize('gradient', ['straight_through', 'none'])
def test_router_gradient_from_prediction_losses(gradient):
    model = tiny_model(router_gradient=gradient)
    world = model.world_model
    batch = random_batch((0, 1, 2), 5)
    terms, _ = world_model_terms(world, batch, world.route(batch.task), free_bits=0.0)
    terms['reward'].sum().backward()
    grads = [p.grad for p in world.router.parameters()]
    if gradient == 'none':
        assert all(grad is None for grad in grads)
    else:
        assert all(grad.abs().sum() > 0 for grad in grads)


@pytest.mark.unittest
def test_straight_through_gate_has_value_one_and_the_gradient_of_log_w():
    router, embedding = tiny_model().world_model.router, tiny_model().world_model.embedding()
    gates, weights = router.gates(embedding), router.scores(embedding).gather(1, router.chosen)
    assert torch.equal(gates, torch.ones_like(gates))
    last = router.mlp[-1].weight
    ours = torch.autograd.grad(gates[0, 1], last, retain_graph=True)[0]
    torch.testing.assert_close(ours, torch.autograd.grad(weights[0, 1].log(), last)[0])


@pytest.mark.unittest
def test_a_router_that_is_sure_chooses_by_its_logits_and_keeps_its_gradient_finite():
    router, embedding = tiny_model().world_model.router, tiny_model().world_model.embedding()
    last = router.mlp[-1].weight
    with torch.no_grad():
        last.mul_(1e5)
    router.choose(embedding)
    best = router.mlp(embedding).topk(2).indices.sort(-1).values
    assert (torch.softmax(router.mlp(embedding), -1).gather(1, best) == 0).any()  # no float holds the second one's
    assert torch.equal(router.chosen, best)
    assert router.scores(embedding).min().item() == pytest.approx(0.01 / 4)
    gates = router.gates(embedding)
    assert torch.equal(gates, torch.ones_like(gates))
    assert torch.autograd.grad(gates.sum(), last)[0].isfinite().all()


@pytest.mark.unittest
def test_temperature_falls_geometrically_to_one_and_stays():
    router = tiny_model(temperature_start=8.0, temperature_steps=30).world_model.router
    seen = []
    for step in (0, 10, 20, 30, 1000):
        router.step.fill_(step)
        seen.append(float(router.temperature))
    assert seen == pytest.approx([8.0, 4.0, 2.0, 1.0, 1.0])
    embedding = torch.randn(3, 8)
    router.step.zero_()
    hot = router.scores(embedding)
    router.step.fill_(30)
    cold = router.scores(embedding)
    torch.testing.assert_close(cold, 0.99 * torch.softmax(router.mlp(embedding), -1) + 0.01 / 4)
    assert hot.std(-1).mean() < cold.std(-1).mean()


@pytest.mark.unittest
@torch.no_grad()
def test_balance_loss_is_zero_when_use_is_even():
    assert balance_loss(torch.full((4, ), 1.5), num_tasks=3, experts_per_task=2) == 0
    assert balance_loss(torch.tensor([3.0, 3.0, 0.0, 0.0]), num_tasks=3, experts_per_task=2) == pytest.approx(9.0)
    router = tiny_model(num_tasks=4, num_experts=4, experts_per_task=2).world_model.router
    sharp_and_even = 50 * torch.eye(4) + 50 * torch.eye(4).roll(1, 0)  # task k likes experts k and k + 1
    router.mlp = torch.nn.Linear(4, 4, bias=False)
    router.mlp.weight.copy_(sharp_and_even)
    router.step.fill_(10 ** 6)
    assert balance_loss(router.usage(torch.eye(4)), 4, 2) == pytest.approx(0, abs=1e-6)
    router.mlp.weight.copy_(50 * torch.tensor([1.0, 1.0, 0.0, 0.0])[:, None].expand(4, 4))  # all like 0 and 1
    # 4 experts, 2 tasks too many or too few each, but for the uniform share
    assert balance_loss(router.usage(torch.eye(4)), 4, 2).item() == pytest.approx(4 * (0.99 * 2) ** 2, rel=1e-5)


@pytest.mark.unittest
@pytest.mark.parametrize('seed', [0, 1])
def test_balance_loss_makes_use_even(seed):
    tasks, experts, steps = 26, 12, 600
    model = tiny_model(
        seed, num_tasks=tasks, num_experts=experts, experts_per_task=2, temperature_start=5.0,
        temperature_steps=steps // 2, task_embedding_dim=64
    )
    world = model.world_model
    with torch.no_grad():  # tasks start alike
        world.task_embedding.copy_(world.task_embedding[:1] + 0.3 * torch.randn_like(world.task_embedding))
    world.choose_experts()
    use = lambda: torch.bincount(world.router.chosen.flatten(), minlength=experts)
    assert (use() == 0).any() and use().max() >= 10, use()
    optimizer = torch.optim.Adam([world.task_embedding, *world.router.parameters()], lr=1e-3)
    for _ in range(steps):
        loss = balance_loss(world.router.usage(world.embedding()), tasks, 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        world.router.step += 1
        world.choose_experts()
    assert use().min() >= 1 and use().max() <= 9, use()  # 52 / 12 is even


@pytest.mark.unittest
def test_sequences_longer_than_the_positions_are_refused():
    model = tiny_model(max_length=4)
    with pytest.raises(ValueError, match='sequence of 5 steps, but model.max_length is 4'):
        model.world_model.dynamics(
            random_latent(1, 5, model), torch.zeros(1, 5, dtype=torch.long), model.world_model.route((0, ))
        )


@pytest.mark.unittest
def test_embedding_stays_on_the_unit_sphere():
    world = tiny_model().world_model
    with torch.no_grad():
        world.task_embedding.mul_(7)
    torch.testing.assert_close(world.embedding().norm(dim=-1), torch.ones(3))


@pytest.mark.unittest
@pytest.mark.parametrize('norm', ['batch', 'group', 'layer'])
def test_norms(norm):
    world = tiny_model(norm=norm).world_model.train()
    batch = random_batch((0, 1, 2), 4)
    assert world.encode(batch.obs, world.route(batch.task)).shape == (3, 4, 6, 5)
    with pytest.raises(ValueError, match="choose 'batch', 'group' or 'layer'"):
        tiny_model(norm='bach')


@pytest.mark.unittest
def test_unknown_model_key_is_named():
    with pytest.raises(ValueError, match="unknown key 'num_expert'"):
        tiny_model(num_expert=3)


@pytest.mark.unittest
def test_what_is_shown_of_a_task_has_the_fewest_ends():
    model, tasks = tiny_model().world_model, (0, 0, 1, 1, 1)
    batch = random_batch(tasks, 6)
    batch.first[0, 3] = batch.first[2, 2] = batch.first[4, 5] = True
    batch.first[1, 0] = batch.first[3, 0] = True  # where a sequence begins is no end in it
    frames = open_loop(model, batch, context=2)
    for task, row in ((0, 1), (1, 3)):
        assert torch.equal(torch.from_numpy(frames[task][0]), batch.obs[row].float() / 255)
