"""Runs as jobs of a cluster: what is refused, how a job ends early and goes on, and the way through submitit."""
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import submitit

from helpers.experiments import make_plan
from lzero_mow.studies.experiment import command as experiment
from lzero_mow.studies.experiment import cluster_run, runs, slurm
from lzero_mow.studies.experiment.jobs import is_finished, plan_jobs

STOPS_WHEN_TOLD = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
print('at work', flush=True)
time.sleep(60)
"""


@pytest.mark.unittest
@pytest.mark.parametrize(
    'option,message', [
        ('partition=', "partition must be KEY=VALUE, got 'partition='"),
        ('partitions=gpu', "has no key 'partitions': did you mean 'partition'?"),
        ('nodes=2', "has no key 'nodes'"),
        ('time=12:00:00', "time must be a whole number of minutes from 1, got 'time=12:00:00'"),
        ('time=0', 'time must be a whole number of minutes from 1'),
        ('gpus_per_node=4', 'a run of an experiment is one process with one GPU at most'),
    ]
)
def test_options_that_no_job_can_have_are_one_line(option, message):
    with pytest.raises(ValueError, match='--slurm') as raised:
        slurm.parse_options([option])
    assert message in str(raised.value) and '\n' not in str(raised.value)


@pytest.mark.unittest
def test_options_are_over_the_defaults(monkeypatch):
    monkeypatch.setattr(shutil, 'which', lambda name: '/usr/bin/sbatch')
    options = slurm.parse_options(['partition=gpu', 'time=60', 'gpus_per_node=1'])
    assert options == {**slurm.DEFAULTS, 'partition': 'gpu', 'time': 60, 'gpus_per_node': 1}
    monkeypatch.setattr(shutil, 'which', lambda name: None)
    with pytest.raises(ValueError, match='finds no sbatch'):
        slurm.parse_options([])


@pytest.mark.unittest
def test_without_submitit_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(slurm, 'find_spec', lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'lzero_mow\[slurm\]'"):
        slurm.parse_options([])


@pytest.mark.unittest
def test_options_of_a_cluster_need_the_cluster(capsys):
    with pytest.raises(SystemExit):
        experiment.main(['atari', '--methods', 'mow', '--slurm', 'partition=gpu'])
    assert '--slurm is for --launcher slurm' in capsys.readouterr().err


@pytest.mark.unittest
def test_memory_of_a_core_replaces_that_of_a_job(monkeypatch):
    monkeypatch.setattr(shutil, 'which', lambda name: '/usr/bin/sbatch')
    options = slurm.parse_options(['mem_per_cpu=2G'])
    assert options['mem_per_cpu'] == '2G' and 'mem' not in options


@pytest.fixture
def running(tmp_path, monkeypatch):
    """A run that works until it is told to stop, in the middle of a job."""
    job, = plan_jobs(make_plan(tmp_path / 'runs'))
    monkeypatch.setattr(runs, 'command', lambda job, plan: [sys.executable, '-c', STOPS_WHEN_TOLD])
    run = cluster_run.ClusterRun(job, make_plan(tmp_path / 'runs'), 1)
    thread = threading.Thread(target=run)
    thread.start()
    until = time.monotonic() + 20
    while not (run._process and 'at work' in open(job.log).read()) and time.monotonic() < until:
        time.sleep(0.05)
    monkeypatch.setattr(cluster_run, 'PREEMPTED_SECONDS', 0.1)
    yield run
    run.stop()
    thread.join(20)


@pytest.mark.unittest
def test_a_job_whose_time_is_over_ends_its_run_and_is_queued_again(running):
    again = running.checkpoint()
    assert running._process.returncode == 130
    assert isinstance(again, submitit.helpers.DelayedSubmission) and again.function.job is running.job


@pytest.mark.unittest
def test_the_word_that_time_is_over_does_not_end_the_run_itself(running):
    """SLURM sends it to all processes of the job."""
    running._process.send_signal(signal.SIGUSR2)
    with pytest.raises(subprocess.TimeoutExpired):
        running._process.wait(0.5)


@pytest.mark.unittest
def test_a_run_that_comes_no_further_is_not_queued_for_ever(running, monkeypatch, caplog):
    saved = iter([None, 1.0, 1.0, 1.0, 1.0])  # at the ends of five jobs, of which the second saves something
    monkeypatch.setattr(cluster_run.ClusterRun, '_last_save', lambda run: next(saved))
    run, queued = running, []
    for _ in range(5):
        again = run.checkpoint()
        queued.append(again is not None)
        if again is not None:
            run = again.function
            run._saved = {1: None}.get(len(queued), 1.0)
    assert queued == [True, True, True, True, False]
    assert 'has saved nothing in 3 jobs: give it more --slurm time' in caplog.text


@pytest.mark.unittest
def test_the_same_command_waits_for_the_jobs_that_are_queued_already(tmp_path, monkeypatch):
    """What squeue lists of the ids that were remembered; a job that has left the queue is submitted anew."""
    plan = make_plan(tmp_path / 'runs', seeds=(0, 1))
    jobs = plan_jobs(plan)
    (tmp_path / 'squeue').write_text('#!/bin/sh\necho 7_1 Priority\necho 9 None\n')
    (tmp_path / 'squeue').chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}:{os.environ["PATH"]}')
    assert slurm._in_queue(jobs) == {}
    for job, job_id in zip(jobs, ('7_0', '7_1')):
        slurm._remember(job, job_id)
    assert slurm._in_queue(jobs) == {jobs[1].run_dir: '7_1'}
    (tmp_path / 'squeue').write_text('#!/bin/sh\necho "slurm_load_jobs error: no controller" >&2\nexit 1\n')
    with pytest.raises(OSError, match='no controller'):
        slurm._in_queue(jobs)


@pytest.mark.unittest
def test_what_sbatch_says_against_it_is_one_line(tmp_path, monkeypatch):
    (tmp_path / 'sbatch').write_text('#!/bin/sh\necho more >&2\necho "sbatch: error: invalid partition" >&2\nexit 1\n')
    (tmp_path / 'srun').write_text('#!/bin/sh\n')
    for name in ('sbatch', 'srun'):
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}:{os.environ["PATH"]}')
    plan = make_plan(tmp_path / 'runs')
    with pytest.raises(OSError) as failed:
        slurm.run_jobs(plan_jobs(plan), plan, 0, slurm.parse_options(['partition=none']), lambda: None)
    assert failed.value.strerror == 'sbatch: error: invalid partition'


@pytest.mark.unittest
def test_options_of_several_flags_add_up(capsys):
    with pytest.raises(SystemExit):
        experiment.main([
            'atari', '--methods', 'mow', '--launcher', 'slurm', '--slurm', 'time=ten', '--slurm', 'gpus_per_node=1'
        ])
    assert "--slurm time must be a whole number of minutes from 1, got 'time=ten'" in capsys.readouterr().err


@pytest.mark.unittest
def test_an_experiment_goes_through_submitit(tmp_path, monkeypatch, capsys):
    """Its executor of processes in place of SLURM's."""
    monkeypatch.setattr(submitit, 'SlurmExecutor', submitit.LocalExecutor)
    monkeypatch.setattr(slurm, 'POLL_SECONDS', 0.1)
    monkeypatch.setattr(slurm, '_queue', lambda: {})
    plan = make_plan(tmp_path / 'runs', methods=('random', ), random_episodes=1)
    jobs, finished = plan_jobs(plan), []
    failed = slurm.run_jobs(jobs, plan, 0, dict(slurm.DEFAULTS), lambda: finished.append(1))
    assert failed == [] and len(finished) == len(jobs) and all(is_finished(job) for job in jobs)


@pytest.mark.unittest
def test_jobs_that_are_queued_already_are_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(submitit, 'SlurmExecutor', submitit.LocalExecutor)
    monkeypatch.setattr(submitit, 'SlurmJob', submitit.LocalJob)
    monkeypatch.setattr(slurm, 'POLL_SECONDS', 0.1)
    plan, queue = make_plan(tmp_path / 'runs', methods=('random', ), random_episodes=1), {}
    monkeypatch.setattr(slurm, '_queue', lambda: queue)
    job, = plan_jobs(plan)
    slurm.run_jobs([job], plan, 0, dict(slurm.DEFAULTS), lambda: None)
    folder = tmp_path / 'runs' / 'atari' / 'slurm'
    files, job_id = sorted(os.listdir(folder)), Path(slurm._memory(job)).read_text()
    queue[job_id] = 'None'
    assert slurm.run_jobs([job], plan, 0, dict(slurm.DEFAULTS), lambda: None) == []
    assert sorted(os.listdir(folder)) == files  # nothing more was submitted
