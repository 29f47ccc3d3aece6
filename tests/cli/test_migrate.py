"""docs/migrate.md as a person types it: every command runs, on small models that the other libraries made."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.architecture.pages import commands
from tests.cli.conftest import Call
from tests.interop.test_clip_read import saved
from tests.interop.test_ddpm_read import COURSE

os.environ.setdefault("HF_HUB_OFFLINE", "1")
diffusers = pytest.importorskip("diffusers")
pytest.importorskip("transformers")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
COLOURS = {"a red square": (230, 20, 20), "a blue square": (20, 20, 230), "a white square": (240, 240, 240)}
SMALL = [
    "prior.width=32",
    "prior.layers=1",
    "prior.sampling.steps=2",
    "decoder.sampling.steps=2",
    "decoder.network.widths=[8, 16]",
    "decoder.network.fine=8",
]
PAPER = [
    "clip.text_width=64",
    "clip.text_layers=1",
    "clip.vision_width=64",
    "clip.vision_layers=1",
    "prior.width=64",
    "prior.layers=1",
    "prior.sampling.steps=2",
    "decoder.sampling.steps=2",
    "decoder.text_width=64",
    "decoder.text_layers=1",
    "decoder.network.width=32",
    "decoder.network.multipliers=[1, 1]",
    "decoder.network.attention=[false, true]",
    "decoder.network.blocks=1",
    "decoder.network.head_width=16",
]
"""Of each way to begin, the settings that make its networks small."""


def small(words: list[str]) -> list[str]:
    """What makes a training of the page a matter of seconds."""
    if words[0] != "train":
        return []
    if "--from" in words:
        return ["--force", "--set=ddpm.train.batch=4", "--set=ddpm.train.steps=2", "--set=ddpm.sampling.steps=4"]
    own = PAPER if "--preset" in words else SMALL
    few = [f"--set={stage}.train.{name}" for stage in ("clip", "prior", "decoder") for name in ("batch=4", "steps=2")]
    plain = [] if "--preset" in words else ["--size", "32", "--preset", "pixels-tiny"]
    return ["--force", "--precision", "float32", *plain, *few, *(f"--set={setting}" for setting in own)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with pictures, a DDPM and a CLIP, as the page names them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    noise = np.random.default_rng(0)
    for i in range(48):
        caption, colour = list(COLOURS.items())[i % 3]
        pixels = (np.array(colour) + noise.normal(0, 8, (32, 32, 3))).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i}.png")
        (tmp_path / "photos" / f"{i}.txt").write_text(caption, encoding="utf-8")
    unet = diffusers.UNet2DModel(**COURSE)
    diffusers.DDPMPipeline(unet, diffusers.DDPMScheduler()).save_pretrained(tmp_path / "their-ddpm")
    saved(tmp_path / "their-clip")
    return tmp_path


def test_every_command_of_the_page_runs(place: Path, call: Call) -> None:
    ran = 0
    for words in commands("docs/migrate.md"):
        done = call(*words, *small(words))
        assert done.code in ((0, 1) if words[0] == "train" else (0,)), (words, done.err)  # a gate may fail
        ran += 1
    assert ran == 13
    made = {"back/model_index.json", "clip-back/config.json", "paper-to-give-away/run.toml", "out/grid.png"}
    assert all((place / name).exists() for name in made)
    diffusers.DDPMPipeline.from_pretrained(place / "back")
