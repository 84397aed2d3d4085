"""Runs as jobs of a SLURM cluster, through submitit. Light: imports no torch."""
import errno
import logging
import os
import shutil
from typing import Any, Callable, Dict, List, Sequence

from lzero_mow.config.suites import suite_name
from .jobs import Job, Plan
from .local import note_end
from .progress import JobsProgress
from .runs import Run

# Of a job, where --slurm does not say: minutes, cores, memory, and seconds from the word to stop to its end.
DEFAULTS = dict(time=1440, cpus_per_task=4, mem='16G', signal_delay_s=90)
NUMBERS = {'time', 'cpus_per_task', 'cpus_per_gpu', 'gpus_per_node', 'gpus_per_task', 'num_gpus', 'signal_delay_s'}
# A run is one process on one machine, and these are lists, or follow from other options.
NOT_OURS = {
    'job_name', 'array_parallelism', 'nodes', 'ntasks_per_node', 'setup', 'teardown', 'additional_parameters',
    'srun_args', 'use_srun', 'map_count', 'stderr_to_stdout'
}
MAX_TIMEOUTS = 1000  # a run goes on in as many jobs as it takes
POLL_SECONDS = 10.0


def parse_options(options: Sequence[str]) -> Dict[str, Any]:
    """
    KEY=VALUE of --slurm, as submitit names what sbatch takes, over ``DEFAULTS``; ValueError in one line for what cannot
    be, and where there is no SLURM.
    """
    try:
        from submitit import SlurmExecutor
    except ImportError as error:
        raise ValueError("--launcher slurm needs submitit: pip install 'lzero_mow[slurm]'") from error
    known = SlurmExecutor._valid_parameters() - NOT_OURS
    chosen = dict(DEFAULTS)
    for option in options:
        key, _, value = option.partition('=')
        if key not in known or not value:
            raise ValueError(f"--slurm takes KEY=VALUE, got '{option}'; the keys are {', '.join(sorted(known))}")
        if key in NUMBERS and not value.isdigit():
            raise ValueError(f"--slurm {key} is a whole number{' of minutes' if key == 'time' else ''}, got '{value}'")
        chosen[key] = int(value) if key in NUMBERS else value
    if shutil.which('sbatch') is None:
        raise ValueError('--launcher slurm finds no sbatch: start it on a machine that submits jobs')
    return chosen


def run_jobs(
        jobs: Sequence[Job], plan: Plan, at_once: int, options: Dict[str, Any], on_finished: Callable
) -> List[Job]:
    """
    Put jobs into the queue, of which at most ``at_once`` run at a time (0: as many as the cluster lets), and wait for
    them. One whose time is over, or that others push aside, is queued again and goes on from its last checkpoint.
    Returns and ``on_finished`` as in `local.run_jobs`. After Ctrl-C they stay in the queue. OSError if sbatch refuses
    them.
    """
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError
    from submitit.helpers import as_completed
    logging.getLogger('submitit').setLevel(logging.ERROR)  # clusters without accounting would fill the screen
    folder = os.path.join(plan.runs, suite_name(plan.suite), 'slurm', '%j')
    executor = SlurmExecutor(folder, max_num_timeout=MAX_TIMEOUTS)
    executor.update_parameters(job_name='lzero_mow', array_parallelism=at_once or len(jobs), **options)
    try:
        with executor.batch():
            queued = [executor.submit(Run(job, plan, options['cpus_per_task'])) for job in jobs]
    except FailedJobError as error:
        raise OSError(errno.ECANCELED, str(error).strip().splitlines()[-1], 'sbatch') from error
    by_id, failed = {entry.job_id: job for entry, job in zip(queued, jobs)}, []
    array = queued[0].job_id.partition('_')[0]
    with JobsProgress(len(jobs)) as progress:
        for entry in queued:
            progress.note_start(by_id[entry.job_id], f'job {entry.job_id}')
        try:
            for entry in as_completed(queued, poll_frequency=POLL_SECONDS):
                if not note_end(by_id[entry.job_id], entry.exception(), progress, on_finished):
                    failed.append(by_id[entry.job_id])
        except KeyboardInterrupt:
            logging.info('the jobs stay in the queue, `scancel %s` takes them out', array)
            raise
    return failed
