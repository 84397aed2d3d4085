"""What LightZero's collectors and evaluators read of a decision."""
import math
from typing import Dict, List, Sequence

import torch
from torch import Tensor


def worker_output(
        env_ids: List[int], timestep: Sequence[int], action: Tensor, searched_value: Tensor, predicted_value: Tensor,
        probs: Tensor, logits: Tensor
) -> Dict[int, Dict]:
    """
    Overview:
        The decisions for R environments, in one copy to the host.
    Arguments:
        - env_ids (:obj:`list`), timestep (:obj:`Sequence`): R each; the latter is handed through.
        - action (:obj:`Tensor`), searched_value (:obj:`Tensor`), predicted_value (:obj:`Tensor`): (R,) each.
        - probs (:obj:`Tensor`): (R, A) what actions were chosen by, or what search says of them.
        - logits (:obj:`Tensor`): (R, A) of the policy.
    Returns:
        - output (:obj:`dict`): By env id.
    """
    entropy = torch.special.entr(probs).sum(-1) / math.log(2)  # bits, as LightZero's select_action
    numbers = torch.stack([action.float(), searched_value, predicted_value, entropy], -1)
    columns = torch.cat([numbers, probs, logits], -1).cpu().numpy()
    split = 4 + probs.shape[-1]
    return {
        env_id: dict(
            action=int(row[0]),
            searched_value=float(row[1]),
            predicted_value=float(row[2]),
            visit_count_distribution_entropy=float(row[3]),
            visit_count_distributions=row[4:split].tolist(),
            predicted_policy_logits=row[split:].tolist(),
            timestep=int(step),
        )
        for env_id, row, step in zip(env_ids, columns, timestep)
    }
