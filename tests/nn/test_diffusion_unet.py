"""What is the U-Net's own: DDPM's time axis, and dropout that a resumed run repeats."""

import pytest
import torch
from tests.fakes import NOTHING, awake, built, draw
from torch import Tensor, nn

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.diffusion.schedules import LinearBeta
from unclip.nn.backbones.diffusion_unet import DiffusionUNet, DiffusionUNetConfig
from unclip.nn.blocks.embed import TableEmbedding, TimestepEmbedding
from unclip.nn.blocks.resblock import ResBlock, ResBlockConfig, resample

TABLE = LinearBeta()


def test_the_timestep_is_the_tables_own():
    times = TimestepEmbedding(8, 8).position(TABLE.table.float())
    assert torch.equal(times, torch.arange(1000.0))


def test_between_two_entries_it_is_the_schedules_time():
    t = torch.linspace(0, 1, 4001)
    found = TimestepEmbedding(8, 8).position(TABLE(t))
    assert torch.allclose(found, 999 * t, atol=1e-3)


def test_beyond_the_table_levels_keep_places_of_their_own():
    levels = torch.linspace(20, -20, 401)
    times = TimestepEmbedding(8, 8).position(levels)
    assert torch.isfinite(times).all()
    assert (times.diff() > 0.05).all()  # a tenth of a level is nowhere less than a 20th of a step
    assert times[0] < 0
    assert times[-1] > 999


def test_timestep_features_by_hand():
    """Ho et al. 2020: sin, then cos, of t 10000^(-i/(n - 1))."""
    embed = TimestepEmbedding(6, 6)
    embed.mlp = nn.Sequential()
    angle = 417 * torch.tensor([1, 0.01, 0.0001])
    found = embed(TABLE.table[417].float()[None])[0]
    assert torch.allclose(found, torch.cat([angle.sin(), angle.cos()]), atol=1e-4)


@pytest.mark.parametrize("features", [2, 7])
def test_features_that_make_no_pairs_are_refused(features: int):
    with pytest.raises(ValueError, match=f"features = {features}"):
        TimestepEmbedding(8, features)


def test_a_table_of_features_is_exact_at_its_entries_and_linear_between_them():
    """What is loaded into it counts, and nothing else; beyond its ends the last rows stay."""
    embed = TableEmbedding(8, 6, entries=4)
    embed.mlp = nn.Sequential()
    levels, rows = torch.tensor([6.0, 2.0, -1.0, -9.0]), draw(4, 6)
    embed.load_state_dict({"levels": levels, "rows": rows})
    assert torch.equal(embed(levels), rows)
    assert torch.allclose(embed(torch.tensor([3.0]))[0], 0.25 * rows[0] + 0.75 * rows[1])
    assert torch.equal(embed(torch.tensor([20.0, -20.0])), rows[[0, 3]])


def test_a_table_that_nobody_loaded_is_ddpms():
    table, timestep = TableEmbedding(8, 6, entries=1000), TimestepEmbedding(8, 6)
    levels = TABLE.table.float()
    assert torch.equal(table.features(levels), timestep.features(levels))
    kept = DiffusionUNet(DiffusionUNetConfig(width=32, multipliers=(1,), attention=(False,), level="table", entries=7))
    assert {"embedding.level.levels", "embedding.level.rows"} <= set(kept.state_dict())


def test_resample():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert resample(x, "down").flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert resample(x, "up").shape == (1, 1, 8, 8)
    assert torch.equal(resample(resample(x, "up"), "down"), x)
    assert resample(x, "keep") is x


class Kept(nn.Module):
    """Stands for the second convolution: shows what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def test_dropout_drops_its_share_and_scales_the_rest():
    block, x = ResBlock(32, 8, config=ResBlockConfig(groups=4, dropout=0.3)), draw(4, 32, 8, 8)
    block.conv2 = Kept()  # pyright: ignore
    whole, dropped = (block(x, draw(4, 8), noise) - x for noise in (None, Noise.shared(0)))
    gone = dropped.abs() < 1e-6
    assert abs(gone.float().mean() - 0.3) < 0.02
    assert torch.allclose(dropped[~gone], whole[~gone] / 0.7, atol=1e-5)


def unet(dropout: float) -> nn.Module:
    block = ResBlockConfig(groups=8, dropout=dropout)
    sizes = {"width": 16, "multipliers": (1, 2), "blocks": 1, "attention": (False, False), "head_width": 16}
    return awake(built(lambda: DiffusionUNet(DiffusionUNetConfig(**sizes, block=block))))


def test_dropout_is_a_function_of_the_batch():
    """So a resumed run repeats it, whatever torch's own generator has done since."""
    net, x, levels = unet(0.2), draw(2, 3, 8, 8), torch.tensor([-1.0, 2.0])
    calm = net(x, levels, NOTHING)
    net.train()
    first = net(x, levels, NOTHING)
    torch.manual_seed(123)
    assert torch.equal(net(x, levels, NOTHING), first)
    assert (first - calm).abs().max() > 1e-2
    assert not torch.allclose(net(x + 1e-6, levels, NOTHING), first, atol=1e-2)  # another batch, other features
    assert not torch.allclose(net(x, levels + 1e-6, NOTHING), first, atol=1e-2)
    assert torch.equal(unet(0.0).train()(x, levels, NOTHING), calm)


def test_spatial_transformers_see_the_tokens_that_are_there_and_start_as_nothing():
    config = DiffusionUNetConfig(
        width=16, multipliers=(1, 2), blocks=1, attention=(True, False), heads=(4, 2), head_width=0, spatial=2,
        token_width=12, block=ResBlockConfig(groups=4), residual_resample=False,
    )  # fmt: skip
    net = built(config.build)
    assert not any(p.any() for name, p in net.named_parameters() if ".leave." in name)
    net, x, levels = awake(net), draw(2, 3, 8, 8), torch.tensor([1.0, -1.0])
    tokens, mask = draw(2, 5, 12, key=1), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    found = net(x, levels, Condition(tokens=tokens, mask=mask))
    hidden = torch.where(mask[..., None], tokens, draw(2, 5, 12, key=2))
    assert torch.allclose(net(x, levels, Condition(tokens=hidden, mask=mask)), found, atol=1e-5)
    assert (net(x, levels, Condition(tokens=-tokens, mask=mask)) - found).abs().max() > 1e-3
    assert (net(x, levels, Condition()) - found).abs().max() > 1e-3


def test_heads_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"heads = \(4,\): need a number for each of the 4 levels"):
        DiffusionUNetConfig(heads=(4,))
    with pytest.raises(ValueError, match=r"heads = \(3, 3, 3, 3\): must divide the widths with attention"):
        DiffusionUNetConfig(heads=(3, 3, 3, 3))
