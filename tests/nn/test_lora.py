"""Small matrices beside weights that stay: the formula, and peft on the other side."""

import copy

import pytest
import torch
from tests.fakes import built, draw, tiny_unet
from torch import Tensor, nn

from unclip.core.condition import Condition
from unclip.nn.backbones.dit import DiTConfig
from unclip.nn.backbones.unet import UNet
from unclip.nn.lora import adapt, is_small, layers_of, merged, small_of

RANK = 4


def network() -> UNet:
    return built(lambda: UNet(tiny_unet()))


def called(module: nn.Module) -> Tensor:
    with torch.no_grad():
        return module(draw(2, 3, 16, 16), torch.tensor([-2.0, 3.0]), Condition())


def learned(module: nn.Module) -> nn.Module:
    """With numbers in the half that starts at zero, and in all other weights that do."""
    for i, (_, p) in enumerate(module.named_parameters()):
        if not p.detach().any():
            p.data = 0.3 * draw(*p.shape, key=i)
    return module


def test_at_the_start_nothing_changes_and_only_the_small_ones_are_trained() -> None:
    module, plain = network(), network()
    layers = adapt(module, RANK)
    assert torch.equal(called(module), called(plain))
    for name, p in module.named_parameters():
        assert p.requires_grad == is_small(name)
    assert layers and layers == layers_of(small_of(module.state_dict()))
    kept = {k: v for k, v in module.state_dict().items() if not is_small(k)}
    assert (
        all(torch.equal(v, kept[k]) for k, v in plain.state_dict().items()) and kept.keys() == plain.state_dict().keys()
    )


@pytest.mark.parametrize("make", [network, lambda: built(DiTConfig(patch=4, width=16, layers=2, heads=2).build)])
def test_merged_is_unmerged(make) -> None:
    module, plain = make(), make()
    adapt(module, RANK)
    learned(module)
    state = module.state_dict()
    plain.load_state_dict(merged(state, small_of(state)))
    assert (called(module) - called(plain)).abs().max() < 1e-5 * called(plain).abs().max()
    plain.load_state_dict(merged(state, small_of(state), 0.0))
    base = make()
    base.load_state_dict({k: v for k, v in state.items() if not is_small(k)})
    assert torch.equal(called(plain), called(base))
    assert (called(module) - called(base)).abs().max() > 0.01
    assert torch.equal(called(copy.deepcopy(module)), called(module))


def test_every_pair_has_a_gradient() -> None:
    """So no layer's small matrices are passed by."""
    module = network()
    adapt(module, RANK)
    learned(module)
    out = module(draw(2, 3, 16, 16), torch.tensor([-2.0, 3.0]), Condition())
    out.square().sum().backward()
    for name, p in module.named_parameters():
        assert not p.requires_grad or (p.grad is not None and bool(p.grad.any())), name


def test_the_formula_on_a_layer() -> None:
    layer = nn.Sequential(nn.Linear(8, 6))
    adapt(layer, 2)
    learned(layer)
    a, b = layer[0].lora_A.weight, layer[0].lora_B.weight
    x = draw(5, 8)
    expected = x @ layer[0].weight.T + layer[0].bias + x @ a.T @ b.T
    assert (layer(x) - expected).abs().max() < 1e-6
    found = merged(layer.state_dict(), small_of(layer.state_dict()), 0.5)
    assert (found["0.weight"] - layer[0].weight - 0.5 * b @ a).abs().max() < 1e-6


def test_what_is_not_trained_gets_none() -> None:
    """A frozen layer, and one whose weight is a buffer, as in the autoencoder that a decoder of codes holds."""
    layers = nn.Sequential(nn.Linear(8, 6), nn.Linear(6, 8).requires_grad_(False), nn.Linear(8, 6))
    weight = layers[2].weight.detach()
    del layers[2].weight
    layers[2].register_buffer("weight", weight)
    assert adapt(layers, 2) == ["0"]


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="lora = 999: no layer of the network"):
        adapt(network(), 999)
    layer = nn.Sequential(nn.Linear(8, 6))
    adapt(layer, 2)
    small = small_of(layer.state_dict())
    with pytest.raises(ValueError, match=r"0: small matrices for a weight of \(6, 8\), and the model has \(6, 9\)"):
        merged({"0.weight": torch.zeros(6, 9)}, small)
    with pytest.raises(ValueError, match="the model has none"):
        merged({"1.weight": torch.zeros(6, 8)}, small)
    with pytest.raises(ValueError, match="come in pairs"):
        merged({"0.weight": torch.zeros(6, 8)}, {k: v for k, v in small.items() if "lora_A" in k})
