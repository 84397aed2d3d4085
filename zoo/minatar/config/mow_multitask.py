"""
Train MoW on the five games of MinAtar, one world model and one agent for all of them. Small enough for one core of a
laptop.

    python zoo/minatar/config/mow_multitask.py
    python zoo/minatar/config/mow_multitask.py --method storm_multitask --seed 1 --games Breakout Freeway
    python zoo/minatar/config/mow_multitask.py --resume data_mow/minatar_laptop_seed0
"""
import sys

from lzero_mow import cli
from lzero_mow.config.arguments import script_configs

# ==============================================================
# begin of the most frequently changed config specified by the user
# ==============================================================
preset = None  # one of config/minatar.yaml; None is 'laptop'
games = []  # names, or a list of names in config/minatar.yaml; none takes the preset's own
seed = 0
max_env_step = None  # environment steps per game; None takes the preset's own
env = dict()  # changes in main_config.env, such as dict(evaluator_env_num=3)
policy = dict()  # changes in main_config.policy, such as dict(batch_size=52, model=dict(num_experts=6))
# ==============================================================
# end of the most frequently changed config specified by the user
# ==============================================================

settings = dict(preset=preset, games=games, seed=seed, max_env_step=max_env_step, env=env, policy=policy)

if __name__ == "__main__":
    sys.exit(cli.train(settings=settings, suite='minatar'))
else:
    main_config, create_config = script_configs(settings, 'minatar')
