"""DiT's positions."""

import torch
from tests.fakes import NOTHING, awake, built, draw

from unclip.nn.backbones.dit import DiT, DiTConfig, positions

CPU = torch.device("cpu")


def test_a_patch_keeps_its_code_in_pictures_of_any_size():
    small, large = positions(2, 3, 16, CPU).view(2, 3, 16), positions(5, 7, 16, CPU).view(5, 7, 16)
    assert torch.equal(small, large[:2, :3])
    assert torch.equal(large[3, :, 8:], large[3, :1, 8:].expand(7, -1))  # the second half is the row's alone
    assert torch.equal(large[:, 4, :8], large[:1, 4, :8].expand(5, -1))


def test_no_two_patches_share_a_code():
    codes = positions(32, 48, 64, CPU)
    assert (torch.cdist(codes, codes) + 9 * torch.eye(len(codes))).min() > 0.3


def test_patches_go_back_to_their_places():
    """An image changed in one patch changes most there."""
    net = awake(built(lambda: DiT(DiTConfig(patch=4, width=32, layers=1, heads=4))))
    x, level = draw(1, 3, 8, 12), torch.zeros(1)
    changed = x.clone()
    changed[:, :, 4:, 8:] += 1
    apart = (net(changed, level, NOTHING) - net(x, level, NOTHING)).square().unfold(2, 4, 4).unfold(3, 4, 4)
    energy = apart.sum((0, 1, 4, 5))
    assert energy.argmax() == 5
    assert energy[1, 2] > 3 * energy.flatten()[:5].max()
