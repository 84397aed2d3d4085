"""Where learning stops: what is measured on play that was not trained on, and what an evaluation records for it."""
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from helpers.policies import TASKS, tiny_policy
from helpers.scalezero import TINY
from helpers.scalezero_policy import tiny_scalezero_policy
from lzero_mow.buffer.batch import RecordedPlay
from lzero_mow.mcts import tree_search
from lzero_mow.model.scalezero.support import expand
from lzero_mow.multitask.diagnostics import scalezero_learning
from lzero_mow.multitask.diagnostics.learning import correlation, played_returns, r_squared, reward_steps
from lzero_mow.worker.play_recorder import PlayRecorder

pytestmark = pytest.mark.unittest
QUESTIONS = {
    'reward/1_steps', 'reward/8_steps', 'return', 'value', 'imagination'
}


def play(steps=60, reward=0.0, ended=False, lost=(), seed=0, size=64) -> RecordedPlay:
    rng = np.random.default_rng(seed)
    flags = np.zeros((2, steps), dtype=bool)
    flags[0, -1] = ended
    flags[1, list(lost)] = True
    return RecordedPlay(
        rng.integers(256, size=(steps, 3, size, size), dtype=np.uint8), rng.integers(5, size=steps),
        np.full(steps, reward, dtype=np.float32), *flags
    )


def test_reward_steps_of_a_model_that_knows_all_nothing_and_the_opposite():
    reward = np.array([0.0, 2.0, 0.0, -1.0])
    assert reward_steps(np.array([0.1, 0.9, 0.2, 0.8]), reward) == dict(number=2.0, precision=1.0, recall=1.0, auc=1.0)
    assert reward_steps(np.array([0.9, 0.1, 0.8, 0.2]), reward) == dict(number=2.0, precision=0.0, recall=0.0, auc=0.0)
    constant = reward_steps(np.full(4, 0.3), reward)
    assert np.isnan(constant['precision']) and constant['recall'] == 0.0 and constant['auc'] == 0.5
    mixed = reward_steps(np.array([0.6, 0.9, 0.2, 0.4]), reward)
    assert mixed == dict(number=2.0, precision=0.5, recall=0.5, auc=0.75)


def test_without_rewards_there_is_nothing_to_recall():
    found = reward_steps(np.array([0.1, 0.9]), np.zeros(2))
    assert found['precision'] == 0.0 and np.isnan(found['recall']) and np.isnan(found['auc'])


def test_r_squared_and_correlation():
    real = np.array([0.0, 1.0, 2.0])
    assert r_squared(real, real) == 1.0 and r_squared(np.ones(3), real) == 0.0 and r_squared(-real, real) < 0
    assert correlation(3 * real + 1, real) == pytest.approx(1.0) and correlation(-real, real) == pytest.approx(-1.0)
    assert np.isnan(r_squared(real, np.ones(3))) and np.isnan(correlation(np.ones(3), real))


def test_played_returns_end_where_the_episode_does_and_go_on_where_it_was_cut():
    assert played_returns(play(3, 1.0, ended=True), 0.5, True, last_value=8.0).tolist() == [1.75, 1.5, 1.0]
    assert played_returns(play(3, 1.0), 0.5, True, last_value=8.0).tolist() == [2.75, 3.5, 5.0]
    lost = play(3, 1.0, ended=True, lost=[0])
    assert played_returns(lost, 0.5, True, 8.0)[0] == 1.0 and played_returns(lost, 0.5, False, 8.0)[0] == 1.75


def test_a_policy_answers_for_every_task_whose_play_is_long_enough_and_changes_nothing():
    policy = tiny_policy()
    before = {name: value.clone() for name, value in policy._model.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    rewards = [np.eye(60, dtype=np.float32)[7 + k] + np.eye(60, dtype=np.float32)[30] for k in range(3)]
    plays = [play(60, seed=k) for k in range(2)] + [play(5)]
    for k in range(2):
        plays[k].reward[:] = rewards[k]
    scalars = policy.diagnose([], dict(enumerate(plays)))['scalars']
    assert torch.equal(torch.rand(4), expected), 'the random state has moved'
    assert all(torch.equal(value, before[name]) for name, value in policy._model.state_dict().items())
    found = {name.split('/', 2)[2].rsplit('/', 1)[0] for name in scalars if name.startswith('learning/')}
    assert found == QUESTIONS
    assert {name.split('/')[1] for name in scalars if name.startswith('learning/')} == set(TASKS[:2])
    assert all(np.isfinite(value) for value in scalars.values())


def test_what_was_played_counts_until_a_life_is_lost_as_in_imagination():
    policy, cut = tiny_policy(horizon=5, discount_factor=1.0), play(60, reward=1.0, lost=range(60))
    of = lambda found: policy.diagnose([], dict.fromkeys(range(3), found))['scalars']['learning/red/imagination/played']
    assert of(cut) == 1.0 and of(play(60, reward=1.0)) == 5.0


def test_a_planted_reward_model_is_recognised():
    """A head that says 'a reward, always' recalls every reward, and imagines a point at every step."""
    policy = tiny_policy(horizon=5, discount_factor=1.0, model=dict(two_hot='mean'))
    head = policy._model.world_model.reward_head
    one, _ = policy._model.world_model.two_hot.neighbours(torch.tensor(1.0))
    with torch.no_grad():
        head.out.bias[:, one + 1] = 1000.0
    point = float(policy._model.world_model.two_hot.bins[one + 1])
    policy._model.world_model.continuation_head.out.bias.data[:] = 1000.0
    scalars = policy.diagnose([], dict.fromkeys(range(3), play(60, reward=1.0)))['scalars']
    of = lambda name: scalars[f'learning/red/{name}']
    assert of('reward/1_steps/recall') == of('reward/8_steps/recall') == of('reward/8_steps/precision') == 1.0
    assert of('imagination/actor') == pytest.approx(5 * point) == of('imagination/random')
    assert of('imagination/played') == pytest.approx(5.0)


def test_scalezero_answers_the_first_two_questions_with_signs_of_rewards_and_changes_nothing():
    policy = tiny_scalezero_policy()
    size, steps = TINY['observation_shape'][-1], 60
    before = {name: value.clone() for name, value in policy._model.state_dict().items()}
    with torch.no_grad():
        policy._model.reward_head.out.bias[:, -1] = 1000.0  # always a reward
        policy._model.value_head.out.bias[:, -1] = 1000.0
    plays = [play(steps, reward=50.0, size=size)] * 2 + [play(5, size=size)]
    scalars = policy.diagnose([], dict(enumerate(plays)))['scalars']
    of = lambda name: scalars[f'learning/{policy.cfg.tasks[1]}/{name}']
    assert of('reward/1_steps/recall') == of('reward/8_steps/precision') == 1.0
    assert of('value/predicted') == pytest.approx(float(expand(torch.tensor(TINY['value_support'][1]))), rel=1e-4)
    assert 0 < of('value/played') < steps + of('value/predicted')  # sums of signs, not of fifties
    assert not any(name.startswith(f'learning/{policy.cfg.tasks[2]}/') for name in scalars)
    assert not any('imagination' in name for name in scalars)
    after = policy._model.state_dict()
    changed = [name for name, value in before.items() if not torch.equal(value, after[name])]
    assert changed == ['value_head.out.bias', 'reward_head.out.bias'], 'planted above'


@pytest.mark.parametrize('best', [1, 2])
def test_searches_beside_the_policy(monkeypatch, best):
    """The second action is not legal; the policy prefers the first, and searches the first in every other place."""
    policy, windows = tiny_scalezero_policy(), []
    policy._model.action_mask[0, 1] = False
    bias = torch.zeros(policy._model.action_mask.shape[1])
    bias[0], bias[1] = 2.0, 9.0
    with torch.no_grad():
        policy._model.policy_head.out.weight[0] = 0
        policy._model.policy_head.out.bias[0] = bias

    def search(model, window, cfg):
        found = tree_search.search(model, window, cfg)
        windows.append(window)
        found.visits[:] = np.eye(len(bias))[np.where(np.arange(len(found.visits)) % best == 0, 0, 2)]
        return found

    monkeypatch.setattr(scalezero_learning, 'search', search)
    recorded = play(size=TINY['observation_shape'][-1])
    scalars = policy.diagnose([], {0: recorded})['scalars']
    of = lambda name: scalars[f'learning/{policy.cfg.tasks[0]}/search/{name}']
    legal = torch.cat([bias[:1], bias[2:]]).softmax(0)
    assert of('policy_entropy') == pytest.approx(float(torch.special.entr(legal).sum()), rel=1e-4)
    assert of('visit_entropy') == 0.0 and of('agreement') == pytest.approx(1 / best, abs=0.02)
    # From the last of the context's steps, with the actions between them.
    window, context = windows[0], policy.cfg.context_length
    assert window.length.tolist() == [context] * len(window.task)
    assert window.action[0].tolist() == recorded.action[:context - 1].tolist()


def step(reward, done=False, **info):
    return SimpleNamespace(reward=np.array(reward, np.float32), done=done, info=info)


def test_the_recorder_keeps_the_first_episode_of_one_environment_of_each_task():
    recorder = PlayRecorder(num_tasks=2, envs_per_task=2)
    frame = lambda value: np.full((3, 2, 2), value, np.uint8)
    for t in range(3):
        for env_id in range(4):
            played = step(env_id + t, done=env_id == 0 and t == 1, life_loss=t == 0)
            recorder.add(env_id, frame(10 * env_id + t), t, played)
    first, second = recorder.plays()
    assert len(first) == 2 and len(second) == 3
    assert first.obs[:, 0, 0, 0].tolist() == [0, 1] and second.obs[:, 0, 0, 0].tolist() == [20, 21, 22]
    assert first.terminated.tolist() == [False, True] and second.life_loss.tolist() == [True, False, False]
    assert second.reward.tolist() == [2.0, 3.0, 4.0] and second.action.tolist() == [0, 1, 2]


def test_the_recorder_keeps_few_frames_but_all_rewards_and_tells_a_cut_from_an_end():
    recorder = PlayRecorder(1, 1)
    for t in range(PlayRecorder.LONGEST + 5):
        recorder.add(0, np.zeros((3, 2, 2), np.uint8), 0, step(float(t)))
    long = recorder.plays()[0]
    assert len(long) == len(long.obs) == len(long.action) == PlayRecorder.LONGEST
    assert long.reward.tolist() == list(range(PlayRecorder.LONGEST + 5))
    returns = played_returns(long, 0.5, True, last_value=0.0)
    assert returns[PlayRecorder.LONGEST - 1] == pytest.approx(499 + 250 + 501 / 4 + 502 / 8 + 503 / 16 + 504 / 32)
    cut = PlayRecorder(1, 1)
    cut.add(0, np.zeros((3, 2, 2), np.uint8), 0, step(0.0, done=True, terminated=False, truncated=True))
    assert not cut.plays()[0].terminated.any()
