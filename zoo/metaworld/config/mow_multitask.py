"""
Train MoW on Meta-World tasks from pictures, one world model and one agent for all of them.

    python zoo/metaworld/config/mow_multitask.py --preset laptop
    python zoo/metaworld/config/mow_multitask.py --preset laptop --games mt10 policy.batch_size=10
    python zoo/metaworld/config/mow_multitask.py --preset laptop --games reach drawer-close --seed 1
"""
import sys

from lzero_mow import cli
from lzero_mow.config.arguments import script_configs

# ==============================================================
# begin of the most frequently changed config specified by the user
# ==============================================================
preset = None  # one of config/metaworld.yaml; None is 'paper' with a GPU, 'laptop' without
games = []  # names, or a list of names in config/metaworld.yaml; none takes the preset's own
seed = 0
max_env_step = None  # environment steps per task; None takes the preset's own
env = dict()  # changes in main_config.env, such as dict(camera='corner')
policy = dict()  # changes in main_config.policy, such as dict(batch_size=52, model=dict(num_experts=6))
# ==============================================================
# end of the most frequently changed config specified by the user
# ==============================================================

settings = dict(preset=preset, games=games, seed=seed, max_env_step=max_env_step, env=env, policy=policy)

if __name__ == "__main__":
    sys.exit(cli.train(settings=settings, suite='metaworld'))
else:
    main_config, create_config = script_configs(settings, 'metaworld')
