"""
What random play and a human reach in each Atari 100k game. Keyed by name, so that the order of a run's tasks can never
attach a score to the wrong game. Light: no torch, no DI-engine, no ALE.

The numbers are those of Mnih et al. (2015) and Wang et al. (2016), as every Atari 100k paper since SimPLe reports them.
"""
from .references import Reference
from .tree import nearest

# game: (random, human), raw returns of a whole game
REFERENCE_SCORES = {
    'Alien': (227.8, 7127.7), 'Amidar': (5.8, 1719.5), 'Assault': (222.4, 742.0), 'Asterix': (210.0, 8503.3),
    'BankHeist': (14.2, 753.1), 'BattleZone': (2360.0, 37187.5), 'Boxing': (0.1, 12.1), 'Breakout': (1.7, 30.5),
    'ChopperCommand': (811.0, 7387.8), 'CrazyClimber': (10780.5, 35829.4), 'DemonAttack': (152.1, 1971.0),
    'Freeway': (0.0, 29.6), 'Frostbite': (65.2, 4334.7), 'Gopher': (257.6, 2412.5), 'Hero': (1027.0, 30826.4),
    'Jamesbond': (29.0, 302.8), 'Kangaroo': (52.0, 3035.0), 'Krull': (1598.0, 2665.5),
    'KungFuMaster': (258.5, 22736.3), 'MsPacman': (307.3, 6951.6), 'Pong': (-20.7, 14.6),
    'PrivateEye': (24.9, 69571.3), 'Qbert': (163.9, 13455.0), 'RoadRunner': (11.5, 7845.0),
    'Seaquest': (68.4, 42054.7), 'UpNDown': (533.4, 11693.2),
}


def reference_scores(task: str) -> Reference:
    """What random play and a human reach in a whole game; ValueError names the games nearest to one without scores."""
    if task not in REFERENCE_SCORES:
        likely = ', '.join(nearest(task, REFERENCE_SCORES))
        raise ValueError(f'no reference scores for {task!r}: did you mean {likely}?')
    return REFERENCE_SCORES[task]
