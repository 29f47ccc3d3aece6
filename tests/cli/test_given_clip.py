"""`unclip train DATA --clip PATH`: a CLIP of transformers in the place of one that the run trains."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from tests.cli.conftest import Call
from tests.fakes import draw
from tests.interop.test_clip_read import normal, prepared, saved

import unclip
from unclip.generation.text_to_image import TextToImage

transformers = pytest.importorskip("transformers")
COLOURS = {"a red square": "red", "a blue square": "blue", "a white square": "white"}
FEW = ["--size", "32", "--preset", "pixels-tiny", "--force", "--precision", "float32"]
FEW += [f"--set={stage}.train.{name}" for stage in ("clip", "prior", "decoder") for name in ("batch=4", "steps=2")]
FEW += [
    "--set=prior.width=32",
    "--set=prior.layers=1",
    "--set=prior.sampling.steps=2",
    "--set=decoder.sampling.steps=2",
]
FEW += ["--set=decoder.network.widths=[8, 16]", "--set=decoder.network.fine=8"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for i in range(48):
        caption, colour = list(COLOURS.items())[i % 3]
        picture = Image.new("RGB", (32, 32), colour)
        picture.putpixel((i % 32, i // 32), (i, i, i))
        picture.save(root / f"{i}.png")
        (root / f"{i}.txt").write_text(caption, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("clip") / "theirs")


@torch.no_grad()
def embeddings(place: Path, captions: list[str], images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """By the library itself."""
    theirs = transformers.CLIPModel.from_pretrained(place).eval()
    words = transformers.CLIPTokenizer.from_pretrained(place)(captions, return_tensors="pt", padding=True)
    out = theirs(**words, pixel_values=prepared(images))
    return normal(out.text_embeds), normal(out.image_embeds)


@pytest.mark.usefixtures("in_float32")
@pytest.mark.slow
def test_the_run_stands_on_the_clip_that_was_given(call: Call, data: Path, clip: Path, tmp_path: Path):
    run = tmp_path / "run"
    done = call("train", data, "--out", run, "--clip", clip, *FEW)
    assert done.code in (0, 1), done.err
    assert f"takes the CLIP of {clip}, whose weights stay" in done.out
    model = unclip.load(run, kind=TextToImage)
    captions, images = [*COLOURS, "something else"], draw(3, 3, 16, 16).clamp(-1, 1)
    texts, pictures = embeddings(clip, captions, images)
    assert (model.embed_captions(captions) - texts).abs().max() < 1e-5
    assert (model.clip.embed_images(images) - pictures).abs().max() < 1e-5
    large = draw(3, 3, 32, 32, key=1).clamp(-1, 1)  # the run's size: scaled to the CLIP's
    scaled = torch.nn.functional.interpolate(large, (16, 16), mode="bicubic", antialias=True).clamp(-1, 1)
    assert (model.clip.embed_images(large) - model.clip.embed_images(scaled)).abs().max() < 1e-6
    again = call("train", data, "--out", run, "--clip", clip, *FEW)  # finished: nothing is trained
    assert again.code in (0, 1), again.err
    assert call("generate", "a red square", "--run", run, "--out", tmp_path / "out").code == 0
    assert call("search", "a red square", "--run", run, "-n", 2, "--out", tmp_path / "found").code == 0
    picture = tmp_path / "red.png"
    Image.new("RGB", (32, 32), "red").save(picture)
    assert call("classify", picture, "--labels", "a red square", "a blue square", "--run", run).code == 0
    done = call("probe", picture, "--run", run, "--labels", "red", "--labels", "blue", "--out", tmp_path / "probed")
    assert done.code == 0, done.err


@pytest.mark.slow
def test_it_can_be_trained_on(call: Call, data: Path, clip: Path, tmp_path: Path):
    done = call("train", data, "--out", tmp_path / "run", "--clip", clip, "--finetune-clip", *FEW)
    assert done.code in (0, 1), done.err
    model = unclip.load(tmp_path / "run", kind=TextToImage)
    texts, _ = embeddings(clip, ["a red square"], draw(1, 3, 16, 16))
    apart = (model.embed_captions(["a red square"]) - texts).abs().max()
    assert 1e-7 < apart < 0.1


@pytest.mark.parametrize(
    "words, why",
    [
        (["--finetune-clip"], "--finetune-clip: which one? Add --clip PATH"),
        (["--clip", "CLIP", "--from", "box:emoji"], "the CLIP is that of --from box:emoji"),
        (["--clip", "NOWHERE"], "config.json: not the settings of a CLIP"),
    ],
    ids=["tuned alone", "from", "nowhere"],
)
def test_what_cannot_be_is_told(call: Call, data: Path, clip: Path, tmp_path: Path, words: list[str], why: str):
    known = {"CLIP": clip, "NOWHERE": tmp_path / "nowhere"}
    done = call("train", data, "--out", tmp_path / "run", *(known.get(word, word) for word in words))
    assert done.code == 2 and why in done.err
