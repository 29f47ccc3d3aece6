"""The whole: a killed run equals an uninterrupted one; a few minutes on drawn shapes give images that fit prompts."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.short import STAGES, events, finished, losses, short

import unclip
from unclip.core.disk import store
from unclip.data.shapes.captions import prompts
from unclip.data.shapes.rates import rates as rates_of
from unclip.data.shapes.score import score_each
from unclip.data.shapes.world import World
from unclip.diffusion.samplers import Ancestral
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.models.decoder import paper_diffusion
from unclip.nn.backbones.diffusion_unet import DiffusionUNetConfig
from unclip.nn.blocks.resblock import ResBlockConfig
from unclip.recipes.events import Gate, Note, Progress, Stopped
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig, retrained
from unclip.recipes.stages import CLIPRecipe, DecoderRecipe, PriorRecipe


def test_killed_run_equals_uninterrupted(tmp_path: Path) -> None:
    config = short(6)
    list(events(tmp_path / "whole", config))
    for killed_at in ("clip", "prior", "decoder"):  # each time abandoned in the middle of a stage, without a good-bye
        for event in events(tmp_path / "cut", config):
            if isinstance(event, Progress) and (event.stage, event.report.step) == (killed_at, 4):
                break
    list(events(tmp_path / "cut", config))
    for stage in STAGES:
        a, b = (store.load(tmp_path / name / stage).sha256 for name in ("whole", "cut"))
        assert a == b, stage
        assert losses(tmp_path / "whole", stage) == losses(tmp_path / "cut", stage)


def test_stop_saves_and_unfinished_run_is_refused(tmp_path: Path) -> None:
    stop, seen = threading.Event(), []
    for event in events(tmp_path / "run", short(6), stop):
        seen.append(event)
        if isinstance(event, Progress) and event.stage == "prior":
            stop.set()
    assert seen[-1] == Stopped("prior")
    with pytest.raises(ValueError, match="'prior' is missing"):
        unclip.load(tmp_path / "run")
    again = list(events(tmp_path / "run", short(6)))
    assert Note("prior", "continues at step 1") in again
    assert [e.stage for e in again if isinstance(e, Gate)] == list(STAGES)
    assert unclip.load(tmp_path / "run").generate(["a red circle"])[0].size == (32, 32)


def test_glides_decoder_learns_its_variance_and_samples_with_it(tmp_path: Path) -> None:
    config = short(2)
    glide = DiffusionUNetConfig(
        width=8, multipliers=(1, 2), blocks=1, attention=(False, True), head_width=8, block=ResBlockConfig(4)
    )
    learned = replace(
        config.of(DecoderRecipe), network=glide, text="own", text_width=64, text_layers=1, diffusion=paper_diffusion()
    )
    list(events(tmp_path / "run", config.using(decoder=learned)))
    model = unclip.load(tmp_path / "run")
    assert isinstance(model, TextToImage) and model.decoder is not None
    assert model.sampling.sampler == Ancestral("learned")
    assert isinstance(model.decoder.config.network, DiffusionUNetConfig)
    for settings in (Settings(), Settings(steps=3, sampler="ddim", guidance=3.0, grid="log-snr")):
        [picture] = model.generate(["a red circle"], settings=settings)
        about = picture.info["unclip"]["sampling"]["sampler"]
        assert picture.size == (32, 32)
        assert about["kind"] == ("DDIM" if settings.sampler else "Ancestral")


def test_failed_gate_holds_the_next_stage(tmp_path: Path) -> None:
    ended = list(train_stages(World(32, scenes=64), tmp_path / "run", short(1), threading.Event()))
    assert isinstance(ended[-1], Gate)
    assert (ended[-1].stage, ended[-1].passed) == ("clip", False)
    assert not (tmp_path / "run" / "prior").exists()


def test_damaged_stage_is_refused(tmp_path: Path) -> None:
    finished(tmp_path / "run")
    weights = tmp_path / "run" / "decoder" / store.WEIGHTS
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        unclip.load(tmp_path / "run")


def minutes() -> RunConfig:
    """About four minutes on one core: the tiny recipe, made smaller, on scenes of one object."""
    base = RunConfig(size=32, precision="float32")
    decoder = base.of(DecoderRecipe)
    network, sampling = decoder.network.changed(widths=(32, 48)), replace(decoder.sampling, steps=16)
    return base.using(
        clip=retrained(base.of(CLIPRecipe), steps=200),
        prior=retrained(replace(base.of(PriorRecipe), width=128, layers=2), steps=120),
        decoder=retrained(replace(decoder, network=network, sampling=sampling), batch=16, steps=700),
    )


@pytest.mark.slow
def test_trains_all_stages_and_draws_what_was_asked(tmp_path: Path) -> None:
    world = World(32, counts={1: 1.0}, scenes=4000)
    gates = {
        e.stage: e for e in train_stages(world, tmp_path / "run", minutes(), threading.Event()) if isinstance(e, Gate)
    }
    assert list(gates) == list(STAGES)
    assert gates["clip"].passed and gates["prior"].passed, gates
    assert gates["decoder"].metrics["gap"] > 0.1, gates  # minutes are too short to be sure of its strict gate
    model = unclip.load(tmp_path / "run")
    asked = prompts(world, "one_seen", 64)
    pictures = model.generate([p.text for p in asked], seed=1)
    rates = rates_of(asked, score_each([np.asarray(p) for p in pictures], asked))["one_seen"]
    (tmp_path / "rates.json").write_text(json.dumps({k: r.fraction for k, r in rates.items()}), encoding="utf-8")
    # One colour in six by chance; an image without exactly one object has no right colours at all.
    assert rates["colours"].fraction > 0.4, rates
    assert rates["count"].fraction > 0.5, rates
    again = model.generate([asked[0].text], seed=1)[0]
    assert np.abs(np.asarray(again, dtype=int) - np.asarray(pictures[0], dtype=int)).max() <= 1
