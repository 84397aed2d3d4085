"""A loss from its terms and their weights."""
from typing import Dict, Mapping, Union

from torch import Tensor


def weighted_sum(terms: Dict[str, Tensor], weights: Mapping[str, Union[float, Tensor]]) -> Tensor:
    """
    Overview:
        Add up weight * term. Every term needs a weight and every weight a term, so that none is forgotten.
    Arguments:
        - terms (:obj:`dict`): Name -> losses, all of one shape.
        - weights (:obj:`Mapping`): Name -> weight, such as `policy.loss_weights` of the configuration.
    Raises:
        - ValueError: that names the terms without a weight and the weights without a term.
    """
    if terms.keys() != weights.keys():
        raise ValueError(
            'a loss needs one weight for each of its terms: '
            f'no weight for {sorted(terms.keys() - weights.keys())}, no term for {sorted(weights.keys() - terms.keys())}'
        )
    return sum(weights[name] * term for name, term in terms.items())
