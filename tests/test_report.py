"""The pictures of a run: their files open, and show what they say."""
import imageio.v2 as imageio
import numpy as np
import pytest
from pandas.testing import assert_frame_equal
from PIL import Image

from lzero_mow.config.peers import Peer
from lzero_mow.config.suites import RANDOM
from lzero_mow.entry.run.last_evaluation import last_evaluation
from lzero_mow.report.pictures import curves, learning
from lzero_mow.report.pictures.curves import write_curves
from lzero_mow.report.pictures.router_map import write_router_map
from lzero_mow.report.pictures.video import (
    BORDER,
    CAPTION_WIDTH,
    GREEN,
    RED,
    open_loop_frames,
    write_open_loop_sheet,
    write_open_loop_video,
)
from lzero_mow.report.tables.csv_table import cut_results
from lzero_mow.report.tables.diagnostics import append_diagnostics
from lzero_mow.report.tables.results import TABLE, Result, aggregate, append_results, read_results
from lzero_mow.report.tables.similarity import read_similarity, write_similarity

T, CONTEXT = 7, 3


@pytest.fixture
def open_loop():
    """Rows of plain grey, each of its own brightness: (3, T, 3, 64, 64)."""
    rows = np.array([0.2, 0.5, 0.8], dtype=np.float32)
    return np.broadcast_to(rows[:, None, None, None, None], (3, T, 3, 64, 64)).copy()


@pytest.mark.unittest
def test_frames_show_rows_and_borders(open_loop):
    open_loop[0, 4, 0, 10, 20] = 1.0  # one red pixel in the true frame of step 4
    frames = open_loop_frames(open_loop, CONTEXT, scale=2)
    cell = 128 + 2 * BORDER
    assert frames.shape == (T, 3 * cell, cell + CAPTION_WIDTH, 3)
    for t in range(T):
        border = GREEN if t < CONTEXT else RED
        for row, value in enumerate((0.2, 0.5, 0.8)):
            top = row * cell
            assert tuple(frames[t, top, CAPTION_WIDTH]) == border
            assert tuple(frames[t, top + cell - 1, -1]) == border
            assert abs(int(frames[t, top + cell // 2, CAPTION_WIDTH + cell // 2, 1]) - round(value * 255)) <= 1
    assert frames[4, BORDER + 21, CAPTION_WIDTH + BORDER + 41, 0] == 255, 'upscaled pixel (10, 20) of the first row'
    assert frames[5, BORDER + 21, CAPTION_WIDTH + BORDER + 41, 0] == 51


@pytest.mark.unittest
@pytest.mark.parametrize('context', [0, T + 1])
def test_impossible_context_is_refused(open_loop, context):
    with pytest.raises(ValueError, match=f'context is {context}'):
        open_loop_frames(open_loop, context)


@pytest.mark.unittest
def test_video_is_readable(tmp_path, open_loop):
    path = tmp_path / 'report' / 'open_loop_Pong.mp4'
    write_open_loop_video(str(path), open_loop, CONTEXT)
    with imageio.get_reader(path) as reader:
        frames = [frame for frame in reader]
    assert len(frames) == T
    for t, frame in enumerate(frames):
        border = np.asarray(GREEN if t < CONTEXT else RED)
        assert np.abs(frame[3, CAPTION_WIDTH + 40].astype(int) - border).max() < 12, f'border of frame {t}'
    assert [file.name for file in path.parent.iterdir()] == ['open_loop_Pong.mp4'], 'no temporary file stays'


@pytest.mark.unittest
def test_sheet_has_a_strip_per_task(tmp_path, open_loop):
    path = tmp_path / 'open_loop.png'
    write_open_loop_sheet(str(path), {'Pong': open_loop, 'Boxing': open_loop}, CONTEXT, columns=4, scale=1)
    cell = 64 + 2 * BORDER
    assert Image.open(path).size == (CAPTION_WIDTH + 4 * cell, 2 * (24 + 3 * cell))


@pytest.mark.unittest
def test_failed_picture_leaves_the_old_one(tmp_path, open_loop):
    path = tmp_path / 'open_loop_Pong.mp4'
    path.write_bytes(b'old')
    with pytest.raises(ValueError):
        write_open_loop_video(str(path), open_loop[:2], CONTEXT)
    assert path.read_bytes() == b'old'


@pytest.mark.unittest
def test_router_map(tmp_path):
    weights = np.array([[0.7, 0.3, 0.0], [0.0, 0.4, 0.6]])
    path = tmp_path / 'router.png'
    write_router_map(str(path), weights, ['Pong', 'Boxing'])
    pixels = np.asarray(Image.open(path).convert('RGB'))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20, 'the map has colours'
    with pytest.raises(ValueError, match='2 rows for 1 tasks'):
        write_router_map(str(path), weights, ['Pong'])


def _rows(seed, normalised=True):
    return [
        Result('mow', seed, task, step, 2, 10.0 * step + seed, step / 100 if normalised else None)
        for step in (0, 100, 200) for task in ('Pong', 'Boxing')
    ]


@pytest.mark.unittest
def test_the_last_evaluation_has_a_line_per_task_and_the_means():
    rows = [Result('mow', 0, task, step, 2, step, None, 0.5, step / 200) for step in (0, 100) for task in ('a', 'b')]
    table = last_evaluation(TABLE.frame(rows))
    assert [column.header for column in table.columns] == ['task', 'return', 'success at any step', 'at the last step']
    assert [list(column.cells) for column in table.columns] == [
        ['a', 'b', 'mean'], ['100.0', '100.0', ''],
        *[['0.50 [0.09, 0.91]', '0.50 [0.09, 0.91]', '0.50 [0.15, 0.85]']] * 2
    ]
    assert table.title == 'last evaluation, step 100, 2 episodes per task'


@pytest.mark.unittest
def test_results_round_trip_and_header(tmp_path):
    path = str(tmp_path / 'results.csv')
    append_results(path, _rows(0)[:4])
    append_results(path, _rows(0, normalised=False)[4:])
    assert_frame_equal(read_results(path), TABLE.frame(_rows(0)[:4] + _rows(0, normalised=False)[4:]))
    lines = open(path).read().splitlines()
    assert lines[0] == 'method,seed,task,env_step,episodes,episode_return,normalised,success_any,success_last'
    assert lines[-1] == 'mow,0,Boxing,200,2,2000.0,,,' and len(lines) == 7


@pytest.mark.unittest
def test_cut_results(tmp_path):
    path = tmp_path / 'results.csv'
    append_results(str(path), _rows(0)[:2])
    size = path.stat().st_size
    append_results(str(path), _rows(0)[2:])
    assert cut_results(str(path), size) > 0
    assert_frame_equal(read_results(str(path)), TABLE.frame(_rows(0)[:2]))
    assert cut_results(str(path), size) == 0
    with pytest.raises(ValueError, match='rows are missing'):
        cut_results(str(path), size + 1)
    assert cut_results(str(tmp_path / 'none.csv'), 0) == 0


@pytest.mark.unittest
@pytest.mark.parametrize(
    'lines', [
        'step,reward\n1,2',
        '',
        'HEADER\nmow,0,Pong',  # cut off
        'HEADER\nmow,0,Pong,100,2,many,,,',
        'HEADER\nmow,x,Pong,100,2,1.0,,,',
        'HEADER\nmow,0,Pong,100,2,1.0,,,\nmow,0,Pong,100,2,1.0,,,,,5',
        'HEADER\nmow,0,Pong,100,2,1.0,,,,,5',
    ]
)
def test_a_foreign_or_damaged_table_is_refused_in_one_line(tmp_path, lines):
    path = tmp_path / 'results.csv'
    path.write_text(lines.replace('HEADER', ','.join(TABLE.columns)))
    with pytest.raises(ValueError, match=f'{path} is not a results table: ') as error:
        read_results(str(path))
    assert '\n' not in str(error.value)


@pytest.mark.unittest
def test_a_damaged_similarity_is_refused_in_one_line(tmp_path):
    path = str(tmp_path / 'similarity.csv')
    write_similarity(path, np.array([[1, 0.1], [0.1, 1]]), ['nan', 'b'])
    tasks, similarity = read_similarity(path)
    assert tasks == ['nan', 'b'] and similarity.tolist() == [[1, 0.1], [0.1, 1]]
    for text in ('task,a,b\na,1.0,0.1\n', 'task,a\na,one\n', ''):
        (tmp_path / 'similarity.csv').write_text(text)
        with pytest.raises(ValueError, match=f'{path} is not a table of similarities: '):
            read_similarity(path)


@pytest.mark.unittest
def test_where_learning_stops_is_drawn_for_what_was_measured(tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(learning, 'save', lambda figure, path: drawn.update({a.get_title(): a for a in figure.axes}))
    path = str(tmp_path / 'diagnostics.csv')
    for step in (10, 20):
        append_diagnostics(path, step, {
            'dormant/all': 0.5, 'learning/Pong/reward/1_steps/auc': step / 40, 'learning/Pong/imagination/actor': 3.0,
            'learning/Pong/imagination/random': 1.0, 'learning/Boxing/reward/1_steps/auc': 0.5
        })
    learning.write_learning(str(tmp_path / 'learning.png'), path, ['Pong', 'Boxing'], 'mow, seed 0')
    assert list(drawn) == ['1. rewards, 1 step ahead: AUC', '3. imagined return: actor - random']
    nothing, pong, boxing = drawn['1. rewards, 1 step ahead: AUC'].lines
    assert list(nothing.get_ydata()) == [0.5, 0.5] and list(pong.get_ydata()) == [0.25, 0.5]
    assert list(pong.get_xdata()) == [10, 20] and boxing.get_label() == 'Boxing'
    assert list(drawn['3. imagined return: actor - random'].lines[1].get_ydata()) == [2.0, 2.0]


@pytest.mark.unittest
def test_published_levels_and_intervals_of_episodes(tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(curves, 'save', lambda figure, path: drawn.update({a.get_title(): a for a in figure.axes}))
    random = Result(RANDOM, 0, 'Pong', 0, 2, 3.0, None)
    rows = TABLE.frame([*_rows(0, normalised=False), random])
    peer = dict(paper='', source='', environment_steps=1, published_mean=None)
    peers = [Peer(name='near', returns=dict(Pong=2500.0), **peer), Peer(name='far', returns=dict(Pong=90000.0), **peer)]
    ends = dict(mow=dict(Pong=(1900.0, 2200.0)), random=dict(Pong=(2.0, 4.0)))
    curves.draw_curves('', rows, peers=peers, ends=ends)
    panel = drawn['Pong']
    assert 'all tasks' not in drawn, 'without scores there is no mean over games'
    assert 2500 <= panel.get_ylim()[1] < 4000, 'a level far away does not flatten the curves'
    assert panel.texts[0].get_text().splitlines()[1:] == ['far 90,000'] and not drawn['Boxing'].texts
    assert 'near (published)' in panel.get_legend_handles_labels()[1]
    assert 'far (published)' not in panel.get_legend_handles_labels()[1]
    (bar, ), = [container[2] for container in panel.containers]
    assert bar.get_segments()[0][:, 1].tolist() == [1900.0, 2200.0]


@pytest.mark.unittest
def test_aggregate():
    # of eight scores the interquartile mean keeps the middle four: 2, 3, 4, 5
    assert aggregate([0, 1, 2, 3, 4, 5, 6, 700]) == {'mean': 90.125, 'median': 3.5, 'iqm': 3.5}


@pytest.mark.unittest
@pytest.mark.parametrize('normalised', [True, False])
def test_curves(tmp_path, normalised):
    files = []
    for seed in (0, 1):
        files.append(str(tmp_path / f'results_{seed}.csv'))
        append_results(files[-1], _rows(seed, normalised))
    write_curves(str(tmp_path / 'one.png'), files[:1])
    write_curves(str(tmp_path / 'two.png'), files)
    width, height = Image.open(tmp_path / 'one.png').size
    assert width > 2 * height, 'three panels side by side'
    assert (tmp_path / 'one.png').read_bytes() != (tmp_path / 'two.png').read_bytes()


@pytest.mark.unittest
def test_curves_without_rows(tmp_path):
    path = tmp_path / 'results.csv'
    path.write_text(','.join(TABLE.columns) + '\n')
    with pytest.raises(ValueError, match='no evaluation in'):
        write_curves(str(tmp_path / 'curves.png'), [str(path)])
