"""
What random play and a published agent reach in each MinAtar game. Keyed by the game's name. Light: imports no game.

Random play: the mean of 1000 episodes per game, played here with the settings of the laptop preset
(config/minatar.yaml: no sticky actions, difficulty ramping, episodes cut after 500 steps).

The agent: DQN of Young and Tian (2019, arXiv 1903.03176), the authors' own, trained on one game for 5 million frames
with the step size that is best for it; average return over its final 100 episodes, mean of 30 runs. There is no table:
the numbers are the highest points of DQN's curves in the README of github.com/kenjyoung/MinAtar, which follows the
paper (img/sensitivity_curves.gif, February 2020), measured in the picture to within 0.1 in Asterix, Breakout and
Seaquest, 0.3 in Freeway and 1 in Space Invaders. By the repository's defaults its settings are not the laptop preset's:
actions stick with probability 0.1, its last episodes still explore (epsilon 0.1), and only the game ends an episode,
Freeway's after 2500 steps. In 500 steps of Freeway DQN's pace comes to 10, which scores 0.2. Difficulty ramping is on
in both. Its Seaquest is that of MinAtar 1.0.10 and earlier.
"""
# game: (random, DQN), raw returns of a whole episode
REFERENCE_SCORES = {
    'Asterix': (0.53, 16.7), 'Breakout': (0.43, 10.3), 'Freeway': (0.06, 49.9), 'Seaquest': (0.09, 19.4),
    'SpaceInvaders': (4.33, 45.4),
}
