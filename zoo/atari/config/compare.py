"""
MoW and ScaleZero head to head on Atari: the same games, seeds, environment steps and evaluation episodes. It trains
what has not ended yet, as many runs at once as there are cores, then writes one page with tables, curves and videos.
The same command again continues where it was stopped.

    python zoo/atari/config/compare.py
    python zoo/atari/config/compare.py --games Pong Boxing --seeds 0 1 2 --methods mow scalezero
"""
import sys

from lzero_mow.studies.experiment.command import main

# ==============================================================
# begin of the most frequently changed config specified by the user
# ==============================================================
preset = 'laptop'  # one of config/atari.yaml
methods = ['mow', 'scalezero', 'scalezero_dps', 'unizero_multitask_dense']  # of config/methods.yaml
seeds = [0]
games = []  # names, or a list of names in config/atari.yaml; none takes the preset's own
folder = 'data_mow/compare'  # of the runs and their tables
page = 'data_mow/compare/atari.html'
# ==============================================================
# end of the most frequently changed config specified by the user
# ==============================================================

settings = dict(
    suite='atari', preset=preset, methods=methods, seeds=seeds, games=games, runs=folder, output=folder, compare=page
)

if __name__ == "__main__":
    sys.exit(main(settings=settings))
