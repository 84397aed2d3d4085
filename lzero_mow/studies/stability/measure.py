"""
``python -m lzero_mow stability``: is the grouping the same for every seed and length of the warm-up?

    python -m lzero_mow stability --suite minatar --preset laptop --seeds 0 1 2 3 4 --lengths 250 500 1000

For every seed one warm-up, as a training run of that seed makes it, with the tasks' similarity measured on the way. The
folder holds ``similarity/`` (the measurements), and what follows from them: ``stability.csv`` (the assignments),
``stability.md`` and ``stability.png``. Seeds that are there are not computed again, also for another ``--clusters``.
Light: imports torch only once the arguments have been checked.
"""
import logging
import os
import tempfile
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from lzero_mow.config.arguments import config_parser, new_config, parse
from lzero_mow.config.build import change
from lzero_mow.config.clusters import BY_GRADIENT
from lzero_mow.config.keys import SET_BY_STABILITY
from lzero_mow.config.saved import TOTAL_CONFIG, load_run_config, save_config
from lzero_mow.config.tree import get, leaves, plain
from lzero_mow.utils.exit_codes import guarded
from lzero_mow.utils.screen import SCREEN, set_up_screen


def main(argv: Sequence[str], prog: Optional[str] = None) -> int:
    """Repeat the warm-up over seeds and lengths, and compare the clusters that come out."""
    parser = config_parser(prog, main.__doc__, argv=argv)
    parser.add_argument('--seeds', nargs='+', default=['0', '1', '2', '3', '4'], metavar='N', help='default: 0 1 2 3 4')
    parser.add_argument(
        '--lengths', nargs='+', default=['250', '500', '1000'], metavar='N', help='updates; default: 250 500 1000'
    )
    parser.add_argument('--output', default='stability', metavar='DIR', help='default: stability')
    arguments = parse(parser, argv, ('games', 'seeds', 'lengths'))
    try:
        seeds = _whole_numbers('--seeds', arguments.seeds, 0)
        lengths = sorted(_whole_numbers('--lengths', arguments.lengths, 1))
        for option in ('seed', 'exp_name'):
            if getattr(arguments, option) is not None:
                raise ValueError(f"--{option.replace('_', '-')} has no meaning here: see --seeds and --output")
        config = new_config(arguments, {'policy': {'clustering': BY_GRADIENT[0], 'warmup_steps': lengths[-1]}})
        check_settings(config, arguments.output)
    except ValueError as error:
        parser.error(str(error))
    set_up_screen()
    return guarded(parser.prog, lambda: measure(config, seeds, lengths, arguments.output))


def similarity_file(folder: str, seed: int, length: int) -> str:
    """Where the similarity of one seed after ``length`` updates is kept."""
    return os.path.join(folder, 'similarity', f'seed{seed}_updates{length}.csv')


def _whole_numbers(option: str, words: Sequence[str], least: int) -> List[int]:
    if not words or not all(word.isdigit() and int(word) >= least for word in words):
        raise ValueError(f"{option} must be whole numbers of at least {least}, got {' '.join(words)}")
    return list(dict.fromkeys(int(word) for word in words))


def check_settings(config: dict, output: str) -> None:
    """ValueError unless gradients decide the clusters, and if the folder holds seeds of another experiment."""
    rule, tasks = config['policy']['clustering'], config['env']['tasks']
    if rule not in BY_GRADIENT:
        raise ValueError(f"--clusters is '{rule}': only a number or auto groups by gradients")
    if len(tasks) < 3:
        names = ' and '.join(tasks)
        raise ValueError(f'{names}: fewer than three tasks have no grouping to compare, name more with --games')
    number = config['policy']['model']['num_clusters']
    if number < 2 or number == len(tasks) and rule != 'auto':  # auto takes one cluster per task for no choice
        raise ValueError(
            f'{number} clusters of {len(tasks)} tasks are the same whatever the gradients: choose 2 to '
            f'{len(tasks) - 1} with --clusters'
        )
    if not os.path.exists(os.path.join(output, TOTAL_CONFIG)):
        return
    saved, new = load_run_config(output), plain(config)
    for key in dict.fromkeys([*leaves(saved), *leaves(new)]):
        if key not in SET_BY_STABILITY and get(saved, key) != get(new, key):
            raise ValueError(
                f"'{output}' was made with {key} = {get(saved, key)}, now {get(new, key)} is asked for: choose another "
                '--output'
            )


def measure(config: dict, seeds: Sequence[int], lengths: Sequence[int], output: str) -> None:
    """
    Compute what the folder lacks, then write the table and picture of these seeds and lengths (updates, ascending). The
    configuration is that of a run, whose seed does not matter.
    """
    from rich.progress import Progress

    from lzero_mow.report.tables.similarity import write_similarity
    from .tables import write_stability
    tasks = config['env']['tasks']
    save_config(config, os.path.join(output, TOTAL_CONFIG))
    is_there = lambda seed: all(os.path.exists(similarity_file(output, seed, length)) for length in lengths)
    missing = [seed for seed in seeds if not is_there(seed)]
    logging.info('%s: %d of %d seeds to compute', output, len(missing), len(seeds))
    with Progress(console=SCREEN) as bar:
        line = bar.add_task('warming up', total=len(missing) * lengths[-1])
        for seed in missing:
            bar.update(line, description=f'seed {seed}')
            for length, similarity in warm_up(config, seed, lengths, lambda: bar.advance(line)):
                write_similarity(similarity_file(output, seed, length), similarity, tasks)
    policy = config['policy']
    write_stability(output, seeds, lengths, tasks, policy['clustering'], policy['model']['num_clusters'])
    logging.info('see %s', os.path.join(output, 'stability.md'))


def warm_up(
        config: dict, seed: int, lengths: Sequence[int], step: Callable[[], None]
) -> Iterator[Tuple[int, np.ndarray]]:
    """
    The warm-up of one seed, exactly as a training run makes it: at each length its number of updates, and the
    similarity of the tasks (K, K). Calls ``step`` after every update.
    """
    from lzero_mow.entry.run.random_state import isolated_rng
    from lzero_mow.entry.run.run_config import compile_run, on_device
    from lzero_mow.entry.run.workers import build_workers
    from lzero_mow.entry.warm_up import GRADIENT_BATCHES
    with tempfile.TemporaryDirectory() as folder:
        cfg = compile_run(on_device(change(config, [{'seed': seed, 'exp_name': folder}])))
        workers = build_workers(cfg, config['create'], folder)
        policy, done = workers.policy, 0
        try:
            while workers.env_step() < cfg.policy.train_start_after_envsteps:
                workers.collect(0, epsilon=1.0, until=config['max_env_step'])
            for length in lengths:
                for _ in range(length - done):
                    policy.learn_mode.forward(workers.buffer.sample(cfg.policy.batch_size))
                    step()
                done = length
                policy.check_finite()
                with isolated_rng(seed):
                    similarity = policy.task_similarity(workers.gradient_batches(GRADIENT_BATCHES))
                yield length, similarity
        finally:
            workers.close()
