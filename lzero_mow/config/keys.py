"""TODO"""

WHOLE = ('policy.solved_returns', )  # keys whose value is a tree of its own, replaced as a whole
# Keys that follow from another one; setting them would only make the two disagree.
DERIVED_KEYS = {
    'method': '--method',
    'policy.tasks': 'env.tasks',
    'policy.model.num_tasks': 'env.tasks',
    'policy.model.cluster_of_task': 'policy.clustering',
    'policy.model.observation_shape': 'env.obs_shape',
    'policy.model.max_steps': 'policy.num_unroll_steps',
    'policy.collector_env_num': 'env.collector_env_num',
    'policy.evaluator_env_num': 'env.evaluator_env_num',
    'policy.cuda': 'policy.device',
}
# Keys that a resumed run may not change: they give the stored weights, environments and replay their shapes, and the
# tasks their rules.
IDENTITY = (
    'seed', 'create.policy.type', 'create.env.type', 'env.obs_shape', 'env.action_space', 'env.frame_skip',
    'env.noop_max', 'env.repeat_action_probability', 'env.sticky_action_prob', 'env.difficulty_ramping',
    'env.max_episode_steps', 'env.collector_env_num', 'env.camera', 'env.render_profile', 'env.action_repeat',
    'env.goals', 'env.goal_seed', 'env.reward_version', 'policy.model', 'policy.task_weighting', 'policy.clustering',
    'policy.warmup_steps', 'policy.acting_window', 'policy.context_length', 'policy.num_unroll_steps',
    'policy.td_steps', 'policy.num_sampled_actions', 'policy.replay_buffer_size', 'policy.game_segment_length',
    'policy.upstream_compat'
)
# What may differ between a run that is there and the one that is asked for: it changes no row of the results.
INDIFFERENT = {
    'exp_name', 'max_env_step', 'policy.device', 'policy.cuda', 'policy.checkpoint_freq', 'policy.report_freq',
    'policy.log_freq', 'create.env_manager.type'
}
# The same between runs of several methods: which games there are, and how many are stepped at once. The last two decide
# how many episodes an evaluation has, which must not differ.
INDIFFERENT_ENV = (
    'env.tasks', 'env.collector_env_num', 'env.manager', 'env.evaluator_env_num', 'env.evaluation_episodes'
)
# What every run of an experiment has for itself.
OWN_KEYS = {'exp_name': '--runs', 'seed': '--seeds', 'env.tasks': '--games'}
# Keys of a trained run that may not, besides its environments'.
SCHEDULE = ('max_env_step', 'policy.train_start_after_envsteps', 'policy.replay_ratio', 'policy.eval_freq')
# What may differ from call to call: measurements depend on all the other keys, but not on these.
FREE = (
    'seed', 'exp_name', 'max_env_step', 'policy.device', 'policy.cuda', 'policy.clustering', 'policy.warmup_steps',
    'policy.model.num_clusters'
)
