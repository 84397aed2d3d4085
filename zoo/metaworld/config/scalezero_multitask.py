"""
Train ScaleZero on Meta-World tasks from pictures, one model for all of them, and one search over sampled actions.

    python zoo/metaworld/config/scalezero_multitask.py --preset laptop
    python zoo/metaworld/config/scalezero_multitask.py --preset laptop --games mt10
    python zoo/metaworld/config/scalezero_multitask.py --preset laptop --method scalezero_dps
"""
import sys

from lzero_mow import cli
from lzero_mow.config.arguments import script_configs

# ==============================================================
# begin of the most frequently changed config specified by the user
# ==============================================================
preset = None  # one of config/metaworld.yaml; None is 'paper' with a GPU, 'laptop' without
method = 'scalezero'  # 'scalezero', or 'scalezero_dps' with Dynamic Parameter Scaling
games = []  # names, or a list of names in config/metaworld.yaml; none takes the preset's own
seed = 0
max_env_step = None  # environment steps per task; None takes the preset's own
env = dict()  # changes in main_config.env, such as dict(camera='corner')
policy = dict()  # changes in main_config.policy, such as dict(num_sampled_actions=30, model=dict(num_experts=4))
# ==============================================================
# end of the most frequently changed config specified by the user
# ==============================================================

settings = dict(
    preset=preset, method=method, games=games, seed=seed, max_env_step=max_env_step, env=env, policy=policy
)

if __name__ == "__main__":
    sys.exit(cli.train(settings=settings, suite='metaworld'))
else:
    main_config, create_config = script_configs(settings, 'metaworld')
