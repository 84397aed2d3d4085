"""Methods x seeds as processes: what is started, skipped, resumed and merged."""
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from helpers.experiments import held_by_another_process, make_plan
from lzero_mow.config.saved import save_config
from lzero_mow.report.tables.costs import read_costs
from lzero_mow.report.tables.results import Result, append_results, read_results
from lzero_mow.report.tables.run_record import RunRecord, read_run_record, write_run_record
from lzero_mow.report.tables.times import ALL_TIMES, Times, append_times
from lzero_mow.studies.experiment.jobs import command, is_finished, plan_jobs
from lzero_mow.studies.experiment.tables import check_tables, write_tables

ROOT = Path(__file__).resolve().parent.parent
TASKS = ['Pong', 'Boxing']


def finish(job, env_step=None, score=1.0):
    """Leave what a run leaves at its end."""
    run_dir, tasks = Path(job.run_dir), job.config['env']['tasks']
    env_step = job.config['max_env_step'] if env_step is None else env_step
    save_config(job.config, str(run_dir / 'total_config.yaml'))
    for name in ('results.csv', 'times.csv'):
        (run_dir / name).unlink(missing_ok=True)
    rows = [Result(job.method, job.seed, task, step, 1, score, None) for step in (0, env_step) for task in tasks]
    append_results(str(run_dir / 'results.csv'), rows)
    if not job.is_reference:
        append_times(str(run_dir / 'times.csv'), Times(env_step, env_step, 7, 80.0, 110.0, 0.1, 0.2))
    write_run_record(
        str(run_dir),
        RunRecord(
            job.method, job.seed, tasks, env_step, env_step * len(tasks), 7, 90.0, 120.0, 3 * 2 ** 20, 5 * 2 ** 20
        )
    )


# ------------------------------------------------------------------ what there is to do


@pytest.mark.unittest
def test_seeds_come_first_and_an_ensemble_has_a_run_per_task(tmp_path):
    jobs = plan_jobs(make_plan(tmp_path, ['mow', 'storm', 'random'], [0, 1]))
    assert [str(job) for job in jobs] == [
        'mow, seed 0', 'storm Pong, seed 0', 'storm Boxing, seed 0', 'random, seed 0', 'mow, seed 1',
        'storm Pong, seed 1', 'storm Boxing, seed 1', 'random, seed 1'
    ]
    assert jobs[1].run_dir == str(tmp_path / 'atari' / 'storm' / 'Pong_seed0')
    assert jobs[1].config['env']['tasks'] == ['Pong'] and jobs[4].config['seed'] == 1


@pytest.mark.unittest
def test_experts_play_where_there_are_some(tmp_path):
    plan = make_plan(tmp_path, ['mow', 'random', 'expert'], games=['reach', 'push'], suite='metaworld')
    _, *references = jobs = plan_jobs(plan)
    assert [str(job) for job in jobs] == ['mow, seed 0', 'random, seed 0', 'expert, seed 0']
    for job in references:
        module, player, episodes = (command(job, plan)[i] for i in (2, -3, -1))
        assert (module, player, episodes) == ('lzero_mow.studies.experiment.reference_play', job.method, '3')
        assert job.config['method'] == job.method and job.config['max_env_step'] == 0
        finish(job)
        assert is_finished(job)
    plan_jobs(replace(plan, overrides=('policy.batch_size=6', )))  # players have no policy of ours
    with pytest.raises(ValueError, match='expert/seed0. holds a run with random_episodes=3, now 4 is asked for'):
        plan_jobs(replace(plan, methods=('expert', ), random_episodes=4))


@pytest.mark.unittest
def test_a_key_of_one_policy_only_reaches_its_methods(tmp_path):
    overrides = ['policy.num_simulations=3', 'policy.horizon=2', 'max_env_step=150']
    mow, scalezero = plan_jobs(make_plan(tmp_path, ['mow', 'scalezero'], overrides=overrides))
    assert mow.config['policy']['horizon'] == 2 and 'num_simulations' not in mow.config['policy']
    assert scalezero.config['policy']['num_simulations'] == 3 and 'horizon' not in scalezero.config['policy']
    assert mow.config['max_env_step'] == scalezero.config['max_env_step'] == 150
    with pytest.raises(ValueError, match='policy.num_simulations is a key of the policy scalezero'):
        plan_jobs(make_plan(tmp_path, ['mow'], overrides=overrides))


@pytest.mark.unittest
@pytest.mark.parametrize('suite, seeds', [('atari', '0'), ('minatar', '0 1 2'), ('metaworld', '0')])
def test_the_help_of_the_compare_script_tells_its_own_defaults(suite, seeds):
    command = [sys.executable, str(ROOT / 'zoo' / suite / 'config' / 'compare.py'), '--help']
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, PYTHONPATH=str(ROOT)))
    text = ' '.join(done.stdout.split())
    assert done.returncode == 0 and text.startswith('usage: compare.py') and 'SUITE ' not in text.split('options')[0]
    assert f'default: {seeds}' in text and f'default: data_mow/compare/{suite}.html' in text


@pytest.mark.unittest
def test_a_member_has_its_tasks_share_of_the_batch_and_the_updates_of_the_whole(tmp_path):
    plan = make_plan(tmp_path, ['mow', 'storm'], overrides=['policy.batch_size=7', 'policy.imagine_batch_size=9'])
    shared, member, _ = (job.config for job in plan_jobs(plan))
    assert (shared['policy']['batch_size'], shared['policy']['imagine_batch_size']) == (7, 9)
    assert (member['policy']['batch_size'], member['policy']['imagine_batch_size']) == (3, 4)
    for key in ('replay_ratio', 'warmup_steps', 'train_start_after_envsteps', 'batch_length'):
        assert shared['policy'][key] == member['policy'][key]
    assert shared['max_env_step'] == member['max_env_step']


@pytest.mark.unittest
@pytest.mark.parametrize(
    'changes, message', [
        (dict(methods=['mow', 'strom']), "unknown method 'strom': did you mean 'storm'"),
        (dict(methods=['mow', 'expertt']), "unknown method 'expertt': did you mean 'expert'"),
        (dict(overrides=['policy.batch_sise=8']), "unknown key 'policy.batch_sise'"),
        (dict(games=['Pong', 'Breakot']), "unknown game 'Breakot'"),
        (dict(methods=['storm'], overrides=['policy.batch_size=1']), 'policy.batch_size is 1 for 2 tasks'),
        (
            dict(methods=['mow', 'storm'], overrides=['policy.model.num_experts=4']),
            "num_experts is what makes the method 'storm'"
        ),
        (dict(preset='debag'), "unknown preset 'debag'"),
    ]
)
def test_one_mistake_ends_it_before_anything_starts(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message) as raised:
        plan_jobs(make_plan(tmp_path / 'runs', **changes))
    assert '\n' not in str(raised.value) and not (tmp_path / 'runs').exists()


@pytest.mark.unittest
def test_a_run_is_finished_when_its_record_reaches_the_steps_asked_for(tmp_path):
    job, = plan_jobs(make_plan(tmp_path))
    assert not is_finished(job)
    finish(job)
    assert is_finished(job)
    longer, = plan_jobs(make_plan(tmp_path, overrides=['max_env_step=500']))
    assert not is_finished(longer), 'it is prolonged'
    (Path(job.run_dir) / 'run.yaml').unlink()
    assert not is_finished(job)


@pytest.mark.unittest
def test_new_run_resumed_run_and_what_was_cut_off_before_its_checkpoint(tmp_path):
    plan = make_plan(tmp_path)
    job, = plan_jobs(plan)
    run_dir = Path(job.run_dir)
    assert command(job, plan)[1:4] == ['-m', 'lzero_mow', 'train'] and '--resume' not in command(job, plan)
    finish(job)
    (run_dir / 'ckpt').mkdir()
    (run_dir / 'ckpt' / 'latest.pth.tar').touch()
    assert command(job, plan)[3:] == ['train', '--resume', str(run_dir), '--max-env-step', '192']
    shutil.rmtree(run_dir / 'ckpt')
    assert '--resume' not in command(job, plan) and not run_dir.exists()
    with held_by_another_process(run_dir / 'log' / 'lock'), pytest.raises(BlockingIOError):
        command(job, plan)
    assert run_dir.exists(), 'another process is at work there'


@pytest.mark.unittest
def test_a_folder_with_another_run_is_not_continued(tmp_path):
    job, = plan_jobs(make_plan(tmp_path))
    finish(job)
    plan_jobs(make_plan(tmp_path, overrides=['policy.checkpoint_freq=7']))
    with pytest.raises(ValueError, match='holds a run with policy.batch_size=4, now 6 is asked for'):
        plan_jobs(make_plan(tmp_path, overrides=['policy.batch_size=6']))
    with pytest.raises(ValueError, match='holds a run of 192 steps, now 150'):
        plan_jobs(make_plan(tmp_path, overrides=['max_env_step=150']))


@pytest.mark.unittest
@pytest.mark.parametrize('method', ['mow', 'storm'])
def test_seeds_of_one_table_are_one_configuration(tmp_path, method):
    for job in plan_jobs(make_plan(tmp_path, [method])):
        finish(job)
    plan_jobs(make_plan(tmp_path, [method], [1, 2], overrides=['policy.checkpoint_freq=7']))
    plan_jobs(make_plan(tmp_path, [method], [0, 1], overrides=['max_env_step=500']))  # seed 0 is prolonged
    folder = tmp_path / 'atari' / method / ('seed0' if method == 'mow' else 'Pong_seed0')
    for override, told in (
        ('policy.learning_rate=0.5', 'holds a run with policy.learning_rate=0.0001, now 0.5 is asked for'),
        ('max_env_step=500', 'holds a run of 192 steps, now 500 are asked for')
    ):
        with pytest.raises(ValueError) as raised:
            plan_jobs(make_plan(tmp_path, [method], [1], overrides=[override]))
        assert f"'{folder}' {told}" in str(raised.value) and '\n' not in str(raised.value)


# ------------------------------------------------------------------ tables


@pytest.mark.unittest
def test_tables_hold_the_seeds_that_have_ended_and_leave_other_methods_alone(tmp_path):
    output = str(tmp_path / 'results')
    plan = make_plan(tmp_path / 'runs', ['mow', 'storm'], [0, 1])
    jobs = plan_jobs(plan)
    for job in jobs[:-1]:  # storm's second seed lacks Boxing
        finish(job, score=float(job.seed))
    write_tables(plan, TASKS, output)
    folder = tmp_path / 'results' / 'atari'
    rows = read_results(str(folder / 'mow.csv'))
    assert [(row.seed, row.task, row.env_step) for row in rows.itertuples()] == [
        (seed, task, step) for seed in (0, 1) for step in (0, 192) for task in TASKS
    ]
    storm = read_results(str(folder / 'storm.csv'))
    keys = storm[['method', 'seed', 'task']].itertuples(index=False, name=None)
    assert set(keys) == {('storm', 0, 'Pong'), ('storm', 0, 'Boxing')}
    costs = read_costs(str(folder / 'runs.csv'))
    assert [(cost.method, cost.seed, cost.task) for cost in costs.itertuples()] == [
        ('mow', 0, 'all'), ('mow', 1, 'all'), ('storm', 0, 'Pong'), ('storm', 0, 'Boxing')
    ]
    assert costs.loc[0, ['cpu_minutes', 'wall_minutes', 'megabytes', 'updates']].tolist() == [1.5, 2.0, 3.0, 7]
    times = ALL_TIMES.read(str(folder / 'times.csv'))
    assert times[['method', 'seed', 'task']].equals(costs[['method', 'seed', 'task']])
    assert set(times.env_step) == {192} and set(times.cpu_seconds) == {80.0}

    finish(jobs[-1])
    write_tables(make_plan(tmp_path / 'runs', ['storm']), TASKS, output)  # another call, that knows seed 0 alone
    assert set(read_results(str(folder / 'storm.csv')).seed) == {0, 1}
    assert read_costs(str(folder / 'runs.csv')).method.tolist() == ['mow'] * 2 + ['storm'] * 4
    assert ALL_TIMES.read(str(folder / 'times.csv')).method.tolist() == ['mow'] * 2 + ['storm'] * 4


@pytest.mark.unittest
@pytest.mark.parametrize('seeds, tasks, lost', [([3], TASKS, 'Pong of seed 0'), ([0], ['Pong'], 'Boxing of seed 0')])
def test_a_table_is_not_replaced_by_a_smaller_one(tmp_path, seeds, tasks, lost):
    output, plan = str(tmp_path / 'results'), make_plan(tmp_path / 'runs', seeds=[0])
    finish(plan_jobs(plan)[0])
    write_tables(plan, TASKS, output)
    check_tables(make_plan(tmp_path / 'runs', seeds=[3]), TASKS, output)  # it adds to it
    with pytest.raises(ValueError, match=f'holds {lost}, which these runs do not have: choose another --output'):
        check_tables(make_plan(tmp_path / 'others', seeds=seeds), tasks, output)


@pytest.mark.unittest
def test_a_prolonged_run_is_in_no_table_until_it_ends_again(tmp_path):
    plan = make_plan(tmp_path / 'runs')
    job, = plan_jobs(plan)
    finish(job)
    config = dict(job.config, max_env_step=500)
    save_config(config, os.path.join(job.run_dir, 'total_config.yaml'))
    write_tables(plan, TASKS, str(tmp_path / 'results'))
    assert not (tmp_path / 'results' / 'atari' / 'mow.csv').exists()


# ------------------------------------------------------------------ as it is typed


def run_experiment(folder, *arguments):
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / 'tests')]), OMP_NUM_THREADS='1')
    command = [sys.executable, '-m', 'lzero_mow', 'experiment', *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, timeout=280)


TINY = [
    'env.evaluator_env_num=1', 'create.env.type=two_task_mow', 'create.env.import_names=[helpers.two_task_env]',
    'create.env.suite=null', 'policy.device=cpu', 'policy.report_freq=1000', 'policy.model.width=16', 'max_env_step=112'
]


@pytest.mark.unittest
def test_an_experiment_from_end_to_end_and_again(tmp_path):
    arguments = ['atari', '--preset', 'debug', '--games', 'Direct', 'Shifted', '--methods', 'storm', 'random', *TINY]
    done = run_experiment(tmp_path, *arguments, '--jobs', '3', '--random-episodes', '4')
    assert done.returncode == 0, done.stderr
    folder = tmp_path / 'data_mow' / 'experiment' / 'atari'
    storm = read_results(str(folder / 'storm.csv'))
    assert {(row.method, row.task) for row in storm.itertuples()} == {('storm', 'Direct'), ('storm', 'Shifted')}
    random = read_results(str(folder / 'random.csv'))
    assert [(row.task, row.env_step) for row in random.itertuples()] == [('Direct', 0), ('Shifted', 0)]
    assert all(0 <= row.episode_return <= 16 and (4 * row.episode_return) % 1 == 0 for row in random.itertuples())
    costs = read_costs(str(folder / 'runs.csv'))
    expected = [('storm', 'Direct'), ('storm', 'Shifted'), ('random', 'all')]
    assert [(cost.method, cost.task) for cost in costs.itertuples()] == expected
    saved = yaml.safe_load((tmp_path / 'data_mow/experiment/atari/storm/Direct_seed0/total_config.yaml').read_text())
    assert saved['policy']['batch_size'] == 2, 'half of the batch'
    record = read_run_record(str(tmp_path / 'data_mow/experiment/atari/storm/Direct_seed0'))
    other = run_experiment(tmp_path, *arguments)
    assert other.returncode == 2 and 'a run with random_episodes=4, now 100 is asked for' in other.stderr
    again = run_experiment(tmp_path, *arguments, '--random-episodes', '4')
    assert again.returncode == 0 and '3 of them finished' in again.stderr and 'started' not in again.stderr
    assert read_run_record(str(tmp_path / 'data_mow/experiment/atari/storm/Direct_seed0')) == record


@pytest.mark.unittest
@pytest.mark.parametrize(
    'arguments, line', [
        (['atri', '--methods', 'mow'], "unknown suite 'atri'"),
        (['atari', '--methods', 'mow', '--seeds', 'x'], "'x' is not a seed"),
        (['atari', '--methods', 'mow', 'exp_name=foo'], 'exp_name follows from --runs here'),
        (['atari'], 'the following arguments are required: --methods'),
        (['atari', '--methods', 'mow', 'expert'], 'there are no scripted experts for atari'),
        (['atari', '--methods', 'mow', 'policy.batch_size=x'], "policy.batch_size must be a whole number, got 'x'"),
        (['atari', '--methods', 'random', '--random-episodes', '0'], '--random-episodes must be at least 1, got 0'),
        (['atari', '--methods', 'storm_multitask', 'policy.model.num_clusters=2'], "what makes the method 'storm_"),
    ]
)
def test_mistakes_are_one_line(tmp_path, arguments, line):
    done = run_experiment(tmp_path, *arguments)
    assert done.returncode == 2 and done.stderr.count('\n') == 1 and line in done.stderr
    assert not list(tmp_path.iterdir())
