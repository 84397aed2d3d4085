"""The summary of an experiment as Markdown, from ``summary.md.jinja``, and what the page of a comparison also says."""
import os
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from lzero_mow.config.peers import Peer
from lzero_mow.config.suites import DEFAULT_METHOD, RANDOM, one_model_per_task, references
from lzero_mow.report.stats.intervals import REPETITIONS
from lzero_mow.report.stats.scale import SUCCESS
from lzero_mow.studies.templates import write_template
from .cells import Cells, narrow, number, return_cells, span, steps_and_score_cells, success_cells
from .equal_time import EqualTime, equal_time_cells, notes_on_equal_time
from .numbers import MethodSummary, Summary
from .what_is_equal import MEANING, configs_beside, equal_cells

ONE_SEED = "Brackets of one seed's successes: Wilson's 95 % interval over the episodes of that one run."
SUCCESS_WHEN = {'success_any': 'at any step', 'success_last': 'at the last step'}


def write_markdown(path: str, folder: str, summary: Summary, equal_time: Optional[EqualTime]) -> None:
    """Write the text, which refers to the pictures beside it."""
    methods = sorted(summary.methods, key=lambda method: method.method != RANDOM)  # random play first
    write_template(
        path, 'summary/summary.md.jinja',
        title=os.path.basename(os.path.abspath(folder)),
        folder=folder,
        options=_options(summary),
        summary=summary,
        by_success=summary.scale is SUCCESS,
        repetitions=REPETITIONS,
        seeds=_counts(summary.methods, lambda method: (method.seeds, )),
        episodes=episodes_text(summary.methods),
        notes=notes_on_successes(summary.methods),
        published=notes_on_peers(summary.peers),
        ensembles=[method.method for method in summary.methods if one_model_per_task(method.method)],
        methods=_method_cells(summary),
        equal=equal_cells(summary, configs_beside(folder, [method.method for method in methods])),
        equal_means=MEANING,
        equal_time=equal_time_tables(equal_time),
        successes=[
            (meaning, success_cells(summary, methods, name)) for name, meaning in success_meanings(methods).items()
        ],
        returns=return_cells(summary, methods),
        narrow=narrow,
        random=methods[0] if methods[0].method == RANDOM else None,
    )


def equal_time_tables(equal: Optional[EqualTime]) -> Dict[str, object]:
    """What a template shows of methods at equal CPU time: notes, and where times are known the budget and tables."""
    notes = notes_on_equal_time(equal)
    if equal is None:
        return dict(notes=notes)
    returns = return_cells(equal.summary, equal.summary.methods)
    return dict(notes=notes, minutes=number(equal.minutes, 1), scores=equal_time_cells(equal), returns=returns)


def _options(summary: Summary) -> str:
    """The options of the command that makes this summary."""
    options = f' --last {summary.last}' if summary.last > 1 else ''
    if summary.baseline not in (None, DEFAULT_METHOD):
        options += f' --baseline {summary.baseline}'
    if len(summary.drawn) < len(summary.methods):
        options += f" --curves {' '.join(method for method in summary.drawn if method not in references())}"
    return options + (' --peers' if summary.peers else '')


def _counts(methods: Sequence[MethodSummary], count: Callable[[MethodSummary], Tuple[int, ...]]) -> str:
    """Fewest and most of something over the methods, and each reference player's."""
    trained = [number for method in methods if method.method not in references() for number in count(method)]
    texts = [f'{span(trained)} per method'] if trained else []
    players = [method for method in methods if method.method in references()]
    return ', '.join([*texts, *(f'{span(count(player))} of {references()[player.method]}' for player in players)])


def episodes_text(methods: Sequence[MethodSummary]) -> str:
    """How many episodes per game an evaluation has, for methods and for reference players."""
    return _counts(methods, lambda method: method.episodes)


def notes_on_successes(methods: Sequence[MethodSummary]) -> List[str]:
    """What the intervals of successes are, where they differ from all others."""
    return [ONE_SEED] if any(method.successes and method.seeds == 1 for method in methods) else []


def notes_on_peers(peers: Sequence[Peer]) -> List[str]:
    """How other agents were trained, and where their returns were read."""
    return [
        f'{peer.title}: {peer.paper}. One agent per game, {peer.environment_steps:,} environment steps of that game '
        f'alone. Returns from {peer.source}.' for peer in peers
    ]


def success_meanings(methods: Sequence[MethodSummary]) -> Dict[str, str]:
    """The successes that all methods have, in a sentence each."""
    return {
        name: f'Share of episodes in which the task was done {when}, mean over seeds.'
        for name, when in SUCCESS_WHEN.items() if all(name in method.successes for method in methods)
    }


def _method_cells(summary: Summary) -> Cells:
    """The scores, with steps and costs."""

    def costs(method: MethodSummary) -> List[str]:
        return [number(method.megabytes, 2), number(method.cpu_minutes, 1), number(method.updates, 0)]

    return steps_and_score_cells(summary, ['MB', 'CPU minutes', 'updates'], costs)
