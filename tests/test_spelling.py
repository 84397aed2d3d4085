"""Spelling of everything that is read, and the house rules of its English that can be checked."""
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('codespell_lib', reason='codespell is not installed')
ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ('lzero_mow', 'zoo', 'config', 'tests', 'docs')
IGNORED = 'copys'  # an identifier
SUFFIXES = ('.py', '.yaml', '.html', '.md')

COUNTED = r'episodes|environments|sequences|frames|steps|updates|numbers|bytes|rows|lines|seeds|models|heads|layers|' \
    r'panels|goals|experts|tokens|evaluations|samples|adapters|one|once|pixel|copy|process|row|line|call'
UNIT = r'task|game|method|cluster|step|stage|run|group|expert|seed|layer|cell|core|second|decision|update|suite|' \
    r'environment|token|dimension|head|simulation'
# What stumbles: (pattern, what to write instead).
RULES = (
    (
        rf'\b({COUNTED}) an? ({UNIT})\b(?! (of|that|with|is|has|uses|does|needs|gives|as|in)\b)',
        "'per task', not 'one a task'"
    ),
    (r'"""(?:(?!""").)*\s{1}Errors: ', "'Raises:' in docstrings"),
    (r'\b(TODO|FIXME|XXX)\b', 'an issue'),
)


def texts():
    """Every file that is read, as one line without the marks of comments."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob('*')]
    files += (ROOT / 'results').rglob('*.md')
    for path in sorted([*files, *ROOT.glob('*.md')]):
        if path.suffix in SUFFIXES and path != Path(__file__).resolve():
            yield path.relative_to(ROOT), ' '.join(re.sub(r'\n\s*#', '\n', path.read_text()).split())


@pytest.mark.unittest
def test_words_are_spelt_right():
    pages = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob('*.md'))
    done = subprocess.run(
        [sys.executable, '-m', 'codespell_lib', '--ignore-words-list', IGNORED, *FOLDERS, *pages], cwd=ROOT,
        capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.unittest
@pytest.mark.parametrize('pattern, instead', RULES, ids=[instead for _, instead in RULES])
def test_english_does_not_stumble(pattern, instead):
    found = [
        f'{path}: ...{text[max(0, match.start() - 30):match.end() + 30]}...' for path, text in texts()
        for match in re.finditer(pattern, text)
    ]
    assert not found, f'write {instead}:\n' + '\n'.join(found)
