"""
Train ScaleZero on Atari games, one model and one search for all of them: with a GPU the 26 games of Atari 100k,
without one four games and small networks.

    python zoo/atari/config/scalezero_multitask.py
    python zoo/atari/config/scalezero_multitask.py --preset laptop --games Pong Boxing policy.batch_size=16
    python zoo/atari/config/scalezero_multitask.py --method scalezero_dps
"""
import sys

from lzero_mow import cli
from lzero_mow.config.arguments import script_configs

# ==============================================================
# begin of the most frequently changed config specified by the user
# ==============================================================
preset = None  # one of config/atari.yaml; None is 'paper', and for a run without a GPU 'laptop'
method = 'scalezero'  # 'scalezero', or 'scalezero_dps' with Dynamic Parameter Scaling
games = []  # names, or a list of names in config/atari.yaml; none takes the preset's own
seed = 0
max_env_step = None  # environment steps per game; None takes the preset's own
env = dict()  # changes in main_config.env, such as dict(evaluator_env_num=3)
policy = dict()  # changes in main_config.policy, such as dict(num_simulations=25, model=dict(num_experts=4))
# ==============================================================
# end of the most frequently changed config specified by the user
# ==============================================================

settings = dict(
    preset=preset, method=method, games=games, seed=seed, max_env_step=max_env_step, env=env, policy=policy
)

if __name__ == "__main__":
    sys.exit(cli.train(settings=settings, suite='atari'))
else:
    main_config, create_config = script_configs(settings, 'atari')
