"""Lambda-returns, return scales, imagination, actor and critics."""
import copy

import pytest
import torch
from easydict import EasyDict

from helpers.models import random_batch, random_latent, tiny_model
from lzero_mow.agent.actor_critic_loss import agent_terms
from lzero_mow.agent.imagination import context_windows, imagine
from lzero_mow.agent.returns import lambda_return
from lzero_mow.config.mow import MOW_CONFIG
from lzero_mow.model.mow.actor_critic import ReturnScale


@pytest.mark.unittest
def test_lambda_return_by_hand():
    reward, value = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[10.0, 20.0, 30.0, 40.0]])
    continuation = torch.ones(1, 3)
    # gamma 0.5, lambda 0.8
    r2 = 3 + 0.5 * (0.2 * 40 + 0.8 * 40)  # 23
    r1 = 2 + 0.5 * (0.2 * 30 + 0.8 * r2)  # 14.2
    r0 = 1 + 0.5 * (0.2 * 20 + 0.8 * r1)  # 8.68
    ours = lambda_return(reward, continuation, value, 0.5, 0.8)
    torch.testing.assert_close(ours, torch.tensor([[r0, r1, r2]]))
    # an episode that ends at step 1 takes nothing from beyond
    ours = lambda_return(reward, torch.tensor([[1.0, 0.0, 1.0]]), value, 0.5, 0.8)
    torch.testing.assert_close(ours, torch.tensor([[1 + 0.5 * (0.2 * 20 + 0.8 * 2), 2.0, 23.0]]))
    # STORM's code mixes in V_t
    r2 = 3 + 0.5 * (0.2 * 30 + 0.8 * 40)
    r1 = 2 + 0.5 * (0.2 * 20 + 0.8 * r2)
    r0 = 1 + 0.5 * (0.2 * 10 + 0.8 * r1)
    ours = lambda_return(reward, continuation, value, 0.5, 0.8, bootstrap='current')
    torch.testing.assert_close(ours, torch.tensor([[r0, r1, r2]]))


@pytest.mark.unittest
def test_return_scale_is_separate_per_task_and_never_below_its_floor():
    scale = ReturnScale(3)
    returns = torch.stack([torch.linspace(0, 100, 101), torch.linspace(0, 0.1, 101), torch.linspace(0, 0.1, 101)])
    for _ in range(3):
        scale.update(returns, (0, 2, 2), decay=0.5)
    assert scale(1.0).tolist() == pytest.approx([90 * (1 - 0.5 ** 3), 1.0, 1.0])
    assert scale(0.02).tolist() == pytest.approx([90 * (1 - 0.5 ** 3), 0.02, 0.09 * (1 - 0.5 ** 3)])
    assert scale.low[1] == scale.high[1] == 0  # a task that was not there keeps its scale


def rollout_of(model, tasks=(0, 0, 1, 2), context=4, horizon=7, seed=0):
    torch.manual_seed(seed)
    world = model.world_model
    routing = world.route(tasks)
    latent, action = random_latent(len(tasks), context, model), random_batch(tasks, context).action[:, :-1]
    return imagine(world, model.agent, latent, action, tasks, routing, horizon), latent, action, routing


@pytest.mark.unittest
@torch.no_grad()
def test_imagination_equals_the_full_forward_pass_step_by_step():
    model = tiny_model()
    world = model.world_model
    rollout, context, action, routing = rollout_of(model)
    assert rollout.state.shape == (4, 8, world.latent_dim + world.hidden_dim)
    latent, hidden = rollout.state.split([world.latent_dim, world.hidden_dim], -1)
    all_latents = torch.cat([context[:, :-1], latent[:, :-1]], 1)
    full = world.dynamics(all_latents, torch.cat([action, rollout.action], 1), routing)
    close = dict(rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(hidden, full[:, context.shape[1] - 2:], **close)
    predicted = world.predict(full[:, context.shape[1] - 1:], routing)
    torch.testing.assert_close(rollout.reward, world.two_hot.decode(predicted.reward), **close)
    assert torch.equal(rollout.continuation, (predicted.continuation > 0).float())
    assert torch.equal(latent[:, 0], context[:, -1])
    # imagined latents are one-hot draws of the prior
    one_hot = latent[:, 1:].unflatten(-1, world.latent_shape)
    torch.testing.assert_close(one_hot.sum(-1), torch.ones_like(one_hot[..., 0]))


@pytest.mark.unittest
@torch.no_grad()
def test_imagined_actions_are_legal():
    model = tiny_model()
    model.agent.action_mask[2] = torch.tensor([False, True, False, True, False])
    rollout, *_ = rollout_of(model, tasks=(0, ) * 20 + (2, ) * 20, horizon=6)
    assert set(rollout.action[20:].unique().tolist()) <= {1, 3}
    assert set(rollout.action[:20].unique().tolist()) == {0, 1, 2, 3, 4}


@pytest.mark.unittest
def test_agent_terms_only_train_actor_and_critic():
    model = tiny_model()
    rollout, *_, routing = rollout_of(model)
    cfg = EasyDict(MOW_CONFIG)
    terms, _ = agent_terms(model.agent, rollout, routing, cfg)
    (terms['actor'].sum() + terms['entropy'].sum()).backward(retain_graph=True)
    assert all(p.grad is None for p in model.agent.critic.parameters())  # the advantage is a constant
    assert all(p.grad.abs().sum() > 0 for p in model.agent.actor.parameters())
    model.zero_grad(set_to_none=True)
    (terms['critic'].sum() + terms['slow_critic'].sum()).backward()
    assert all(p.grad is None for p in model.agent.actor.parameters())
    assert all(p.grad.abs().sum() > 0 for p in model.agent.critic.parameters())
    assert all(p.grad is None for p in model.agent.slow_critic.parameters())
    assert all(p.grad is None for p in model.world_model.parameters())


@pytest.mark.unittest
def test_slow_critic_follows():
    agent = tiny_model().agent
    with torch.no_grad():
        agent.critic.out.bias.add_(1.0)
    before = agent.slow_critic.out.bias.clone()
    agent.update_slow_critic(0.98)
    torch.testing.assert_close(agent.slow_critic.out.bias, before + 0.02)


@pytest.mark.unittest
def test_context_windows_are_real_and_shared_out_evenly():
    tasks, length = (0, 0, 1, 2), 10
    latent = torch.arange(4 * length).float().view(4, length, 1)
    action = torch.arange(4 * length).view(4, length)
    windows, actions, window_tasks = context_windows(latent, action, tasks, 3, 40)
    assert windows.shape == (40, 3, 1) and actions.shape == (40, 2)
    assert window_tasks == (0, ) * 20 + (1, ) * 10 + (2, ) * 10
    assert torch.equal(windows[:, 1:] - windows[:, :-1], torch.ones(40, 2, 1))
    assert torch.equal(windows[:, :-1, 0].long(), actions)
    assert torch.equal(windows[:, 0, 0].long() // length, torch.arange(40) // 10)
    assert len(windows[:, 0].unique()) > 20


@pytest.mark.unittest
def test_centred_advantages_do_not_reinforce_whatever_was_sampled_while_the_critic_is_behind():
    """Rewards that no action changes, and a critic that knows nothing of them: every plain advantage is positive."""
    model = tiny_model()
    rollout, *_, routing = rollout_of(model, tasks=(0, 0, 1, 2))
    rollout = rollout._replace(reward=torch.ones_like(rollout.reward), continuation=torch.ones_like(rollout.reward))
    with torch.no_grad():
        for critic in (model.agent.critic, model.agent.slow_critic):
            critic.out.weight.zero_()
            critic.out.bias.zero_()
            critic.out.bias[:, len(model.agent.two_hot.bins) // 2] = 100.0  # V = 0
    pull = {}
    for centred in (False, True):
        cfg = EasyDict(MOW_CONFIG, centre_advantages=centred)
        terms, _ = agent_terms(copy.deepcopy(model.agent), rollout, routing, cfg)
        pull[centred] = terms['actor'].abs().sum()
    log_probs = model.agent.policy(rollout.state[:, :-1], routing).log_prob(rollout.action)
    assert pull[False] > 0.5 * log_probs.abs().mean() and pull[True] < 0.1 * pull[False]
