"""The methods of config/methods.yaml: what each changes, and that a run carries its name."""
import pytest
import yaml
from torch import nn

from helpers.models import random_batch
from helpers.policies import tiny_policy, training_data
from helpers.tiny_run import load, tiny_config, train
from lzero_mow.config.arguments import config_parser, new_config, parse, resumed_config
from lzero_mow.config.build import build_config, lightzero_configs
from lzero_mow.config.suites import load_suite, method_layer, method_names, one_model_per_task, suite_names
from lzero_mow.config.tree import leaves
from lzero_mow.config.validate import validate
from lzero_mow.model.mow.mow_model import MoWModel
from lzero_mow.report.tables.results import read_results
from lzero_mow.report.tables.run_record import read_run_record

GAMES = ['Asterix', 'Breakout', 'Freeway']  # in Atari and in MinAtar
TASKS = {'metaworld': ['reach', 'push', 'sweep']}
METHODS = (
    'mow storm storm_multitask storm_multi_vae mow_no_experts mow_no_shared mow_no_task_loss mow_no_balance '
    'mow_plain_sum mow_no_clustering mow_vae_per_task mow_router_none mow_random_clusters mow_group_norm'
).split()
OTHERS = 'scalezero scalezero_dps unizero_multitask_dense'.split()


def config_of(method, suite='atari', preset='laptop', **changes):
    games = TASKS.get(suite, GAMES)[:1 if one_model_per_task(method) else None]
    return build_config(preset, games, suite=suite, method=method, **changes)


@pytest.mark.unittest
@pytest.mark.parametrize('suite', suite_names())
def test_every_method_is_valid_over_every_preset(suite):
    assert method_names() == METHODS + OTHERS
    for preset in set(load_suite(suite)['presets']) - {'storm'}:  # which is a method's networks already
        for method in method_names():
            config = config_of(method, suite, preset)
            validate(config)
            assert config['method'] == method


def parts(method):
    """What the networks of a method consist of, and what its losses are."""
    policy = config_of(method, preset='debug')['policy']
    model = MoWModel(**policy['model'])
    world = model.world_model
    return dict(
        clusters=world.num_clusters, experts=world.num_experts, router=world.router is not None,
        shared=world.shared is not None, task_head=world.task_head is not None,
        embedding=policy['model']['task_embedding_dim'] > 0, weighting=policy['task_weighting'],
        balance=policy['balance_weight'] > 0 and world.router is not None,
        norm={kind for kind in NORMS if any(isinstance(module, kind) for module in world.vae.modules())},
        router_gradient=policy['model']['router_gradient'], clustering=policy['clustering']
    )


NORMS = (nn.BatchNorm2d, nn.GroupNorm)
NO_EXPERTS = dict(experts=0, router=False, balance=False)
MULTITASK = dict(NO_EXPERTS, task_head=False, weighting='sum')


@pytest.mark.unittest
@pytest.mark.parametrize(
    'method, changed', [
        ('storm', dict(MULTITASK, clusters=1, embedding=False)),
        ('storm_multitask', dict(MULTITASK, clusters=1)),
        ('storm_multi_vae', MULTITASK),
        ('mow_no_experts', NO_EXPERTS),
        ('mow_no_shared', dict(shared=False)),
        ('mow_no_task_loss', dict(task_head=False)),
        ('mow_no_balance', dict(balance=False)),
        ('mow_plain_sum', dict(weighting='sum')),
        ('mow_no_clustering', dict(clusters=1)),
        ('mow_vae_per_task', dict(clustering='task')),
        ('mow_router_none', dict(router_gradient='none')),
        ('mow_random_clusters', dict(clustering='random')),
        ('mow_group_norm', dict(norm={nn.GroupNorm})),
    ]
)
def test_a_method_only_differs_from_mow_in_what_its_name_says(method, changed):
    mow = parts('mow')
    assert mow == dict(
        clusters=2, experts=3, router=True, shared=True, task_head=True, embedding=True, weighting='harmonious',
        balance=True, norm={nn.BatchNorm2d}, router_gradient='straight_through', clustering='order'
    )
    assert parts(method) == {**mow, **changed}
    assert any(mow[key] != value for key, value in changed.items())


@pytest.mark.unittest
def test_a_method_stands_between_preset_and_overrides():
    assert config_of('storm', preset='paper')['policy']['model']['num_experts'] == 0
    config = config_of('storm', layers=[{'policy': {'balance_weight': 0.5}}], overrides=['policy.task_weighting=sum'])
    assert config['policy']['balance_weight'] == 0.5
    assert config['exp_name'] == 'data_mow/storm_laptop_seed0'
    assert config_of('mow')['exp_name'] == 'data_mow/laptop_seed0'
    assert config_of('mow', 'minatar')['exp_name'] == 'data_mow/minatar_laptop_seed0'


@pytest.mark.unittest
@pytest.mark.parametrize(
    'arguments, message', [
        (dict(method='strom'), "unknown method 'strom': did you mean 'storm'"),
        (dict(suite='minatr'), "unknown suite 'minatr': did you mean 'minatar'"),
        (dict(method='storm', games=GAMES), 'one model per task, and this run has 3 tasks: name one with --games'),
        (dict(overrides=['method=storm']), 'method follows from --method'),
    ]
)
def test_mistakes_are_one_line(arguments, message):
    with pytest.raises(ValueError, match=message) as raised:
        validate(build_config('debug', **arguments))
    assert '\n' not in str(raised.value)


@pytest.mark.unittest
def test_no_method_changes_what_every_method_shares():
    shared = {
        'max_env_step', 'policy.replay_ratio', 'policy.warmup_steps', 'policy.batch_size', 'policy.batch_length',
        'policy.imagine_batch_size', 'policy.learning_rate', 'policy.train_start_after_envsteps'
    }
    for method in method_names():
        keys = set(leaves(method_layer(method)))
        assert not keys & shared and not any(key.startswith(('env.', 'create.')) for key in keys), method


@pytest.mark.unittest
def test_the_method_reaches_the_results_and_a_resumed_run_keeps_it(tmp_path):
    run_dir = tmp_path / 'run'
    layer = method_layer('storm_multitask')
    config = dict(tiny_config(run_dir, env=dict(evaluator_env_num=1), **layer), method='storm_multitask')
    train(config, max_env_step=60)
    record = read_run_record(str(run_dir))
    saved = yaml.safe_load((run_dir / 'total_config.yaml').read_text())
    assert record.method == saved['method'] == 'storm_multitask'
    assert (record.env_step, record.tasks, record.seed) == (60, ['Direct', 'Shifted'], 0)
    assert record.updates == load(run_dir)['train_iter'] > 0
    assert record.model_bytes > 4000 and record.peak_memory_bytes > 2 ** 26
    assert 0 < record.cpu_seconds and 0 < record.wall_seconds

    parser = config_parser('x', '', argv=[])
    parser.add_argument('--resume')
    arguments = parse(parser, ['--resume', str(run_dir), '--max-env-step', '96'])
    resumed = resumed_config(arguments)
    kept = load(run_dir)['ranks'][0]['cost']
    train(resumed, resume=str(run_dir))
    assert set(read_results(str(run_dir / 'results.csv')).method) == {'storm_multitask'}
    longer = read_run_record(str(run_dir))
    assert longer.env_step == 96 and longer.updates == load(run_dir)['train_iter'] > record.updates
    # Both runs together, but for what came after the first one's last checkpoint.
    assert longer.cpu_seconds > kept['cpu'] and longer.wall_seconds > kept['wall'] > 0
    with pytest.raises(ValueError, match='--method cannot go with --resume'):
        resumed_config(parse(parser, ['--resume', str(run_dir), '--method', 'mow']))


@pytest.mark.unittest
def test_another_policy_keeps_its_name(tmp_path):
    main_config, create_config = lightzero_configs(tiny_config(tmp_path))
    from lzero_mow.entry.run.run_config import resolve
    assert resolve(main_config, create_config, 0, 96)['method'] == 'mow'
    del main_config['method']
    assert resolve(main_config, create_config, 0, 96)['method'] == 'mow', 'configs written by hand have none'


@pytest.mark.unittest
def test_a_pair_may_start_from_the_policys_default_config(tmp_path):
    from lzero_mow.entry.run.run_config import resolve
    from lzero_mow.policy.mow import MoWPolicy
    main_config, create_config = lightzero_configs(tiny_config(tmp_path))
    main_config.policy = MoWPolicy.default_config()
    main_config.policy.update(batch_size=4, imagine_batch_size=4, warmup_steps=1)
    main_config.policy.model.num_clusters = 2
    policy = resolve(main_config, create_config, 0, 2000)['policy']
    assert policy['batch_size'] == 4 and policy['tasks'] == ['Direct', 'Shifted'] and policy['model']['num_tasks'] == 2


@pytest.mark.unittest
def test_a_tasks_episodes_do_not_depend_on_the_other_tasks(tmp_path):
    from lzero_mow.entry.run.run_config import compile_run, resolve
    from lzero_mow.entry.run.workers import COLLECTING, EVALUATING, build_workers, env_seeds
    seen = {}
    for tasks in (['Direct', 'Shifted'], ['Shifted']):
        model = {} if len(tasks) > 1 else dict(num_clusters=1)
        config = tiny_config(tmp_path, tasks=tasks, policy=dict(model=model))
        cfg = compile_run(resolve(*lightzero_configs(config), 0, 96))
        workers = build_workers(cfg, config['create'], str(tmp_path))
        observations = workers.evaluator._env.ready_obs
        seen[len(tasks)] = [observations[i]['observation'] for i in sorted(observations)][-2:]
        workers.close()
    assert all((one == other).all() for one, other in zip(seen[1], seen[2]))
    assert (seen[1][0] != seen[1][1]).any()

    both, alone = env_seeds(3, EVALUATING, ['a', 'a', 'b', 'b']), env_seeds(3, EVALUATING, ['b', 'b'])
    assert both[2:] == alone and len(set(both)) == 4
    assert not set(both) & {*env_seeds(4, EVALUATING, ['a', 'a', 'b', 'b']), *env_seeds(3, COLLECTING, ['a'] * 2)}


@pytest.mark.unittest
@pytest.mark.parametrize('rule', ['task', 'groups.yaml', 'auto', 'gradient', 'random'])
@pytest.mark.parametrize('method', ['mow_no_clustering', 'storm_multitask'])
def test_one_module_set_stays_one_whatever_the_rule(method, rule, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'groups.yaml').write_text(yaml.safe_dump(dict(red=0, green=1, blue=1)))
    policy = tiny_policy(clustering=rule, warmup_steps=1, **method_layer(method)['policy'])
    policy.learn_mode.forward(training_data())
    assert policy.group_tasks(random_batch((0, 0, 1, 1, 2, 2), 8) for _ in range(2))['clusters'] == [0, 0, 0]
    assert policy._model.world_model.num_clusters == 1


@pytest.mark.unittest
@pytest.mark.parametrize('method', [name for name in METHODS if name != 'storm'])
def test_every_method_learns_and_groups(method):
    layer = method_layer(method).get('policy', {})
    policy = tiny_policy(**{'clustering': 'gradient', 'warmup_steps': 1, **layer})
    before = {name: value.clone() for name, value in policy._model.named_parameters()}
    policy.learn_mode.forward(training_data())
    policy.check_finite()
    changed = {name.split('.')[1] for name, value in policy._model.named_parameters() if not value.equal(before[name])}
    assert {'vae', 'actor', 'critic'} <= changed
    clusters = policy.group_tasks(random_batch((0, 0, 1, 1, 2, 2), 8) for _ in range(2))['clusters']
    single = layer.get('model', {}).get('num_clusters') == 1
    assert len(set(clusters)) == (1 if single else 3 if method == 'mow_vae_per_task' else 2)
    policy.learn_mode.forward(training_data())
    policy.check_finite()


@pytest.mark.unittest
@pytest.mark.parametrize(
    'method, argument', [
        ('mow_no_clustering', '--clusters=4'),
        ('mow_vae_per_task', '--clusters=2'),
        ('mow_random_clusters', '--clusters=auto'),
        ('storm_multitask', 'policy.model.num_experts=2'),
    ]
)
def test_what_makes_a_method_cannot_be_changed_beside_its_name(method, argument):
    parser = config_parser('x', '', argv=[])
    arguments = parse(parser, ['--preset', 'laptop', '--games', *GAMES, '--method', method, argument])
    with pytest.raises(ValueError, match=f"is what makes the method '{method}'"):
        new_config(arguments, {})
