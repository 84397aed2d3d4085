"""The pages keep their promises: links lead somewhere, commands and their options exist, metrics are what is logged."""
import functools
import re
import runpy
import shlex
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Set, Tuple

import numpy as np
import pytest
from submitit import SlurmExecutor

from helpers.policies import TASKS, tiny_policy, training_data
from helpers.scalezero_policy import random_search_batch, tiny_scalezero_policy
from lzero_mow.buffer.batch import RecordedPlay
from lzero_mow.config import build_config
from lzero_mow.config.tree import leaves
from lzero_mow.entry.run import run_log

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted((ROOT / 'docs').glob('*.md'))
PAGES = [ROOT / name for name in ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md')] + DOCS
OLD_NAMES = [ROOT / 'CHANGELOG.md']  # tells what things were called before
OTHERS_FILES = [ROOT / 'docs' / 'upstream.md']  # about LightZero's files
LINK = re.compile(r'!?\[[^\]]*\]\(([^)\s]+)\)')
FENCE = re.compile(r'^```(\w*)\n(.*?)^```', re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def links(page: Path) -> Iterator[Tuple[Path, str]]:
    """(file, anchor) of every link and picture of a page that stays in the repository."""
    for target in LINK.findall(FENCE.sub('', page.read_text())):
        if '://' not in target:
            path, _, anchor = target.partition('#')
            yield (page.parent / path).resolve() if path else page, anchor


@functools.lru_cache(maxsize=None)
def anchors(page: Path) -> Set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r'^#+ (.*)$', FENCE.sub('', page.read_text()), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


def commands(page: Path) -> Iterator[List[str]]:
    """The words of every `python` and `make` command of a page, in code blocks and in running text."""
    text = page.read_text()
    blocks = [body for language, body in FENCE.findall(text) if language == 'bash']
    lines = [line for body in blocks for line in body.replace('\\\n', ' ').splitlines()]
    lines += re.findall(r'`((?:python|make)[^`]*)`', FENCE.sub('', text))
    for line in lines:
        words = shlex.split(line.replace(';', ' ; '), comments=True)
        words = words[1:] if words and re.match('[A-Z]+=', words[0]) else words
        if words[:1] == ['for']:
            words = words[words.index('do') + 1:]
        if words[:1] in (['python'], ['make']):
            yield [word for word in words if word not in (';', 'done')]


def all_commands() -> List[Tuple[str, List[str]]]:
    pages = [page for page in PAGES if page not in (*OLD_NAMES, *OTHERS_FILES)]
    return [(name_of(page), words) for page in pages for words in commands(page)]


@functools.lru_cache(maxsize=None)
def help_of(*words: str) -> str:
    """What `python WORDS --help` prints."""
    import contextlib
    import io
    screen, argv = io.StringIO(), sys.argv
    sys.argv = [words[-1], '--help'] if words[0] != '-m' else [words[1], *words[2:], '--help']
    try:
        with contextlib.redirect_stdout(screen), pytest.raises(SystemExit) as end:
            if words[0] == '-m':
                runpy.run_module(words[1], run_name='__main__')
            else:
                runpy.run_path(str(ROOT / words[0]), run_name='__main__')
    finally:
        sys.argv = argv
    assert end.value.code == 0, words
    return screen.getvalue()


@functools.lru_cache(maxsize=None)
def keys() -> Set[str]:
    """Every key of every suite and algorithm, with the sections above it."""
    found = set()
    for suite in ('atari', 'minatar', 'metaworld'):
        for method in ('mow', 'scalezero'):
            names = set(leaves(build_config('laptop', suite=suite, method=method)))
            found |= {'.'.join(name.split('.')[:n + 1]) for name in names for n in range(name.count('.') + 1)}
    return found


@pytest.mark.unittest
def test_the_front_page_is_short():
    assert len((ROOT / 'README.md').read_text().splitlines()) <= 220


@pytest.mark.unittest
@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_links_and_pictures_exist(page):
    for path, anchor in links(page):
        assert path.exists(), f'{name_of(page)} links to {path}'
        assert not anchor or anchor in anchors(path), f'{name_of(page)}: no heading #{anchor} in {path.name}'


@pytest.mark.unittest
def test_every_page_is_linked_and_every_picture_shown():
    front, index = ({path for path, _ in links(page)} for page in (ROOT / 'README.md', ROOT / 'docs' / 'README.md'))
    assert set(DOCS) - front == set()
    assert set(DOCS) - index == {ROOT / 'docs' / 'README.md'}
    pictures = {path for path in (ROOT / 'docs').iterdir() if path.suffix != '.md'}
    assert pictures <= {path for page in PAGES for path, _ in links(page)}


@pytest.mark.unittest
@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_lines_fit(page):
    prose = [line for line in page.read_text().splitlines() if not line.lstrip().startswith(('|', '!['))]
    long = [line for line in prose if len(line) > 120]
    assert not long


@pytest.mark.unittest
@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_rows_of_a_table_have_as_many_cells(page):
    for table in re.findall(r'(?:^ *\|.*\n)+', FENCE.sub('', page.read_text()), re.MULTILINE):
        cells = [len(re.findall(r'(?<!\\)\|', row)) for row in table.splitlines()]
        assert len(set(cells)) == 1, table


@pytest.mark.unittest
def test_commands_exist_with_their_options():
    targets = re.findall(r'^(\w+):', (ROOT / 'Makefile').read_text(), re.MULTILINE)
    for page, (program, *words) in all_commands():
        if program == 'make':
            assert {word for word in words if '=' not in word} <= set(targets), f'{page}: make {words}'
            continue
        command = words[:2] if words[0] == '-m' else words[:1]
        rest = words[len(command):]
        if command == ['-m', 'lzero_mow'] and rest and not rest[0].startswith('-'):
            command, rest = [*command, rest[0]], rest[1:]
        known = help_of(*command)
        options = {word.split('=')[0] for word in rest if word.startswith('--')} - {'--help'}
        unknown = {option for option in options if not re.search(rf'{option}\b(?!-)', known)}
        assert not unknown, f"{page}: {' '.join(command)} has no {unknown}"
        changed = {word.split('=')[0] for word in rest if re.match(r'[a-z_.]+=', word)}
        if '--slurm' in options:
            changed -= SlurmExecutor._valid_parameters()
        assert changed <= keys(), f'{page}: no keys {changed - keys()}'


@pytest.mark.unittest
@pytest.mark.parametrize('page', [page for page in PAGES if page not in (*OLD_NAMES, *OTHERS_FILES)], ids=name_of)
def test_named_keys_and_files_exist(page):
    words = set(re.findall(r'`([^`\n]+)`', FENCE.sub('', page.read_text())))
    named = {re.split('[ =]', word)[0] for word in words if re.match(r'(policy|env|create)\.[a-z_.]+\b', word)}
    assert named <= keys(), named - keys()
    folders = [path.name for path in (*ROOT.iterdir(), *(ROOT / 'lzero_mow').iterdir()) if path.is_dir()]
    files = {word for word in words if re.fullmatch(rf"({'|'.join(folders)})/([\w./-]+\.\w+|[\w/]*/)", word)}
    files -= {word for word in files if word.startswith(('report/', 'data_mow/'))}  # of a run folder
    assert not {word for word in files if not any((base / word).exists() for base in (ROOT, ROOT / 'lzero_mow'))}


class Recorder:
    """A writer of scalars that remembers their names."""

    def __init__(self, *_, **__) -> None:
        self.names: Set[str] = set()

    def add_scalar(self, name: str, *_) -> None:
        self.names.add(name)

    def flush(self) -> None:
        pass


def rewarded_play(size: int) -> RecordedPlay:
    """Long enough, and with rewards enough, for every number of `lzero_mow.multitask.diagnostics.learning`."""
    rng, none = np.random.default_rng(0), np.zeros(60, dtype=bool)
    obs = rng.integers(256, size=(60, 3, size, size), dtype=np.uint8)
    return RecordedPlay(obs, rng.integers(5, size=60), rng.integers(2, size=60).astype(np.float32), none, none)


def logged_names(folder: Path, monkeypatch) -> Set[str]:
    """Every name under which a number is logged: by the policies' updates and diagnoses, and by a run."""
    monkeypatch.setattr(run_log, 'ScalarWriter', Recorder)
    names: Set[str] = set()
    mow, scalezero = tiny_policy(), tiny_scalezero_policy(model=dict(stages=2))
    searched = random_search_batch()
    for policy, data, batch in (
        (mow, training_data(), training_data()['world_model']), (scalezero, dict(search=searched), searched)
    ):
        names |= set(policy._forward_learn(data))
        diagnosis = policy.diagnose([batch, batch], dict.fromkeys(range(3), rewarded_play(batch.obs.shape[-1])))
        for episodes, references in (
            ({'return': np.zeros((3, 1))}, [None] * 3), ({'return': np.zeros((3, 1))}, [(0.0, 1.0)] * 3),
            ({name: np.zeros((3, 1)) for name in ('return', 'success_any', 'success_last')}, [None] * 3)
        ):
            log = run_log.RunLog(str(folder), 'mow', 0, TASKS, references, 1)
            log.evaluation(0, episodes)
            log.diagnosis(0, diagnosis)
            log.episode('red', 0, 0.0, 1)
            log.speed(0, 0, 0.0, 0, 0)
            names |= log.writer.names
    return names


def documented() -> Dict[str, 're.Pattern']:
    """The names in docs/metrics.md, each as the pattern that it stands for."""
    wild = {'<task>': rf"({'|'.join(TASKS)})", '<score>': '(symlog_return|normalised|success_any)'}
    patterns = {}
    for name in re.findall(r'`((?:evaluation|collect|world_model|router|agent|task|learning|plasticity|run)/[^`]*)`',
                           (ROOT / 'docs' / 'metrics.md').read_text()):
        pattern = name.replace('...', r'\w+').replace('.', r'\.') if '...' not in name else name.replace('...', r'\w+')
        pattern = re.sub(r'\{([^}]*)\}', lambda found: f"({found[1].replace(',', '|')})", pattern)
        for word, choices in wild.items():
            pattern = pattern.replace(word, choices)
        patterns[name] = re.compile(re.sub(r'<\w+>', r'[\\w.]+', pattern))
    return patterns


@pytest.mark.unittest
def test_exactly_the_logged_metrics_are_documented(tmp_path, monkeypatch):
    names, patterns = logged_names(tmp_path, monkeypatch), documented()
    assert {name for name in names if not any(pattern.fullmatch(name) for pattern in patterns.values())} == set()
    assert {word for word, pattern in patterns.items() if not any(map(pattern.fullmatch, names))} == set()
