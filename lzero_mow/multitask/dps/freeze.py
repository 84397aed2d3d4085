"""Which tensors learn in which stage (ScaleZero section 4.3), and a model to act with."""
import copy
from typing import Iterator, Tuple

from torch import nn

from lzero_mow.model.scalezero.scalezero_model import ScaleZeroModel
from lzero_mow.model.scalezero.staged_linear import StagedLinear


def enter_stage(model: ScaleZeroModel, stage: int, adapters_learn: bool = True) -> None:
    """
    Overview:
        Stage 0 trains everything but adapters and scales. From stage 1 on, of the parts that have adapters only the
        newest adapter and all scales in use train; what was learned before stays as it is, bit by bit: weights,
        biases, older adapters, and also norms, routers, shared experts and positions beside them. Parts without
        adapters (heads, action embedding, the latents' norm, an encoder without) train in every stage.
    Arguments:
        - adapters_learn (:obj:`bool`): Whether adapters and scales train at all; in LightZero they are in no optimizer.
    Raises:
        - ValueError: Where the model has no such stage.
    """
    for name, parameter, learns in _learning(model, stage):
        learns = learns and (adapters_learn or '.adapters.' not in name and '.scales.' not in name)
        parameter.requires_grad_(learns)
        if not learns:
            parameter.grad = None
    set_stage(model, stage)


def set_stage(model: ScaleZeroModel, stage: int) -> None:
    """
    Overview:
        Use the adapters of a stage, whatever learns.
    Raises:
        - ValueError: Where the model has no such stage.
    """
    for layer in _staged(model):
        layer.set_stage(stage)


def folded(model: ScaleZeroModel) -> ScaleZeroModel:
    """A copy to act with: adapters are folded into the weights, so that it is as fast as before the first of them."""
    model = copy.deepcopy(model).eval()
    for layer in _staged(model):
        layer.fold()
    return model


def _staged(module: nn.Module) -> Iterator[StagedLinear]:
    return (layer for layer in module.modules() if isinstance(layer, StagedLinear) and layer.adapters)


def _learning(model: ScaleZeroModel, stage: int) -> Iterator[Tuple[str, nn.Parameter, bool]]:
    """Every parameter's name, itself, and whether it learns."""
    for part in model.children():
        grown = {id(p) for layer in _staged(part) for p in (*layer.adapters.parameters(), *layer.scales)}
        newest = {
            id(p) for layer in _staged(part) if 0 < stage <= len(layer.adapters)
            for p in (*layer.adapters[stage - 1].parameters(), *layer.scales[:stage + 1])
        }
        for name, parameter in part.named_parameters():
            frozen_before = bool(grown) and stage > 0
            yield name, parameter, id(parameter) in newest if frozen_before else id(parameter) not in grown
