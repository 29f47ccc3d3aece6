"""Upsamplers from the data to enlarged images, as a person types it, on a run of tiny networks."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Call

import unclip
from unclip.core.disk import store
from unclip.data.degradation import BSR
from unclip.data.shapes.world import World
from unclip.data.source import open_source
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.process import Sampling
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import KEY, read_about
from unclip.models.priors.diffusion import prior_sampling
from unclip.nn.backbones.unet import UNetConfig
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages import CLIPRecipe, DecoderRecipe, PriorRecipe
from unclip.runs.folder import RunFolder
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

SCENES, SMALL = 60, 3
FEW = ("upsampler.network.widths=[16, 32]", "upsampler.network.blocks=[1, 1]", "upsampler.network.embedding=32",
       "upsampler.network.fine=8", "upsampler.sampling.steps=3", "upsampler.train.steps=6",
       "upsampler.train.batch=4")  # fmt: skip


def said(stage: str) -> list[str]:
    return [word for text in FEW for word in ("--set", text.replace("upsampler", stage, 1))]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn scenes at 128 px, three of them smaller."""
    folder, lines = tmp_path_factory.mktemp("pictures"), []
    for i, (pixels, captions, _) in enumerate(World(64).sample(SCENES, 0)):
        picture = Image.fromarray(pixels)
        picture.resize((48, 48) if i < SMALL else (128, 128)).save(folder / f"{i}.png")
        lines.append(json.dumps({"file_name": f"{i}.png", "text": captions[0]}))
    (folder / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """A run of 32 px, hardly trained, without upsamplers."""
    few = TrainConfig(4, OptimConfig(lr=1e-3, warmup=2), steps=2)
    network = UNetConfig(patch=2, widths=(8, 16), blocks=(1, 1), attention=(False, True), fine=8)
    config = RunConfig(
        size=32,
        precision="float32",
        workers=1,
        held_out=0.4,
        recipes={
            "clip": CLIPRecipe(width=16, text_width=32, text_layers=1, vision_stem=(8, 16), vision_width=32, train=few),
            "prior": PriorRecipe(width=32, layers=1, sampling=replace(prior_sampling(), steps=2), train=few),
            "decoder": DecoderRecipe(network=network, sampling=Sampling(2, guidance=ClassifierFree(2.0)), train=few),
        },
    )
    run = tmp_path_factory.mktemp("runs") / "run"
    list(train_stages(open_source(data), run, config, threading.Event(), force=True))
    return run


@pytest.fixture(scope="module")
def run(finished: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with one upsampler."""
    mine = tmp_path_factory.mktemp("runs") / "enlarging"
    shutil.copytree(finished, mine)
    from unclip.cli.main import app

    with pytest.raises(SystemExit) as end:
        app(["add", "upsampler", str(data), "--run", str(mine), "--size", "64", *said("upsampler")])
    assert end.value.code in (0, 1)  # so few steps need not pass the gate
    return mine


def test_the_stage_is_kept_with_its_data_and_its_verdict(run: Path):
    end = RunFolder(run).state()["upsampler"]
    assert {"psnr_upsampled", "psnr_bicubic", "consistency_upsampled", "sharpness_upsampled"} <= set(end["metrics"])
    assert f"{SMALL} images smaller than 64 px were left out" in end["why"]
    skipped = [
        json.loads(line) for line in (run / "data-64" / "skipped.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert [row["reason"] for row in skipped] == ["48 x 48 px, smaller than the 64 px that are wanted"] * SMALL
    assert json.loads((run / "data-64" / "prepared.json").read_text(encoding="utf-8"))["count"] == SCENES - SMALL


def test_pictures_are_of_the_largest_size_unless_asked(run: Path):
    model = unclip.load(run)
    assert isinstance(model, TextToImage)
    (large,) = model.generate(["a red circle"], seed=3)
    (small,) = model.generate(["a red circle"], seed=3, settings=Settings(size=32))
    assert (large.size, small.size, model.size) == ((64, 64), (32, 32), 32)
    about = large.info[KEY]
    assert about["size"] == 64 and small.info[KEY]["size"] == 32
    assert [s["size"] for s in about["upsamplers"]] == [64] and small.info[KEY]["upsamplers"] == []
    drew = ("clip", "prior", "decoder", "upsampler")
    assert about["stages"] == {name: store.load(run / name).sha256[:12] for name in drew}
    assert set(small.info[KEY]["stages"]) == set(drew[:3])
    again = model.generate(["a blue square", "a red circle"], n=2, seed=2)[3]  # in a batch
    assert np.abs(np.asarray(again, dtype=int) - np.asarray(large, dtype=int)).max() <= 1
    with pytest.raises(ValueError, match="size = 128 px: this model draws 32, 64"):
        model.generate(["a red circle"], settings=Settings(size=128))


def test_generate_and_info(run: Path, call: Call, tmp_path: Path):
    assert call("generate", "a red circle", "--run", run, "--out", tmp_path).code == 0
    told = call("info", tmp_path / "a-red-circle-0.png").out
    assert "upsampled to 64 px" in told and "--size 64" in told
    assert call("generate", "a red circle", "--run", run, "--size", 32, "--out", tmp_path / "b").code == 0
    with Image.open(tmp_path / "b" / "a-red-circle-0.png") as picture:
        assert picture.size == (32, 32)


def test_a_picture_of_ones_own(run: Path, call: Call, tmp_path: Path):
    Image.fromarray(World(32).draw(World(32).scene(np.random.default_rng(0)))).crop((0, 0, 27, 18)).save(
        tmp_path / "mine.png"
    )
    words = ("upsample", tmp_path / "mine.png", "--run", run, "--out", tmp_path / "out", "--strength", 0.5)
    for _ in range(2):  # the same request replaces its image
        done = call(*words)
        assert done.code == 0, done.err
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine-54x36.png"]
    about = read_about(tmp_path / "out" / "mine-54x36.png")
    assert about["stages"] == {"upsampler": store.load(run / "upsampler").sha256[:12]}
    made = about["made"]
    assert made["options"] == {"seed": 0, "size": 64, "strength": 0.5}
    assert "unclip upsample" in call("info", tmp_path / "out" / "mine-54x36.png").out


@pytest.mark.parametrize(
    "words, why",
    [
        ((), "no image: name one"),
        (("nothing.png",), "no such image"),
        (("mine.png", "--size", "32"), "the size before the first upsampler"),
        (("mine.png", "--size", "100"), "this model draws 32, 64"),
        (("mine.png", "--strength", "3"), "strength = 3.0"),
        (("wide.png",), "an image of 2400 x 2 px would come out"),
        (("text.png",), "text.png: no image in a supported format"),
    ],
)
def test_refused_pictures(
    run: Path,
    call: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    why: str,
):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8)).save("mine.png")
    Image.new("RGB", (1200, 1)).save("wide.png")
    Path("text.png").write_text("hello", encoding="utf-8")
    done = call("upsample", *words, "--run", run)
    assert done.code == 2 and why in done.err


def test_in_other_steps_than_its_own(run: Path, data: Path, call: Call, tmp_path: Path):
    done = call("upsample", data / "5.png", "--run", run, "--steps", 3, "--out", tmp_path)
    assert done.code == 0, done.err
    [made] = tmp_path.glob("*.png")
    about = read_about(made)
    assert about["upsamplers"][-1]["sampling"]["steps"] == about["sampling"]["steps"] == 3
    assert "--steps 3" in call("info", made).out.replace("\n", " ")
    assert "steps = 0" in call("upsample", data / "5.png", "--run", run, "--steps", 0).err


def test_evaluate(run: Path, call: Call, tmp_path: Path):
    done = call("evaluate", run, "-n", 4, "--json", tmp_path / "scores.json")
    assert done.code == 0, done.err
    scores = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))["scores"]
    assert {"psnr", "consistency", "sharpness", "roughness", "seams"} == set(scores["upsampler_of_real"])
    assert {"consistency", "sharpness", "roughness", "seams"} == set(scores["upsampler_of_generated"])
    assert {"before", "after"} == set(scores["upsampler_clip_score"])
    assert 10 < scores["upsampler_of_real"]["psnr"]["bicubic"] < 60


def test_a_second_one_on_top(run: Path, data: Path, call: Call, tmp_path: Path):
    mine = tmp_path / "run"
    shutil.copytree(run, mine)
    refused = call("add", "upsampler2", data, "--run", mine, "--size", 192, *said("upsampler2"))
    assert refused.code == 2 and "48 x 48 px, smaller than the 192 px that are wanted" in refused.err
    assert call("add", "upsampler2", data, "--run", mine, "--restart", *said("upsampler2")).code in (0, 1)
    model = unclip.load(mine)
    assert isinstance(model, TextToImage)
    settings = [Settings(size=size) for size in (None, 128, 64, 32)]
    pictures = [model.generate(["a red circle"], settings=s)[0] for s in settings]
    assert [picture.width for picture in pictures] == [128, 128, 64, 32]
    assert [len(picture.info[KEY]["upsamplers"]) for picture in pictures] == [2, 2, 1, 0]
    assert [len(picture.info[KEY]["stages"]) for picture in pictures] == [5, 5, 4, 3]
    assert model.enlargers[1].model.config.degradation == BSR()
    assert unclip.upsample(model, pictures[3], size=128).size == (128, 128)


def test_the_stage_for_inpainting(run: Path, call: Call, tmp_path: Path):
    """It starts as the upsampler, needs no data again, and edits; `unclip info` gives the command back."""
    mine = tmp_path / "run"
    shutil.copytree(run, mine)
    few = ("--set", "inpaint_upsampler.train.steps=4", "--set", "inpaint_upsampler.train.batch=4")
    assert call("add", "inpaint_upsampler", "--run", mine, *few).code in (0, 1)
    end = RunFolder(mine).state()["inpaint_upsampler"]
    assert {"model", "base", "gap", "error", "seam", "seam_base", "seam_real"} <= set(end["metrics"])
    assert end["metrics"]["kept"] < 1e-5 and "does not see the rest" in end["why"]
    assert list((mine / "samples").glob("inpaint_upsampler-*.png"))
    picture, hole = World(64).draw(World(64).scene(np.random.default_rng(0))), np.zeros((64, 64), dtype=bool)
    hole[20:50, 31:45] = True
    Image.fromarray(picture).save(tmp_path / "mine.png")
    Image.fromarray(hole).save(tmp_path / "mask.png")
    words = ("edit", tmp_path / "mine.png", "--mask", tmp_path / "mask.png", "--run", mine, "-n", 1, "--steps", 2)
    done = call(*words, "--out", tmp_path / "out")
    assert done.code == 0 and "add inpaint_upsampler" not in done.out, done.err
    with Image.open(tmp_path / "out" / "mine-edit-0.png") as after:
        assert np.array_equal(np.asarray(after)[~hole], picture[~hole])
    about = read_about(tmp_path / "out" / "mine-edit-0.png")
    sha = store.sha256(mine / "inpaint_upsampler" / store.WEIGHTS)
    assert about["stages"]["inpaint_upsampler"] == sha[:12] and "upsampler" not in about["stages"]
    told = call("info", tmp_path / "out" / "mine-edit-0.png").out
    assert "upsampled to 64 px" in told and "--size 64" in told
    assert "add inpaint_upsampler" in call(*words[:4], "--run", run, "-n", 1, "--steps", 2, "--out", tmp_path / "b").out


def test_what_does_not_go_together(run: Path, finished: Path, data: Path, call: Call, tmp_path: Path):
    mine = tmp_path / "run"
    shutil.copytree(finished, mine)
    assert "this run has no upsampler" in call("upsample", data / "5.png", "--run", mine).err
    assert "add that one first" in call("add", "upsampler2", data, "--run", mine).err
    assert "goes on from the stage 'upsampler'" in call("add", "inpaint_upsampler", data, "--run", mine).err
    assert "name the data" in call("add", "upsampler", "--run", mine, "--size", 64).err
    assert "must be a multiple of 32 px" in call("add", "upsampler", data, "--run", mine, "--size", 48).err
    other = call("add", "upsampler", data, "--run", run, "--size", 96)
    assert "upsampler.size = 96" in other.err and "was begun with" in other.err
