"""A loss from its terms and their weights."""
from typing import Dict, Mapping, Union

from torch import Tensor


def weighted_sum(terms: Dict[str, Tensor], weights: Mapping[str, Union[float, Tensor]]) -> Tensor:
    """Add up weight * term. ValueError unless every term has a weight and every weight a term: none is forgotten."""
    if terms.keys() != weights.keys():
        unweighted, missing = sorted(terms.keys() - weights.keys()), sorted(weights.keys() - terms.keys())
        raise ValueError(
            f'a loss needs one weight for each of its terms: no weight for {unweighted}, no term for {missing}'
        )
    return sum(weights[name] * term for name, term in terms.items())


def with_entropy_bonus(terms: Dict[str, Tensor], weights: Mapping[str, Union[float, Tensor]]) -> Tensor:
    """``weighted_sum``, but the term 'entropy' is a bonus: it is subtracted."""
    return weighted_sum({**terms, 'entropy': -terms['entropy']}, weights)
