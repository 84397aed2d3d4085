"""
Memory of the replay, and seconds to sample the paper preset's batch, with compressed frames and with plain ones.

    python -m lzero_mow.studies.bench.replay_size [--suite atari] [--tasks 10] [--steps 2000] [--threads 2]

The first --tasks tasks of the suite's paper preset are played at random, --steps each in one environment, and what that
takes is extrapolated to a full replay of all its tasks: an agent that plays better may see other frames. The same steps
over and over fill 10,000 per task, from which batches are drawn: the preset's sequences and contexts of imagination.
Shown is the median of --repeats (5) with --threads that decode, in training as many as torch has, or the process cores
where there is a GPU.
"""
import sys
from concurrent.futures import Executor, ThreadPoolExecutor
from statistics import median
from typing import Any, Dict, List, Tuple

import numpy as np
import torch
from ding.envs import get_env_cls
from easydict import EasyDict
from rich.progress import track

from lzero_mow.buffer.frames import PackedFrames
from lzero_mow.buffer.sampler import FairShares, draw_starts, gather
from lzero_mow.buffer.stream import StepStream
from lzero_mow.config.build import build_config
from .shared import parse, show, timed

FILLED = 10000  # steps of each task when a batch is drawn: more chunks than a batch needs
FORMS = {'plain': False, 'compressed': True}


def play(env: Any, steps: int) -> Dict[str, np.ndarray]:
    """Steps of random play, episode after episode, as a stream takes them."""
    env.seed(0)
    obs, rows = env.reset(), []
    for _ in range(steps):
        action = env.random_action()
        timestep = env.step(action)
        ends = [timestep.info[name] for name in ('terminated', 'truncated', 'life_loss')]
        rows.append((obs['observation'], action, timestep.reward, *ends))
        obs = env.reset() if timestep.done else timestep.obs
    env.close()
    names = ('obs', 'action', 'reward', 'terminated', 'truncated', 'life_loss')
    return {name: np.array(values) for name, values in zip(names, zip(*rows))}


def frame_bytes(stream: StepStream) -> int:
    """What the frames of a stream take; the objects of Python that hold them, about 100 bytes a chunk, included."""
    frames = stream.frames
    if not isinstance(frames, PackedFrames):
        return len(stream) * int(np.prod(frames.shape))
    return sum(sys.getsizeof(chunk) + 100 for chunk in frames.chunks(0, stream.total))


def sample(
        streams: List[StepStream], batches: List[Tuple[int, int]], rng: np.random.Generator, threads: Executor
) -> None:
    """Draw batches, (sequences, steps) each, a stream a task."""
    for n, length in batches:
        out = streams[0].empty(('obs', 'action', 'reward'), (n, length))
        shares = zip(streams, FairShares()(n, length, len(streams)))
        drawn = [part for stream, share in shares for part in draw_starts([stream], share, length, rng)]
        gather(drawn, length, out, threads)


def main() -> None:
    check = lambda args: build_config('paper', suite=args.suite)
    threads = torch.get_num_threads()
    args = parse('replay_size', __doc__, check, suite='atari', tasks=10, steps=2000, repeats=5, threads=threads)
    config = EasyDict(build_config('paper', suite=args.suite))
    env_cls, policy, tasks = get_env_cls(config.create.env), config.policy, config.env.tasks
    configs = env_cls.create_collector_env_cfg(config.env)[::config.env.collector_env_num][:args.tasks]
    streams: Dict[str, List[StepStream]] = {form: [] for form in FORMS}
    rows, sizes = [], []
    for cfg in track(configs, description='playing', transient=True):
        steps = play(env_cls(cfg), args.steps)
        more = {'action': (steps['action'].shape[1:], np.float32)} if policy.model.continuous_action_space else {}
        for form, compression in FORMS.items():
            streams[form].append(StepStream(FILLED, config.env.obs_shape, more, compression))
            streams[form][-1].append(steps, 0, 0)
        plain, packed = (frame_bytes(streams[form][-1]) / args.steps for form in FORMS)
        sizes.append((plain, packed))
        for stream in (streams[form][-1] for form in FORMS):
            while stream.total < FILLED:
                stream.append(steps, 0, 0)
        rows.append((cfg.task, f'{plain:.0f}', f'{packed:.0f}', f'{plain / packed:.1f}'))
    kept = len(tasks) * policy.replay_buffer_size
    plain, packed = np.mean(sizes, axis=0)
    whole = [f'{kept * size / 1e9:.2f} GB' for size in (plain, packed)]
    rows += [(), (f'{len(tasks)} tasks x {policy.replay_buffer_size:,} steps', *whole, f'{plain / packed:.1f}')]
    batches = [(policy.batch_size, policy.batch_length), (policy.imagine_batch_size, policy.context_length)]
    pool = ThreadPoolExecutor(args.threads)
    draw = lambda form: sample(streams[form], batches, np.random.default_rng(0), pool)
    seconds = [median(timed(lambda: draw(form)) for _ in range(args.repeats)) for form in FORMS]
    words = ' + '.join(f'{n} x {length}' for n, length in batches)
    title = f'seconds to sample {words} steps, {args.threads} threads'
    rows.append((title, *(f'{value:.3f}' for value in seconds), ''))
    show(f'{args.suite}: bytes per frame', ['task'], ['plain', 'compressed', 'ratio'], rows)


if __name__ == '__main__':
    main()
