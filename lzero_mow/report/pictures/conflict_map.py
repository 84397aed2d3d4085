"""The picture of gradient conflict: for each shared part, the cosine between every two tasks' gradients."""
from typing import Dict, Sequence

import numpy as np
from matplotlib.figure import Figure

from lzero_mow.utils.files import replacing


def write_conflict_map(path: str, matrices: Dict[str, np.ndarray], tasks: Sequence[str], env_step: int) -> None:
    """
    Draw the (K, K) cosines of each shared part as PNG: blue where two tasks pull the same way, red where they pull
    apart, white for NaN. They were measured at ``env_step``.
    """
    K = len(tasks)
    figure = Figure(figsize=(1.5 + len(matrices) * (1.6 + 0.34 * K), 1.8 + 0.34 * K), layout='constrained')
    panels = figure.subplots(1, len(matrices), squeeze=False)[0]
    for i, (axes, (part, cosine)) in enumerate(zip(panels, matrices.items())):
        image = axes.imshow(cosine, cmap='RdBu', vmin=-1, vmax=1)
        axes.set_xticks(range(K), tasks, rotation=90)
        axes.set_yticks(range(K), tasks if i == 0 else [])
        axes.set_title(part)
    figure.colorbar(image, ax=panels, label='cosine', shrink=0.8)
    figure.suptitle(f'Gradients of the tasks at step {env_step:,}')
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
