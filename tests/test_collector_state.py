"""A saved collector continues as if nothing had happened, or closes the episodes that it cannot continue."""
import numpy as np
import pytest
import torch

from helpers.collection import collect_logs, make_collector, real_steps
from helpers.workers import make_policy_config

pytestmark = pytest.mark.usefixtures('in_tmp_path')  # where LightZero writes its log files


def assert_same_collection(first, second):
    for segment, other in zip(first[0], second[0]):
        for name in ('obs', 'action', 'reward', 'child_visit', 'root_value', 'action_mask', 'to_play', 'timestep'):
            array, twin = getattr(segment, f'{name}_segment'), getattr(other, f'{name}_segment')
            assert array.dtype == twin.dtype and np.array_equal(array, twin), name
    assert len(first[0]) == len(second[0])
    for meta, other in zip(first[1], second[1]):
        assert meta.keys() == other.keys()
        assert all(np.array_equal(meta[key], other[key]) for key in meta)


@pytest.mark.unittest
@pytest.mark.parametrize('calls', range(8))
def test_state_dict_continues_exactly(calls, tmp_path):
    """After any number of calls, a new collector restored from a file continues like the old one."""
    config = make_policy_config(use_priority=True, model=dict(frame_stack_num=2))
    collector = make_collector(3, config)
    for _ in range(calls):
        collector.collect()
    torch.save(collector.state_dict(), tmp_path / 'collector.pt')
    resumed = make_collector(3, config)
    resumed.load_state_dict(torch.load(tmp_path / 'collector.pt', weights_only=True))
    for _ in range(6):
        assert_same_collection(collector.collect(), resumed.collect())
        assert np.array_equal(collector.envsteps, resumed.envsteps)
    assert collector.drain_episodes() == resumed.drain_episodes()
    assert [env.log for env in collector._env._envs] == [env.log for env in resumed._env._envs]


@pytest.mark.unittest
@pytest.mark.parametrize('calls', [1, 2, 5])
def test_state_without_environments_closes_the_episodes(calls, caplog):
    """Nothing collected is lost: what was in flight comes first, cut off by a truncation, then new episodes begin."""
    collector = make_collector(2)
    logs, _ = collect_logs(collector, calls)
    state = {**collector.state_dict(), 'environments': None}
    resets = []
    resumed = make_collector(2, resets=resets)
    resumed.load_state_dict(state)
    assert 'starts a new episode' in caplog.text
    again = make_collector(2)
    again.load_state_dict({**resumed.state_dict(), 'environments': None})
    for other in (resumed, again):
        segments, metas = other.collect()
        for env_id, env in enumerate(collector._env._envs):
            own = [(segment, meta) for segment, meta in zip(segments, metas) if meta['env_id'] == env_id]
            tail = [step for segment, meta in own for step in real_steps(segment, meta)]
            missing = env.log[len(logs[env_id]):]
            assert [step[:5] for step in tail[:len(missing)]] == [step[:5] for step in missing]
            if missing and not missing[-1].terminated:
                assert tail[len(missing) - 1].truncated
            fresh = tail[len(missing):]
            assert [step[:5] for step in fresh] == [step[:5] for step in other._env._envs[env_id].log[:len(fresh)]]
    assert [0] in resets and [1] in resets


@pytest.mark.unittest
def test_state_of_other_environments_is_refused():
    state = make_collector(2).state_dict()
    with pytest.raises(ValueError, match='has 2 collector environments, this run 3'):
        make_collector(3).load_state_dict(state)
