"""What other agents have published: the file, and where it is shown."""
import numpy as np
import pytest

from lzero_mow.__main__ import main
from lzero_mow.config.atari import ATARI, ATARI_100K
from lzero_mow.config.minatar import MINATAR
from lzero_mow.config.peers import load_peers, peers_of
from lzero_mow.config.references import normalised
from lzero_mow.report.tables.results import Result, append_results

PEERS = load_peers()['atari']


def write_table(folder, suite=ATARI, games=('Breakout', 'Freeway')):
    rows = [Result('mow', 0, game, 100, 1, 2.0, normalised(2.0, suite.references.of(game))) for game in games]
    append_results(str(folder / 'mow.csv'), rows)
    return str(folder)


@pytest.mark.unittest
def test_each_has_all_games_and_says_where_its_returns_are_from():
    assert [peer.name for peer in PEERS] == ['STORM', 'DreamerV3', 'DIAMOND', 'Simulus']
    for peer in PEERS:
        assert set(peer.returns) == set(ATARI_100K) and peer.environment_steps == 100_000
        assert 'arXiv' in peer.paper and peer.source


@pytest.mark.unittest
@pytest.mark.parametrize('peer', [peer for peer in PEERS if peer.published_mean], ids=lambda peer: peer.name)
def test_the_returns_give_the_published_mean(peer):
    scores = [normalised(value, ATARI.references.of(game)) for game, value in peer.returns.items()]
    digits = len(str(peer.published_mean).partition('.')[2])
    assert round(float(np.mean(scores)), digits) == peer.published_mean


@pytest.mark.unittest
def test_a_summary_shows_them_beside_the_methods(tmp_path, monkeypatch):
    levels, words = [], []
    monkeypatch.setattr('matplotlib.axes.Axes.axhline', lambda self, y, **style: levels.append((y, style['label'])))
    monkeypatch.setattr('matplotlib.axes.Axes.text', lambda self, x, y, text, **style: words.append(text))
    assert main(['summary', write_table(tmp_path), '--peers']) == 0
    text = (tmp_path / 'summary.md').read_text()
    games = text[text.index('## Games'):]
    assert '|  | Breakout | Freeway |' in games and '| STORM (published) | 15.90 | 33.50 |' in games
    assert '- STORM (published): arXiv 2310.09615. One agent per game, 100,000 environment steps' in games
    assert '--peers`' in text
    shown = [y for y, label in levels if label == 'DIAMOND (published)']
    written = [line for text in words for line in text.split('\n') if line.startswith('DIAMOND')]
    assert sorted([f'DIAMOND {y:,.0f}' for y in shown] + written) == ['DIAMOND 132', 'DIAMOND 33']


@pytest.mark.unittest
def test_without_being_asked_for_they_are_nowhere(tmp_path):
    assert main(['summary', write_table(tmp_path)]) == 0
    assert 'published' not in (tmp_path / 'summary.md').read_text()


@pytest.mark.unittest
def test_a_suite_without_them_is_refused_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        main(['summary', write_table(tmp_path, MINATAR), '--peers'])
    message = capsys.readouterr().err
    assert error.value.code == 2 and message.count('\n') == 1
    assert "--peers: nobody's returns are known in these games of minatar, only in those of atari" in message
    with pytest.raises(ValueError, match='have no normalised scores, .* where games may last five minutes'):
        peers_of(None, ['A'])
