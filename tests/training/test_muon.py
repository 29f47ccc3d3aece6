"""Muon: its steps against the singular value decomposition, whom it trains, and that a run with it resumes."""

import pytest
import torch
from tests.fakes import built
from torch import nn

from unclip.training.muon import Muon, orthogonalized
from unclip.training.optim import OptimConfig, hidden_matrices, optimizers


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 24, 200), (1, 128, 1152)])
def test_singular_values_become_about_one_and_the_directions_stay(shape: tuple[int, int, int]):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, s, vh = torch.linalg.svd(x.double(), full_matrices=False)
    gains = torch.diagonal(u.mT @ orthogonalized(x).double() @ vh.mT, dim1=-2, dim2=-1)
    seen = s / x.flatten(1).norm(dim=1)[:, None] > 0.005
    assert gains[seen].min() > 0.6 and gains[seen].max() < 1.2
    rest = orthogonalized(x).double() - (u * gains[:, None]) @ vh
    assert rest.abs().max() < 1e-3


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_the_step_does_not_depend_on_the_gradients_size(size: float):
    x = torch.randn(2, 8, 32, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(orthogonalized(size * x), orthogonalized(x), atol=0.02, rtol=0.02)


@pytest.mark.parametrize("layer", [nn.Linear(64, 16), nn.Linear(16, 64), nn.Conv2d(8, 32, 3)])
def test_a_step_is_as_large_as_adamws(layer: nn.Linear | nn.Conv2d):
    before = layer.weight.detach().clone()
    layer.weight.grad = torch.randn_like(before)
    Muon([layer.weight], lr=0.01, decay=0.0).step()
    assert 0.1 < (layer.weight - before).square().mean().sqrt().item() / 0.01 < 0.25


def test_decay_shrinks_what_has_no_gradient_direction():
    weight = nn.Parameter(torch.ones(4, 4))
    weight.grad = torch.zeros(4, 4)
    Muon([weight], lr=0.1, decay=0.5).step()
    torch.testing.assert_close(weight.detach(), torch.full((4, 4), 0.95))


class Net(nn.Module):
    """A table, a first layer, two repeated layers with gains, a last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.first = nn.Embedding(5, 8), nn.Linear(8, 8)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8)) for _ in range(2))
        self.out = nn.Linear(8, 3)


def test_only_the_repeated_layers_matrices_are_orthogonalised():
    net = built(Net)
    assert {id(p) for p in hidden_matrices(net)} == {id(net.get_parameter(f"blocks.{i}.0.weight")) for i in (0, 1)}
    adamw, muon = optimizers(net, OptimConfig(lr=1e-3, muon_lr=2e-3))
    both = [p for o in (adamw, muon) for g in o.param_groups for p in g["params"]]
    assert len(both) == len({id(p) for p in both}) == len(list(net.parameters()))
    assert [g["peak"] for o in (adamw, muon) for g in o.param_groups] == [1e-3, 1e-3, 2e-3]


@pytest.mark.parametrize(("momentum", "same"), [(0.0, True), (0.95, False)])
def test_without_momentum_a_step_knows_nothing_of_those_before(momentum: float, same: bool):
    def second(first: float) -> torch.Tensor:
        """The second step, after a first along another gradient."""
        net = built(lambda: nn.ModuleList([nn.Linear(4, 4, bias=False)]))
        _, muon = optimizers(net, OptimConfig(muon_lr=0.1, decay=0.0, muon_momentum=momentum))
        weight = net.get_parameter("0.weight")
        for gradient in (first * torch.eye(4), torch.diag(torch.tensor([1.0, -1, 1, -1]))):
            weight.grad, before = gradient, weight.detach().clone()
            muon.step()
        return weight.detach() - before

    assert torch.allclose(second(3.0), second(-3.0), atol=1e-6) == same


def test_without_a_rate_there_is_no_muon():
    assert len(optimizers(built(Net), OptimConfig())) == 1


def test_it_learns_an_ill_conditioned_map_faster_than_adamw():
    """Least squares with input scales over three decades, a hundred steps: the weak directions are what is left."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(256, 16, generator=generator) * torch.logspace(0, -3, 16)
    target = torch.randn(16, 16, generator=generator) @ torch.randn(16, 16, generator=generator) / 4

    def error(muon: float) -> float:
        net = built(lambda: nn.ModuleList([nn.Linear(16, 16, bias=False)]))
        chosen = optimizers(net, OptimConfig(lr=0.03, muon_lr=muon, decay=0.0))
        for _ in range(100):
            net.zero_grad()
            (net[0](x) - x @ target.t()).square().mean().backward()
            for optimizer in chosen:
                optimizer.step()
        return float((net[0].get_parameter("weight").detach() - target).square().mean())

    assert error(0.03) < error(0.0)
