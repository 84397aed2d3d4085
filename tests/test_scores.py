"""
Reference scores: one table, keyed by name, checked against a published package.
"""
import numpy as np
import pytest

from lzero_mow.config.atari import ATARI, ATARI_100K, ale_id
from lzero_mow.config.atari_scores import REFERENCE_SCORES, reference_scores
from lzero_mow.config.minatar import GAMES, MINATAR
from lzero_mow.config.references import normalised
from lzero_mow.config.tree import nearest


@pytest.mark.unittest
def test_exactly_the_known_games_have_scores():
    assert len(ATARI_100K) == 26
    assert set(REFERENCE_SCORES) == set(ATARI_100K)


@pytest.mark.unittest
def test_scores_are_those_of_atarihns():
    constants = pytest.importorskip('atarihns.constants')
    assert REFERENCE_SCORES == {task: constants.ATARI_SCORES[f'{task}-v5'] for task in ATARI_100K}


@pytest.mark.unittest
@pytest.mark.parametrize('task', ['Pong', 'Boxing', 'CrazyClimber'])
def test_normalised_is_0_for_random_play_and_1_for_a_human(task):
    random, human = reference_scores(task)
    assert normalised(random, (random, human)) == 0
    assert normalised(human, (random, human)) == pytest.approx(1)
    np.testing.assert_allclose(normalised(np.array([random, 2 * human - random]), (random, human)), [0, 2])


@pytest.mark.unittest
def test_normalised_by_hand():
    assert normalised(16.1, reference_scores('Breakout')) == pytest.approx(0.5)  # (16.1 - 1.7) / (30.5 - 1.7)
    assert normalised(3.0, None) is None


@pytest.mark.unittest
@pytest.mark.parametrize(
    'steps, frame_skip, scored', [(4500, 4, True), (4499, 4, False), (4500, 2, False), (9000, 2, True)]
)
def test_games_that_are_cut_before_five_minutes_have_no_scores(steps, frame_skip, scored):
    env = dict(ATARI.keys.defaults(), tasks=['Pong'], max_episode_steps=steps, frame_skip=frame_skip)
    assert ATARI.reference_scores(env) == [reference_scores('Pong') if scored else None]


@pytest.mark.unittest
def test_every_minatar_game_has_references_the_same_in_all_colours():
    for game in GAMES:
        random, dqn = MINATAR.references.of(game)
        assert random < dqn and MINATAR.references.of(f'{game}@7') == (random, dqn)
    for wrong in ('Pong', 'Breakout@0'):
        with pytest.raises(ValueError, match='env.tasks names'):
            MINATAR.references.of(wrong)


@pytest.mark.unittest
def test_scores_of_an_unknown_game_name_the_nearest():
    with pytest.raises(ValueError, match="'pongg'.*Pong"):
        reference_scores('pongg')


@pytest.mark.unittest
@pytest.mark.parametrize('task, expected', [('Pong', 'pong'), ('MsPacman', 'ms_pacman'), ('UpNDown', 'up_n_down')])
def test_ale_id(task, expected):
    assert ale_id(task) == expected


@pytest.mark.unittest
@pytest.mark.parametrize(
    'typed, meant',
    [('pong', 'Pong'), ('PongNoFrameskip-v4', 'Pong'), ('Up_N_Down', 'UpNDown'), ('mspacman', 'MsPacman')]
)
def test_nearest_finds_what_was_meant(typed, meant):
    assert nearest(typed, ATARI_100K)[0] == meant


@pytest.mark.unittest
@pytest.mark.parametrize(
    'tasks, message', [
        (['Pong', 'Braekout'], "unknown game 'Braekout'.*Breakout"),
        (['Enduro'], "unknown game 'Enduro'"),
        (['Pong', 'Boxing', 'Pong'], 'names Pong twice'),
        ([], 'is empty'),
        ('Pong', "must be a list of names, .*, got 'Pong'"),
        ([3], r'must be a list of names, .*, got \[3\]'),
        (7, 'env.tasks must be a list of names, .*, got 7'),
    ]
)
def test_check_games_refuses_with_one_line(tasks, message):
    with pytest.raises(ValueError, match=message) as error:
        ATARI.check(dict(tasks=tasks))
    assert '\n' not in str(error.value)


@pytest.mark.unittest
def test_check_games_accepts_all_games_in_any_order():
    ATARI.check(dict(tasks=list(reversed(ATARI_100K))))
