"""The optimisers of torch without its compiler: the same steps, and without what it imports."""

import torch
from tests.fakes import built, draw
from torch import nn

from unclip.core.imports.compiler import AdamW


def trained(make: type[torch.optim.AdamW], fused: bool) -> tuple[nn.Module, torch.optim.Optimizer]:
    """Five steps; a parameter has no gradient in the third."""
    net = built(lambda: nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4)))
    groups = [{"params": [p], "weight_decay": 0.1 * p.dim()} for p in net.parameters()]
    optimizer = make(groups, lr=0.01, betas=(0.9, 0.95), fused=fused)
    for step in range(5):
        net.zero_grad()
        net(draw(3, 4, key=step)).square().sum().backward()
        if step == 2:
            net.get_parameter("0.bias").grad = None
        optimizer.step()
    return net, optimizer


def test_its_steps_are_torchs_bit_for_bit():
    for fused in (True, False):
        (ours, one), (theirs, two) = (trained(make, fused) for make in (AdamW, torch.optim.AdamW))
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(a, b)
        for a, b in zip(one.state.values(), two.state.values(), strict=True):
            assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
        assert [g["weight_decay"] for g in one.param_groups] == [g["weight_decay"] for g in two.param_groups]


def test_its_step_is_no_part_of_a_graph():
    net, optimizer = trained(AdamW, True)
    assert all(p.grad_fn is None and p.is_leaf and p.requires_grad for p in net.parameters())
    assert torch.is_grad_enabled() and len(optimizer.state) == 4
