"""A run that was imported from a Stable-Diffusion-like folder: taken in by hand, and trained on."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.cli.conftest import Call, call  # noqa: F401  # a fixture
from tests.interop.stables import FACTOR, SIDE, stable

os.environ.setdefault("HF_HUB_OFFLINE", "1")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

import unclip
from unclip.data.shapes.world import World
from unclip.recipes.stages import LatentRecipe
from unclip.recipes.start.imported import import_run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
SIZE = FACTOR * SIDE


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the first version."""
    place = tmp_path_factory.mktemp("first")
    stable(place / "words", "one").save_pretrained(place / "theirs")
    return place / "theirs"


def test_a_person_takes_it_in_and_draws(first: Path, call: Call, tmp_path: Path) -> None:  # noqa: F811
    place, run = Path(shutil.copytree(first, tmp_path / "theirs")), tmp_path / "run"
    (place / "safety_checker").mkdir()
    done = call("import", place, "--out", run)
    assert (done.code, done.err) == (0, "")
    assert f"a text-to-image model of {SIZE} px" in done.out and "--lora 8" in done.out
    assert "safety_checker/ is not taken over" in done.out
    done = call("generate", "a red heart", "--run", run, "--steps", 2, "--negative", "sun", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "not judged: imported from theirs" in call("info", run).out


def same(old: torch.Tensor, new: torch.Tensor) -> bool:
    """Whether nothing has changed but for rows of new words, which whole weights have room for."""
    return torch.equal(old, new[: len(old)] if old.dim() else new)


@pytest.mark.slow
@pytest.mark.parametrize("lora", [0, 4])
def test_it_is_trained_on_where_its_autoencoder_and_clip_stay(first: Path, lora: int, tmp_path: Path) -> None:
    import_run(first, tmp_path / "run")
    start = unclip.Start(str(tmp_path / "run"), lora=lora)
    config = start.settings()
    latent = config.of(LatentRecipe)
    few = replace(latent, sampling=replace(latent.sampling, steps=2), train=replace(latent.train, steps=2))
    told: list[str] = []
    out = unclip.train(
        World(SIZE, scenes=40), tmp_path / "on", config=config.using(latent=few), force=True,
        on_event=lambda event: told.append(str(event)),
    )  # fmt: skip
    before, after = (
        unclip.load(tmp_path / "run", kind=unclip.LatentPipeline),
        unclip.load(out, kind=unclip.LatentPipeline),
    )
    for part in ("autoencoder", "clip"):
        old, new = (getattr(model, part).state_dict() for model in (before, after))
        assert all(same(old[name], new[name]) for name in old), part
    assert before.latent is not None and after.latent is not None
    old, new = before.latent.state_dict(), after.latent.state_dict()
    assert all(same(old[name], new[name]) for name in old if name.startswith("statistics"))
    assert sum(not same(old[name], new[name]) for name in old) > 100
    assert any("its CLIP has no image tower to score them by" in line for line in told)
    if lora:
        merged = unclip.load(tmp_path / "run", lora=out / "lora", kind=unclip.LatentPipeline)
        assert merged.latent is not None
        for name, tensor in merged.latent.state_dict().items():
            assert torch.allclose(tensor, new[name], atol=1e-5), name
