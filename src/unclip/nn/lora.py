"""LoRA: small matrices beside weights that stay as they are (Hu et al. 2021).

    y = W x + B A x,    A [r, in], B [out, r], B = 0 at the start

of each linear layer, and of each convolution (A has its kernel, B is 1 x 1), with more than r inputs and outputs. Names
are peft's: a layer `x` gains `x.lora_A.weight` and `x.lora_B.weight`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

A, B = "lora_A", "lora_B"


def adapt(module: nn.Module, rank: int) -> list[str]:
    """Freezes a module's weights and lays small matrices beside its layers; returns the names of those layers.

    Draws from torch's generator, as every new layer does.

    Args:
        module: changed in place; its weights keep their names.
        rank: r.

    Raises:
        ValueError: where no layer has more than `rank` inputs and outputs.
    """
    chosen = {name: part for name, part in module.named_modules() if _fits(part, rank)}
    if not chosen:
        raise ValueError(f"lora = {rank}: no layer of the network has more than {rank} inputs and outputs; take less")
    module.requires_grad_(False)
    for part in chosen.values():
        _lay_beside(part, rank)
    return list(chosen)


def _fits(part: nn.Module, rank: int) -> bool:
    """Whether a layer is trained (a frozen autoencoder's weights are not, or are no parameters) and wide enough."""
    weight = dict(part.named_parameters(recurse=False)).get("weight")
    if weight is None or not weight.requires_grad:
        return False
    if isinstance(part, nn.Linear):
        return min(part.in_features, part.out_features) > rank
    return isinstance(part, nn.Conv2d) and part.groups == 1 and min(part.in_channels, part.out_channels) > rank


def _lay_beside(part: nn.Module, rank: int) -> None:
    if isinstance(part, nn.Conv2d):
        of = ("kernel_size", "stride", "padding", "dilation", "padding_mode")
        same: dict[str, Any] = {name: getattr(part, name) for name in of}
        first: nn.Module = nn.Conv2d(part.in_channels, rank, bias=False, **same)
        second: nn.Module = nn.Conv2d(rank, part.out_channels, 1, bias=False)
    else:
        assert isinstance(part, nn.Linear)
        first = nn.Linear(part.in_features, rank, bias=False)
        second = nn.Linear(rank, part.out_features, bias=False)
    nn.init.zeros_(second.get_parameter("weight"))
    device = part.get_parameter("weight").device
    part.add_module(A, first.to(device))
    part.add_module(B, second.to(device))
    part.register_forward_hook(_beside)


def _beside(part: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> Tensor:
    return out + part.get_submodule(B)(part.get_submodule(A)(given[0]))


def is_small(name: str) -> bool:
    """Whether a weight of this name is one of the small ones."""
    return {A, B} & set(name.split(".")) != set()


def small_of(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The small matrices among these weights."""
    return {name: value for name, value in weights.items() if is_small(name)}


def layers_of(small: Mapping[str, Tensor]) -> list[str]:
    """The layers that these small matrices stand beside."""
    return [name.removesuffix(f".{A}.weight") for name in small if name.endswith(f".{A}.weight")]


def merged(weights: Mapping[str, Tensor], small: Mapping[str, Tensor], scale: float = 1.0) -> dict[str, Tensor]:
    """W + scale B A for each layer that has small matrices, and all other weights as they are.

    Raises ValueError that names the first layer which is not there, or has another shape.
    """
    found = {name: value for name, value in weights.items() if not is_small(name)}
    for layer, product in _products(small):
        name = f"{layer}.weight"
        if name not in found or found[name].shape != product.shape:
            has = tuple(found[name].shape) if name in found else "none"
            raise ValueError(f"{layer}: small matrices for a weight of {tuple(product.shape)}, and the model has {has}")
        found[name] = (found[name].double() + scale * product).to(found[name].dtype)
    return found


def _products(small: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """(layer, B A), in float64. Raises ValueError for a matrix without its other half."""
    layers = layers_of(small)
    known = {f"{layer}.{half}.weight" for layer in layers for half in (A, B)}
    if odd := sorted(known ^ set(small)):
        raise ValueError(f"{odd[0]}: small matrices come in pairs, {A} and {B} of a layer, and this one has no other")
    for layer in layers:
        first, second = (small[f"{layer}.{half}.weight"].double() for half in (A, B))
        if first.shape[0] != second.shape[1] or first.ndim != second.ndim:
            raise ValueError(f"{layer}: {tuple(first.shape)} and {tuple(second.shape)} are no pair of small matrices")
        wide = torch.einsum("or,r...->o...", second.flatten(1), first)
        yield layer, wide
