"""Every step is collected exactly once and in order, whatever happens at the boundaries of episodes and segments."""
import numpy as np
import pytest
from lzero.mcts.buffer.game_buffer_muzero import MuZeroGameBuffer
from lzero.worker import MuZeroSegmentCollector

from helpers.collection import collect_logs, in_flight_steps, make_collector
from helpers.scripted_env import decode
from helpers.workers import ScalarLog, make_manager, make_policy_config, make_positional_collect_mode

pytestmark = pytest.mark.usefixtures('in_tmp_path')  # where LightZero writes its log files


@pytest.mark.unittest
@pytest.mark.parametrize('env_num', [1, 2, 3, 8])
def test_every_step_once_and_in_order(env_num):
    collector = make_collector(env_num)
    logs, pairs = collect_logs(collector, calls=60)
    for env_id, env in enumerate(collector._env._envs):
        stored, true = logs[env_id], env.log
        assert stored == true[:len(stored)]
        assert len(stored) + in_flight_steps(collector, env_id) == len(true) == collector.envsteps[env_id]
        assert len(true) - len(stored) < 2 * 5
        assert sum(step.terminated or step.truncated for step in stored) > 5
    assert len(set(collector.envsteps)) == 1 and collector.envstep == collector.envsteps.sum()
    assert all(segment.obs_segment.dtype == np.uint8 for segment, _ in pairs)


@pytest.mark.unittest
def test_metas_join_the_segments_of_an_episode():
    _, pairs = collect_logs(make_collector(3), calls=40)
    expected = {}
    for segment, meta in pairs:
        key = (meta['episode_id'], meta['first_timestep'])
        assert key == expected.get(meta['env_id'], (0, 0)) == decode(segment.obs_segment[0])[1:]
        count = len(meta['terminated'])
        # An episode ends with its segment or not at all.
        assert not (meta['terminated'][:-1].any() or meta['truncated'][:-1].any())
        ended = meta['terminated'][-1] or meta['truncated'][-1]
        assert ended or count == 5
        expected[meta['env_id']] = (key[0] + 1, 0) if ended else (key[0], key[1] + count)


@pytest.mark.unittest
def test_padding_is_lightzeros():
    """A segment is followed by the first steps of the next one of its episode; the last of an episode by nothing."""
    _, pairs = collect_logs(make_collector(2), calls=40)
    for env_id in range(2):
        own = [(segment, meta) for segment, meta in pairs if meta['env_id'] == env_id]
        for (segment, meta), (after, _) in zip(own, own[1:]):
            count = len(meta['terminated'])
            assert len(segment.to_play_segment) == len(segment.action_mask_segment) == count
            assert len(segment.timestep_segment) == count
            if meta['terminated'][-1] or meta['truncated'][-1]:
                assert meta['done'] and len(segment.action_segment) == len(segment.reward_segment) == count
                assert len(segment.obs_segment) == count + 1
                continue
            pad = min(2, len(after.to_play_segment))
            assert np.array_equal(segment.action_segment[count:], after.action_segment[:pad])
            assert np.array_equal(segment.obs_segment[count + 1:], after.obs_segment[1:1 + pad])
            assert np.array_equal(segment.reward_segment[count:], after.reward_segment[:1])
            assert np.array_equal(segment.root_value_segment[count:], after.root_value_segment[:pad])
            assert segment.child_visit_segment.shape == (count + pad, 18)
            assert meta['unroll_plus_td_steps'] == 2 and meta['priorities'] is None


@pytest.mark.unittest
def test_lightzeros_own_buffer_accepts_the_segments():
    config = make_policy_config(
        reanalyze_ratio=0, reanalyze_outdated=True, batch_size=4, sample_type='transition', mini_infer_size=8
    )
    config.model.update(reward_support_range=(-10., 11., 1.), value_support_range=(-10., 11., 1.), support_scale=10)
    collector, buffer = make_collector(2, config), MuZeroGameBuffer(config)
    for _ in range(20):
        buffer.push_game_segments(collector.collect())
        buffer.remove_oldest_data_to_fit()
    segments, positions, *_ = buffer._sample_orig_data(16)
    for segment, position in zip(segments, positions):
        assert decode(segment.obs_segment[position])


@pytest.mark.unittest
def test_frame_stack_restarts_with_the_episode():
    config = make_policy_config(model=dict(frame_stack_num=3))
    collector = make_collector(2, config)
    logs, pairs = collect_logs(collector, calls=30, frame_stack=3)
    for env_id, env in enumerate(collector._env._envs):
        assert logs[env_id] == env.log[:len(logs[env_id])]
    for segment, meta in pairs:
        timesteps = [decode(frame)[1:] for frame in segment.obs_segment[:3]]
        assert timesteps == [(meta['episode_id'], max(meta['first_timestep'] - back, 0)) for back in (2, 1, 0)]


@pytest.mark.unittest
def test_stock_collector_loses_steps():
    """Why our collector exists: the same script, LightZero's own collector, and holes in what it returns."""
    config = make_policy_config(num_segments=3)
    collector = MuZeroSegmentCollector(
        env=make_manager(3), policy=make_positional_collect_mode(config), tb_logger=ScalarLog(), exp_name='test',
        policy_config=config
    )
    stored = {env_id: set() for env_id in range(3)}
    for _ in range(40):
        segments, _ = collector.collect(policy_kwargs={'temperature': 1.0, 'epsilon': 0.0})
        for segment in segments:
            for index in range(len(segment.to_play_segment)):
                env_id, episode, timestep = decode(segment.obs_segment[index])
                stored[env_id].add((episode, timestep))
    lost, steps = 0, 0
    for env_id, env in enumerate(collector._env._envs):
        # The newest two segments of a stream may be merely in flight.
        due = [(step.episode, step.timestep) for step in env.log[:-10]]
        lost, steps = lost + len(set(due) - stored[env_id]), steps + len(due)
    if lost == 0:
        pytest.skip('this LightZero collects without loss')
    assert lost > 0.02 * steps


@pytest.mark.unittest
def test_environments_without_our_flags_end_correctly():
    """LightZero's own environments say `TimeLimit.truncated` or nothing."""
    collector = make_collector(1)
    env, step = collector._env._envs[0], collector._env._envs[0].step

    def step_like_gym(action):
        timestep = step(action)
        info = {key: value for key, value in timestep.info.items() if key == 'eval_episode_return'}
        if timestep.info['truncated']:
            info['TimeLimit.truncated'] = True
        return timestep._replace(info=info)

    env.step = step_like_gym
    logs, _ = collect_logs(collector, calls=30)
    assert logs[0] == [line._replace(life_loss=False) for line in env.log[:len(logs[0])]]


@pytest.mark.unittest
def test_episodes_and_scalars():
    log = ScalarLog()
    collector = make_collector(2, tb_logger=log, collect_print_freq=1)
    for train_iter in range(1, 21):
        collector.collect(train_iter=train_iter)
    episodes = collector.drain_episodes()
    assert collector.drain_episodes() == []
    for env_id, env in enumerate(collector._env._envs):
        ends = [index + 1 for index, step in enumerate(env.log) if step.terminated or step.truncated]
        lengths = np.diff([0] + ends)
        returns = [sum(step.reward for step in env.log[end - length:end]) for end, length in zip(ends, lengths)]
        own = [episode for episode in episodes if episode[0] == env_id]
        assert [length for _, _, length in own] == list(lengths)
        assert np.allclose([value for _, value, _ in own], returns)
    assert log.scalars['collector_iter/reward_mean'] and 'collector_step/reward_mean' in log.scalars
    assert log.scalars['collector_iter/total_episode_count'][-1][0] == len(episodes)
    assert collector._total_episode_count == len(episodes)


@pytest.mark.unittest
def test_policy_forgets_finished_episodes():
    resets = []
    collector = make_collector(2, resets=resets)
    collector.collect()
    assert resets.count(None) == 1
    resets.clear()
    collector.drain_episodes()
    for _ in range(10):
        collector.collect()
    assert resets == [[env_id] for env_id, _, _ in collector.drain_episodes()]


@pytest.mark.unittest
def test_reset_begins_new_episodes():
    collector = make_collector(2)
    collector.collect()
    collector.reset()
    assert collector.envstep == 0 and collector.drain_episodes() == []
    segments, metas = collector.collect(num_segments=12)
    for env_id in range(2):
        first = next(index for index, meta in enumerate(metas) if meta['env_id'] == env_id)
        assert metas[first]['first_timestep'] == decode(segments[first].obs_segment[0])[2] == 0


@pytest.mark.unittest
def test_unsupported_search_is_refused():
    with pytest.raises(ValueError, match='policy.gumbel_algo=True is not supported'):
        make_collector(1, make_policy_config(gumbel_algo=True))


@pytest.mark.unittest
def test_subprocess_environments_lose_nothing():
    config = make_policy_config()
    manager = make_manager(2, subprocess=True)
    collector = make_collector(2, config, manager=manager)
    logs, _ = collect_logs(collector, calls=15)
    assert collector.state_dict()['environments'] is None
    collector.close()
    twin = make_collector(2, config)
    expected, _ = collect_logs(twin, calls=15)
    assert logs == expected
