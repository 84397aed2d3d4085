"""Which parameters train in which stage (ScaleZero section 4.3), and a model to act with."""
import copy
from typing import Iterator, Tuple

from torch import nn

from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel
from lzero_mow.model.scalezero.staged_linear import StagedLinear


def enter_stage(model: ScaleZeroModel, stage: int, adapters_learn: bool = True) -> None:
    """
    Stage 0 trains everything except adapters and scales. From stage 1 on, parts with adapters only train the newest
    adapter and the scales in use, and not even those without ``adapters_learn``: in LightZero no optimizer has them.
    All else in such parts stays the same bit for bit: weights, biases, older adapters, norms, routers, shared experts
    and positions. Parts without adapters (heads, action embedding, the norm of the latents, an encoder without
    adapters) train in every stage. ValueError if the model has no such stage.
    """
    for name, parameter, learns in _trainable(model, stage):
        learns = learns and (adapters_learn or '.adapters.' not in name and '.scales.' not in name)
        parameter.requires_grad_(learns)
        if not learns:
            parameter.grad = None
    set_stage(model, stage)


def set_stage(model: ScaleZeroModel, stage: int) -> None:
    """Use the adapters up to a stage, whatever trains; ValueError if the model has no such stage."""
    for layer in _staged(model):
        layer.set_stage(stage)


def merged_copy(model: ScaleZeroModel) -> ScaleZeroModel:
    """A copy to act with, whose adapters are merged into the weights: as fast as a model without adapters."""
    model = copy.deepcopy(model).eval()
    for layer in _staged(model):
        layer.fold()
    return model


def _staged(module: nn.Module) -> Iterator[StagedLinear]:
    return (layer for layer in module.modules() if isinstance(layer, StagedLinear) and layer.adapters)


def _trainable(model: ScaleZeroModel, stage: int) -> Iterator[Tuple[str, nn.Parameter, bool]]:
    """Every parameter with its name and whether it trains in a stage."""
    for part in model.children():
        added = {id(p) for layer in _staged(part) for p in (*layer.adapters.parameters(), *layer.scales)}
        newest = {
            id(p) for layer in _staged(part) if 0 < stage <= len(layer.adapters)
            for p in (*layer.adapters[stage - 1].parameters(), *layer.scales[:stage + 1])
        }
        for name, parameter in part.named_parameters():
            base_is_frozen = bool(added) and stage > 0
            yield name, parameter, id(parameter) in newest if base_is_frozen else id(parameter) not in added
