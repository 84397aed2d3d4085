"""What LightZero's collectors and evaluators ask of a policy, and its decisions in the form that they read."""
import math
from typing import Dict, List, NamedTuple, Sequence

import numpy as np
import torch
from torch import Tensor


class ReadyEnvs(NamedTuple):
    """R environments, of any tasks, that wait for an action."""
    obs: Tensor  # (R, C, H, W) uint8
    legal: np.ndarray  # (R, A) bool, the legal actions
    env_ids: List[int]
    tasks: List[int]
    timestep: Sequence[int]  # passed through to the workers


def worker_output(
        ready: ReadyEnvs, action: Tensor, searched_value: Tensor, predicted_value: Tensor, probs: Tensor,
        logits: Tensor, entropy: Tensor
) -> Dict[int, Dict]:
    """
    Overview:
        The decisions for R environments, in one copy to the host.
    Arguments:
        - action (:obj:`Tensor`): (R,) int64, or (R, A) float.
        - searched_value (:obj:`Tensor`), predicted_value (:obj:`Tensor`): (R,) each.
        - probs (:obj:`Tensor`): (R, A) by which actions were chosen, or the shares of a search's visits.
        - logits (:obj:`Tensor`): (R, A) of the policy; entropy (:obj:`Tensor`): (R,), in nats.
    Returns:
        - output (:obj:`dict`): By env id.
    """
    bits = entropy / math.log(2)  # as LightZero's select_action
    numbers = torch.stack([searched_value, predicted_value, bits], -1)
    parts = [numbers, probs, logits, action.float().reshape(len(action), -1)]
    columns = torch.cat(parts, -1).cpu().numpy()
    to_probs, to_logits, to_action = np.cumsum([part.shape[-1] for part in parts[:3]])
    as_played = (lambda numbers: int(numbers[0])) if action.dim() == 1 else np.copy
    return {
        env_id: dict(
            action=as_played(row[to_action:]), searched_value=float(row[0]), predicted_value=float(row[1]),
            visit_count_distribution_entropy=float(row[2]), visit_count_distributions=row[to_probs:to_logits].tolist(),
            predicted_policy_logits=row[to_logits:to_action].tolist(), timestep=int(step)
        )
        for env_id, row, step in zip(ready.env_ids, columns, ready.timestep)
    }
