"""Runs as jobs of a SLURM cluster, through submitit. Light: imports no torch."""
import errno
import logging
import os
import shutil
import subprocess
import time
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence

from lzero_mow.config.suites import suite_name
from lzero_mow.config.tree import did_you_mean
from .cluster_run import ClusterRun
from .jobs import Job, Plan
from .local import note_end
from .progress import JobsProgress

# Of a job, where --slurm does not say: minutes, cores, memory, and seconds from the word to stop to its end.
DEFAULTS = dict(time=1440, cpus_per_task=4, mem='16G', signal_delay_s=90)
NUMBERS = ('time', 'cpus_per_task', 'gpus_per_node', 'signal_delay_s')
# What sbatch is told, by submitit's names; a run is one process on a part of one machine.
KEYS = (
    *NUMBERS, 'mem', 'mem_per_cpu', 'mem_per_gpu', 'gres', 'partition', 'account', 'qos', 'constraint', 'nodelist',
    'exclude', 'dependency', 'comment', 'mail_type', 'mail_user', 'wckey'
)
MAX_TIMEOUTS = 1000  # a run goes on in as many jobs as it takes
POLL_SECONDS = 10.0
# Why jobs wait that will not wait for ever.
UNREMARKABLE = ('None', 'Priority', 'Resources', 'BeginTime', 'Dependency', 'JobArrayTaskLimit')


def parse_options(options: Sequence[str]) -> Dict[str, Any]:
    """
    KEY=VALUE of --slurm, as submitit names what sbatch takes, over ``DEFAULTS``; ValueError in one line for what cannot
    be, and where there is no SLURM.
    """
    if find_spec('submitit') is None:
        raise ValueError("--launcher slurm needs submitit: pip install 'lzero_mow[slurm]'")
    chosen = dict(DEFAULTS)
    for option in options:
        key, _, value = option.partition('=')
        if key not in KEYS:
            raise ValueError(f"--slurm has no key '{key}'{did_you_mean(key, KEYS)} (a configuration's stand before it)")
        if not value or key in NUMBERS and not (value.isdigit() and int(value)):
            kind = 'KEY=VALUE' if not value else f"a whole number{' of minutes' if key == 'time' else ''} from 1"
            raise ValueError(f"--slurm {key} must be {kind}, got '{option}'")
        chosen[key] = int(value) if key in NUMBERS else value
    if chosen.get('gpus_per_node', 1) > 1:
        raise ValueError('--slurm gpus_per_node: a run of an experiment is one process with one GPU at most')
    if chosen.keys() & {'mem_per_cpu', 'mem_per_gpu'}:
        chosen.pop('mem')
    if shutil.which('sbatch') is None:
        raise ValueError('--launcher slurm finds no sbatch: start it on a machine that submits jobs')
    return chosen


def run_jobs(
        jobs: Sequence[Job], plan: Plan, at_once: int, options: Dict[str, Any], on_finished: Callable
) -> List[Job]:
    """
    Put jobs into the queue, of which at most ``at_once`` run at a time (0: as many as the cluster lets), and wait for
    them, and for those that an earlier call has left there. One whose time is over, or that others push aside, is
    queued again and goes on from its last checkpoint. Returns and ``on_finished`` as in `local.run_jobs`. After Ctrl-C
    they stay in the queue. OSError if SLURM refuses them.
    """
    from submitit import SlurmExecutor, SlurmJob
    from submitit.core.utils import FailedJobError
    from submitit.helpers import as_completed
    logging.getLogger('submitit').setLevel(logging.ERROR)  # clusters without accounting would fill the screen
    folder = os.path.join(plan.runs, suite_name(plan.suite), 'slurm', '%j')
    in_queue = _in_queue(jobs)
    new = [job for job in jobs if job.run_dir not in in_queue]
    executor = SlurmExecutor(folder, max_num_timeout=MAX_TIMEOUTS)
    executor.update_parameters(job_name='lzero_mow', array_parallelism=at_once or len(jobs), **options)
    try:
        with executor.batch() if new else nullcontext():
            submitted = [executor.submit(ClusterRun(job, plan, options['cpus_per_task'])) for job in new]
    except FailedJobError as error:
        raise OSError(errno.ECANCELED, str(error).strip().splitlines()[-1]) from error
    entry_of = {job.run_dir: entry for job, entry in zip(new, submitted)}
    for job in new:
        _remember(job, entry_of[job.run_dir].job_id)
    entry_of.update({run_dir: SlurmJob(folder, job_id) for run_dir, job_id in in_queue.items()})
    job_of, failed = {entry_of[job.run_dir].job_id: job for job in jobs}, []
    with JobsProgress(len(jobs)) as progress:
        for job_id, job in job_of.items():
            of_before = ', queued before and with the options of then' if job.run_dir in in_queue else ''
            progress.note_start(job, f'job {job_id}{of_before}')
        try:
            time.sleep(POLL_SECONDS)
            for job_id, reason in _queue().items():
                if job_id in job_of and reason not in UNREMARKABLE:
                    logging.warning('%s: job %s waits: %s', job_of[job_id], job_id, reason)
            for entry in as_completed(list(entry_of.values()), poll_frequency=POLL_SECONDS):
                word = entry.result() if entry.exception() is None else f'failed: see {entry.paths.stderr}'
                if not note_end(job_of[entry.job_id], word, progress, on_finished):
                    failed.append(job_of[entry.job_id])
        except KeyboardInterrupt:
            arrays = sorted({job_id.partition('_')[0] for job_id in job_of})
            logging.info('the jobs stay in the queue, `scancel %s` takes them out', ' '.join(arrays))
            raise
    return failed


def _memory(job: Job) -> str:
    """The file with the id under which a run was queued last."""
    return job.run_dir + '.job'


def _remember(job: Job, job_id: str) -> None:
    os.makedirs(os.path.dirname(_memory(job)), exist_ok=True)
    Path(_memory(job)).write_text(job_id)


def _in_queue(jobs: Sequence[Job]) -> Dict[str, str]:
    """The ids of the runs that are in the queue, waiting or at work, by folder; OSError if SLURM does not say."""
    remembered = {job.run_dir: Path(_memory(job)).read_text() for job in jobs if os.path.isfile(_memory(job))}
    queue = _queue() if remembered else {}
    return {run_dir: job_id for run_dir, job_id in remembered.items() if job_id in queue}


def _queue() -> Dict[str, str]:
    """This user's jobs, and why each of them waits ('None' if it does not); OSError if SLURM does not say."""
    command = ['squeue', '--me', '--array', '--noheader', '--format=%i %r']
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode != 0:
        raise OSError(errno.ECANCELED, answer.stderr.strip())
    return dict(line.split(maxsplit=1) for line in answer.stdout.splitlines() if line.strip())
