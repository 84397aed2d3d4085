"""The learned picture of a task, beside which frames are seen and painted."""
import copy

import pytest
import torch

from helpers.models import random_batch, tiny_model
from helpers.policies import tiny_policy, training_data
from lzero_mow.model.mow.background import Background

pytestmark = pytest.mark.unittest


def test_it_starts_once_as_the_mean_of_the_tasks_first_frames():
    background, batch = Background(3, (3, 64, 64)), random_batch((0, 2, 2), 4)
    background.start(batch.obs, batch.task)
    mean = lambda rows: batch.obs[rows].float().div(255).mean((0, 1))
    torch.testing.assert_close(background.picture[0], mean([0]))
    torch.testing.assert_close(background.picture[2], mean([1, 2]))
    assert background.started.tolist() == [True, False, True] and not background.picture[1].any()
    later = random_batch((0, 1), 4, seed=1)
    first = background.picture[0].clone()
    background.start(later.obs, later.task)
    assert torch.equal(background.picture[0], first) and background.started.all()


def test_a_loaded_picture_does_not_start_again():
    background, batch = Background(2, (3, 64, 64)), random_batch((0, 1), 4)
    background.start(batch.obs, batch.task)
    other = Background(2, (3, 64, 64))
    other.start(random_batch((0, ), 4, seed=3).obs, (0, ))
    other.load_state_dict(copy.deepcopy(background.state_dict()))
    other.start(random_batch((0, 1), 4, seed=2).obs, (0, 1))
    assert torch.equal(other.picture, background.picture)


def test_the_model_sees_and_paints_the_difference():
    model = tiny_model(background=True).world_model
    batch = random_batch((0, 1), 3)
    routing = model.route(batch.task)
    model.background.start(batch.obs, batch.task)
    latent = torch.randn(2, 3, model.latent_dim)
    with torch.no_grad():
        plain = model.decode(latent, routing)
        model.background.picture += 0.25
        torch.testing.assert_close(model.decode(latent, routing), plain + 0.25)
        shifted = model.background.difference(batch.obs, routing.task)
    expected = batch.obs.float() / 255 - model.background.picture[list(batch.task)].unsqueeze(1)
    torch.testing.assert_close(shifted, expected)


def test_the_first_update_starts_it_and_training_moves_it():
    policy = tiny_policy(model=dict(background=True), vae_learning_rate=1e-2)
    data = training_data()
    policy.learn_mode.forward(data)
    background = policy._model.world_model.background
    mean = data['world_model'].obs[:2].float().div(255).mean((0, 1))
    moved = (background.picture[0] - mean).abs()
    assert background.started.all() and 0 < moved.max() <= 1.01e-2, 'one step of Adam from the mean frame'
