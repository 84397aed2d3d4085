"""
Which keys follow from others, and which may differ between two runs. Each key is described beside its default; this
module says how whole configurations are compared, for each purpose.
"""
# Keys whose value is a tree of its own, which is replaced as a whole.
WHOLE = ('policy.solved_returns', )
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

# A resumed run keeps these, besides its tasks, its networks (`policy.model`), every key of its environments that is not
# marked MAY_CHANGE, and the keys of its policy that are marked FIXED (see run_identity in validate.py).
RUN_IDENTITY = ('seed', 'create.policy.type', 'create.env.type', 'create.replay_buffer.type')
# They change no row of the results: an experiment may be continued, and runs compared, with other values.
NO_INFLUENCE = {
    'exp_name', 'max_env_step', 'policy.device', 'policy.cuda', 'policy.checkpoint_freq', 'policy.report_freq',
    'policy.log_freq', 'create.env_manager.type', 'create.env.suite'
}
# Every run of an experiment has its own, by these options.
SET_BY_EXPERIMENT = {'exp_name': '--runs', 'seed': '--seeds', 'env.tasks': '--games'}
# Methods that are compared share these, and the keys of their environments; but for how many are stepped at once. The
# number of episodes in an evaluation, which may follow from that, is compared by itself.
COMPARED_SCHEDULE = ('max_env_step', 'policy.train_start_after_envsteps', 'policy.replay_ratio', 'policy.eval_freq')
COMPARED_ENVS_MAY_DIFFER = (
    'env.tasks', 'env.collector_env_num', 'env.evaluator_env_num', 'env.evaluation_episodes', 'env.manager'
)
# A study of the grouping's stability chooses these itself, call by call; its measurements depend on all the others.
SET_BY_STABILITY = (
    'seed', 'exp_name', 'max_env_step', 'policy.device', 'policy.cuda', 'policy.clustering', 'policy.warmup_steps',
    'policy.model.num_clusters', 'create.env.suite'
)
