"""A small model learns two tasks whose optimum is known, through the real training entry."""
import csv

import pytest

import helpers.two_task_env as two_task_env
from lzero_mow.config.build import build_config, lightzero_configs
from lzero_mow.entry.train_multitask import train_multitask

OPTIMUM = 1 / 4 + 15  # the first action of an episode is random
LEARNER = dict(
    env=dict(evaluator_env_num=10),
    policy=dict(
        batch_size=12, batch_length=16, imagine_batch_size=128, imagine_source='batch', context_length=4, horizon=4,
        acting_window=4, train_start_after_envsteps=512, replay_ratio=0.6, eval_freq=2000, checkpoint_freq=2000,
        report_freq=2000, learning_rate=1e-3, agent_learning_rate=1e-3, agent_loss_weights=dict(entropy=1e-2),
        discount_factor=0.5, task_weight_learning_rate=1e-2,
        model=dict(
            num_clusters=2, num_experts=3, experts_per_task=2, stem_channels=2, width=64, num_layers=1, num_heads=4,
            max_length=16, categories=8, classes=8, task_embedding_dim=8, agent_layers=1, agent_width=64,
            temperature_steps=200
        )
    )
)


def final_returns(run_dir) -> dict:
    with open(run_dir / 'results.csv') as file:
        rows = list(csv.DictReader(file))
    last = max(int(row['env_step']) for row in rows)
    return {row['task']: float(row['episode_return']) for row in rows if int(row['env_step']) == last}


@pytest.mark.unittest
@pytest.mark.timeout(900)  # about a minute on two free cores
@pytest.mark.parametrize('seed', [0, 1, 2])
def test_near_optimal_on_two_tasks(tmp_path, seed):
    config = build_config('debug', layers=[{'exp_name': str(tmp_path / 'run'), **LEARNER}])
    config['env'].update(tasks=list(two_task_env.TASKS))
    config['create']['env'] = dict(type='two_task_mow', import_names=['helpers.two_task_env'])
    train_multitask(lightzero_configs(config), seed=seed, max_env_step=1900)
    returns = final_returns(tmp_path / 'run')
    assert set(returns) == set(two_task_env.TASKS)
    assert min(returns.values()) > 0.85 * OPTIMUM, returns
