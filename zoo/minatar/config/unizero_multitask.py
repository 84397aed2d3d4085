"""
Train multi-task UniZero (ScaleZero with dense layers) on the five games of MinAtar, one model and one search for all
of them.

    python zoo/minatar/config/unizero_multitask.py
    python zoo/minatar/config/unizero_multitask.py --seed 1 --games Breakout Freeway
"""
import sys

from lzero_mow import cli
from lzero_mow.config.arguments import script_configs

# ==============================================================
# begin of the most frequently changed config specified by the user
# ==============================================================
preset = None  # one of config/minatar.yaml; None is 'laptop'
method = 'unizero_multitask_dense'  # a method of config/methods.yaml
games = []  # names, or a list of names in config/minatar.yaml; none takes the preset's own
seed = 0
max_env_step = None  # environment steps per game; None takes the preset's own
env = dict()  # changes in main_config.env, such as dict(evaluator_env_num=3)
policy = dict()  # changes in main_config.policy, such as dict(num_simulations=25, model=dict(num_layers=2))
# ==============================================================
# end of the most frequently changed config specified by the user
# ==============================================================

settings = dict(
    preset=preset, method=method, games=games, seed=seed, max_env_step=max_env_step, env=env, policy=policy
)

if __name__ == "__main__":
    sys.exit(cli.train(settings=settings, suite='minatar'))
else:
    main_config, create_config = script_configs(settings, 'minatar')
