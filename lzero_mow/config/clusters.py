"""Cluster i_k of every task where no gradient is needed: rules, and the YAML file {task: cluster}. Light: no torch."""
import math
import os
from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy as np
import yaml

# Rules that look at gradients, and those that do not; anything else is the name of a file.
BY_GRADIENT = ('gradient', 'auto')
RULES = (*BY_GRADIENT, 'random', 'task', 'order')


def canonical(labels: Sequence[Any]) -> List[int]:
    """Clusters 0, 1, ... in the order in which tasks first name them."""
    names = list(dict.fromkeys(labels))
    return [names.index(label) for label in labels]


def assign(rule: str, tasks: Sequence[str], num_clusters: int, seed: int) -> List[int]:
    """
    Clusters i_k by a rule that needs no gradient, canonical. 'random': groups of about equal size, drawn; 'task': one
    per task; 'order': the tasks shared out evenly as they come; otherwise a file, see ``read_assignment``. With
    ``num_clusters`` 1 there is one cluster, whatever the rule.
    """
    K = len(tasks)
    if num_clusters == 1:
        return [0] * K
    if rule == 'task':
        return list(range(K))
    if rule not in RULES:
        return read_assignment(rule, tasks)
    shares = [k * num_clusters // K for k in range(K)]
    return canonical(np.random.default_rng(seed).permutation(shares).tolist() if rule == 'random' else shares)


def read_assignment(source: str, tasks: Sequence[str]) -> List[int]:
    """
    Clusters of the tasks from a YAML file ``{task: cluster}``, or from its text; clusters may be numbers or names.
    ValueError in one line if there is no such file, a task is missing, or an unknown one is named.
    """
    if not is_assignment(source) and not os.path.isfile(source):
        raise ValueError(f"policy.clustering is '{source}': no file, and none of {', '.join(RULES)}")
    try:
        clusters = yaml.safe_load(source if is_assignment(source) else Path(source).read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read {source}: {' '.join(str(error).split())}") from error
    if not isinstance(clusters, dict) or not all(isinstance(label, (int, str)) for label in clusters.values()):
        raise ValueError(f'{source} must have a line for each task, such as "{tasks[0]}: 0"')
    for task in clusters:
        if task not in tasks:
            raise ValueError(f"{source} assigns '{task}', which is none of the run's tasks: {', '.join(tasks)}")
    missing = [task for task in tasks if task not in clusters]
    if missing:
        raise ValueError(f'{source} has no cluster for {", ".join(missing)}: add a line "{missing[0]}: CLUSTER"')
    return canonical([clusters[task] for task in tasks])


def is_assignment(rule: str) -> bool:
    """Whether a rule is an assignment itself, the content of a file."""
    return rule.startswith('{')


def inlined(rule: str, tasks: Sequence[str]) -> str:
    """
    The content of an assignment file in place of its name, so that a run keeps what it began with whatever becomes of
    the file; any other rule, and a file that does not fit, stay as they are.
    """
    if rule in RULES or is_assignment(rule):
        return rule
    try:
        clusters = read_assignment(rule, tasks)
    except ValueError:
        return rule
    return yaml.safe_dump(by_name(tasks, clusters), default_flow_style=True, sort_keys=False, width=math.inf).strip()


def by_name(tasks: Sequence[str], clusters: Sequence[int]) -> Dict[str, int]:
    """The content of an assignment file."""
    return dict(zip(tasks, clusters))


def check_clustering(policy: dict, tasks: Sequence[str]) -> None:
    """Check the keys of a policy that decide on clusters; ValueError in one line for what cannot work."""
    rule, steps, K = policy['clustering'], policy['warmup_steps'], len(tasks)
    num_clusters = policy['model']['num_clusters']
    if policy['model']['cluster_of_task'] is not None:
        raise ValueError('policy.model.cluster_of_task follows from policy.clustering: set that to a YAML file')
    if num_clusters > K:
        raise ValueError(f'policy.model.num_clusters is {num_clusters}, more than there are tasks: set at most {K}')
    if num_clusters == 1 and (rule in RULES or is_assignment(rule) or os.path.isfile(rule)):
        return
    if rule == 'auto' and K < 3:
        raise ValueError(f"policy.clustering is 'auto' with {K} tasks: a number can be chosen from 3 tasks on")
    if rule in BY_GRADIENT and steps == 0:
        raise ValueError(
            f"policy.clustering is '{rule}' but policy.warmup_steps is 0: gradients say something after some updates "
            'only; set policy.warmup_steps, or policy.clustering=order'
        )
    if rule not in RULES:
        read_assignment(rule, tasks)
