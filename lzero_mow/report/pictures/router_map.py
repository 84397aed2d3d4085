"""The router's heat map: which task uses which expert, and how strongly."""
from typing import Sequence

import numpy as np
from matplotlib.figure import Figure

from lzero_mow.utils.files import replacing


def write_router_map(path: str, weights: np.ndarray, tasks: Sequence[str]) -> None:
    """Draw the router's weights (K, N_e) as PNG. Zeros, experts a task does not use, stay white."""
    K, n_experts = weights.shape
    if K != len(tasks):
        raise ValueError(f'router weights have {K} rows for {len(tasks)} tasks')
    figure = Figure(figsize=(3.0 + 0.45 * n_experts, 1.5 + 0.32 * K), layout='constrained')
    axes = figure.add_subplot()
    image = axes.imshow(np.ma.masked_equal(weights, 0), cmap='viridis_r', aspect='auto', vmin=0)
    axes.set_xticks(range(n_experts), range(n_experts))
    axes.set_yticks(range(K), tasks)
    axes.set_xlabel('expert')
    axes.set_title('Router weights')
    axes.set_xticks(np.arange(-0.5, n_experts), minor=True)
    axes.set_yticks(np.arange(-0.5, K), minor=True)
    axes.grid(which='minor', color='lightgrey', linewidth=0.5)
    axes.tick_params(which='minor', length=0)
    figure.colorbar(image, ax=axes, label='weight', shrink=0.8)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
