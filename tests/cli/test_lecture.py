"""The lecture's formulas, each against a closed form, and the whole of it from tiny runs."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from tests.cli.conftest import Call
from tests.fakes import built, draw, tiny_unet
from tests.quick_lecture import quicken
from tests.short import finished

from unclip.core.condition import Condition
from unclip.diffusion.schedules import LinearBeta
from unclip.figures.slides.slide import Slide
from unclip.generation.settings import Settings
from unclip.models.decoder import Decoder
from unclip.nn.backbones.diffusion_unet import DiffusionUNetConfig
from unclip.nn.backbones.dit import DiTConfig
from unclip.nn.blocks.resblock import ResBlockConfig
from unclip.studies.explain.request import ExplainRequest, Task
from unclip.studies.explain.subject import open_run
from unclip.studies.lecture import deck, shared
from unclip.studies.lecture.dalle2 import contrast
from unclip.studies.lecture.ddpm import forward, network, reverse, training

pytest.importorskip("matplotlib")
NAMES = [
    "title", "families", "noise-to-data", "chain", "closed-form", "schedules", "terminal", "joint", "posterior",
    "bound",
    "expectation", "sigma", "objective", "network", "training", "sampling", "contrast", "whole", "prior", "told",
    "guidance", "variations", "interpolations",
]  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished unCLIP run of pixels after one step a stage."""
    return finished(tmp_path_factory.mktemp("lecture") / "tiny")


@pytest.fixture
def look(tiny: Path, tmp_path: Path) -> Task:
    return Task(open_run(tiny), ExplainRequest(), tmp_path)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_the_whole_lecture_of_an_unclip_run(call: Call, tiny: Path, tmp_path: Path):
    out = tmp_path / "out"
    done = call("explain", tiny, "--out", out, "--steps", 2, "--samplers", "ddim", "-n", 1, "--slides")
    assert done.code == 0, done.err
    assert f"the lecture: open {out / 'slides.html'}" in done.out
    found = sorted(path.name for path in (out / "slides").iterdir())
    assert found == [f"{i:02d}-{name}.png" for i, name in enumerate(NAMES, 1)]
    for name in found:
        with Image.open(out / "slides" / name) as picture:
            assert picture.size == (1920, 1080) and picture.mode == "RGB"
    page = (out / "slides.html").read_text(encoding="utf-8")
    assert page.count('<section id="') == len(NAMES) == page.count('class="stage"')
    assert page.count('<img class="picture"') == len(NAMES)
    assert "<script src" not in page and not re.search(r"https?://(?!www\.w3\.org)", page)
    assert len(re.findall(r'alt="[^"]{20,}"', page)) == len(NAMES)


def test_every_name_in_the_footers_can_be_imported(look: Task, monkeypatch: pytest.MonkeyPatch):
    from tests.cli.test_explain import named

    monkeypatch.setattr(forward, "CHAINS", 10)
    slides = [forward.closed_form(look), forward.terminal(look), network.network(look), contrast_of(look, monkeypatch)]
    for slide in slides:
        assert slide.code
        assert all(callable(named(name)) for name in slide.code)


def contrast_of(look: Task, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(contrast, "AFTER", (0, 1))
    return contrast.contrast(look)


def test_chains_have_the_moments_of_the_closed_form():
    table = LinearBeta(T=200)
    means, stds = forward.moments(table, 0)
    bars = table.log_alpha_bar.exp().float()
    error = 5 / math.sqrt(forward.CHAINS)
    assert torch.allclose(means, forward.START * bars.sqrt(), atol=error)
    assert torch.allclose(stds, (1 - bars).sqrt(), atol=error)


def test_the_posterior_is_where_chains_were():
    kept, exact = reverse.come_by(0)
    assert len(kept) > 10_000
    assert kept.mean().item() == pytest.approx(exact.mean.item(), abs=0.01)
    assert kept.std().item() == pytest.approx(exact.variance.sqrt().item(), rel=0.02)


def test_the_factor_is_that_of_equation_12():
    """beta_t^2 / (2 sigma_t^2 alpha_t (1 - alpha-bar_t)) with sigma_t^2 = beta_t."""
    table = LinearBeta()
    beta, bar = table.betas, table.log_alpha_bar.exp()
    wanted = beta / (2 * (1 - beta) * (1 - bar))
    assert torch.allclose(training.eps_weight(table).double(), wanted[1:], rtol=1e-4)


def test_the_lower_variance_is_a_share_of_the_upper():
    table = LinearBeta(1e-2, 0.5, T=3)
    bar = table.log_alpha_bar.exp()
    wanted = [0.0, (1 - bar[0]) / (1 - bar[1]), (1 - bar[1]) / (1 - bar[2])]
    assert reverse.posterior_ratio(table).tolist() == pytest.approx([float(w) for w in wanted])


def test_both_schedules_of_the_lecture():
    for table, end in ((forward.PAPER, 0.02), (forward.LECTURE, 0.2)):
        assert (table.betas[0].item(), table.betas[-1].item()) == pytest.approx((1e-4, end))
        assert len(table.betas) == 1000
    x0 = draw(4, 3, 8, 8).clamp(-1, 1)
    left = [forward.forward.terminal_kl(x0, t.table[-1].float()).mean() for t in (forward.PAPER, forward.LECTURE)]
    assert 0 <= left[1] < 1e-30 < left[0] < 1e-3


def test_five_steps_are_one_step_down(look: Task):
    """The noise that is shown is the loss's own, and the run's weights stay as they are."""
    before = {name: value.clone() for name, value in look.run.subject.stage.state_dict().items()}
    x0 = look.clean[:6]
    done = training.learned(look, x0)
    assert torch.allclose(done.x, torch.sigmoid(done.log_snr)[:, None, None, None].sqrt() * x0
                          + torch.sigmoid(-done.log_snr)[:, None, None, None].sqrt() * done.eps, atol=1e-6)  # fmt: skip
    config = look.run.subject.diffusion.config
    off = (done.guess.eps - done.eps).square().flatten(1).mean(1)
    weight = config.weighting.weight_of_sample(done.log_snr, config.schedule)
    assert (weight * off).mean().item() == pytest.approx(done.before, rel=1e-3)
    assert done.after < done.before
    after = look.run.subject.stage.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_u_net_is_drawn_from_its_shapes():
    unet = built(tiny_unet(widths=(16, 32, 32), blocks=(1, 1, 1), attention=(False, False, True)).build)
    parts = network.parts_of(unet, draw(1, 3, 32, 32), torch.zeros(1), Condition())
    sides = [part.side for part in parts]
    assert sides[0] == 16 and min(sides) == 4 and sides[-1] == 32
    assert {(p.channels, p.side) for p in parts} >= {(16, 16), (32, 8), (32, 4)}
    whole = [network.Part(3, 32, 0), *parts]
    ways = [(whole[a].side, whole[b].side) for a, b in network.skips(whole)]
    assert (8, 8) in ways and (16, 16) in ways
    embedding = sum(p.numel() for p in unet.level_embedding.parameters())
    assert sum(p.parameters for p in parts) == sum(p.numel() for p in unet.parameters()) - embedding
    assert not any(module._forward_hooks for module in unet.modules())


def test_other_networks_are_drawn_too():
    block = ResBlockConfig(groups=8)
    full = DiffusionUNetConfig(
        width=16, multipliers=(1, 2), blocks=1, attention=(False, True), head_width=0, block=block
    )
    parts = network.parts_of(built(full.build), draw(1, 3, 16, 16), torch.zeros(1), Condition())
    sides = [part.side for part in parts]
    assert (sides[0], min(sides), sides[-1]) == (16, 8, 16)
    assert network.skips([network.Part(3, 16, 0), *parts])
    flat = DiTConfig(width=32, layers=2, heads=2, patch=4)
    parts = network.parts_of(built(flat.build), draw(1, 3, 16, 16), torch.zeros(1), Condition())
    assert any(p.tokens and p.side == 16 and p.channels == 32 for p in parts)
    assert network.skips(parts) == []


def test_matrices_of_a_batch(look: Task, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(contrast, "AFTER", (0, 3))
    model, rows = contrast.captioned(look), contrast.distinct(look, 4)
    first, last = contrast.learned(look, model, rows)
    assert first.cosines.shape == (4, 4) and first.head == "random weights" and last.head == "3 steps"
    assert not torch.equal(first.cosines, last.cosines)
    assert contrast.Matrix("", torch.eye(4)).found == 4
    assert contrast.Matrix("", torch.eye(4).flip(0)).found == 0


def test_prompts_are_short_and_differ(look: Task):
    words = shared.prompts(look, 3)
    assert len(words) == 3
    only = replace(look.run, rows=look.run.rows[:1])
    assert len(set(shared.prompts(Task(only, look.ask, look.out), 3))) == 1


def test_without_matplotlib(call: Call, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("unclip.studies.explain.study.available", lambda: False)
    done = call("explain", tiny, "--out", tmp_path / "out", "--slides")
    assert done.code == 2 and "pip install matplotlib" in done.err
    assert not (tmp_path / "out").exists()


def test_a_run_of_many_steps_draws_its_slides_in_few(look: Task):
    assert shared.drawing(look) == Settings()
    many = replace(look.run.subject.sampling, steps=250)
    stage = look.run.subject.stage
    assert isinstance(stage, Decoder)
    stage.config = replace(stage.config, sampling=many)
    assert shared.drawing(look).steps == shared.MOST < 250


def test_a_lecture_takes_the_place_of_the_one_before(tmp_path: Path):
    def make(name: str) -> tuple[str, deck.Make]:
        return name, lambda: Slide(name, "1", "Words alone", "No picture.")

    (tmp_path / "slides").mkdir()
    (tmp_path / "slides" / "mine.png").write_bytes(b"mine")
    for names in (("a", "b", "c"), ("b", "a")):
        list(deck.write("A title", [make(name) for name in names], tmp_path))
    assert sorted(p.name for p in (tmp_path / "slides").iterdir()) == ["01-b.png", "02-a.png", "mine.png"]
    assert "<img" not in (tmp_path / "slides.html").read_text(encoding="utf-8")


def test_small_numbers_in_tex():
    assert [forward.power(v) for v in (0.0, 2.9e-5, 0.031, 1.2)] == ["nothing", r"$2.9\cdot 10^{-5}$", "0.031", "1.2"]
