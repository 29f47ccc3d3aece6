"""The shipped judges: their hashes, what they refuse, and that a distance in their features grows with every fault."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from unclip import judges
from unclip.core.noise import Noise
from unclip.data.degradation.blur import filtered, gaussian
from unclip.data.degradation.jpeg import compressed
from unclip.evaluation.sets.kernel import kid
from unclip.judges.procedural import scenes
from unclip.judges.shipped import SHIPPED, WEIGHTS

TRAINED = [name for name in SHIPPED if name != "random"]


def drawn(n: int, key: str, size: int = 32) -> torch.Tensor:
    return scenes.draw(n, size, Noise.shared(0, "test", key), faulty=0.0).images


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped(name: str):
    judge = judges.load(name)
    assert (judge.name, judge.hash) == (name, SHIPPED[name])
    assert (WEIGHTS / name / "README.md").is_file()
    assert sum(file.stat().st_size for file in (WEIGHTS / name).iterdir()) < 600_000
    found = judge.features(drawn(4, "a"))
    assert found.dtype == torch.float32 and 128 <= found.shape[1] <= 320
    assert found.abs().max() <= 6  # bounded, whatever the image
    assert judge.features(Noise.shared(0).normal((2, 3, 32, 32)).sign()).abs().max() <= 6


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("size", [16, 45])
def test_features_do_not_depend_on_the_batch(name: str, size: int):
    judge, images = judges.load(name), drawn(6, "b", size)
    together = judge.features(images)
    alone = torch.cat([judge.features(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(judge.features(images[order]), together[order], rtol=1e-4, atol=1e-4)


def test_gray_is_colour_with_three_equal_channels():
    judge, gray = judges.load("random"), drawn(3, "c")[:, :1]
    torch.testing.assert_close(judge.features(gray), judge.features(gray.expand(-1, 3, -1, -1).contiguous()))


@pytest.mark.parametrize(
    "images, words",
    [
        (torch.full((1, 3, 32, 32), 200.0), r"reach from 200 to 200; a judge expects \[-1, 1\]"),
        (torch.full((1, 3, 32, 32), torch.nan), "reach from nan"),
        (torch.zeros(1, 3, 8, 8), "8 x 8 px"),
        (torch.zeros(1, 3, 32, 300), "300 x 32 px"),
        (torch.zeros(1, 4, 32, 32), "4 channels"),
        (torch.zeros(0, 3, 32, 32), "no image"),
    ],
)
def test_other_images_are_refused(images: torch.Tensor, words: str):
    with pytest.raises(ValueError, match=words):
        judges.load("random").features(images)


def tampered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr("unclip.judges.shipped.WEIGHTS", tmp_path / "weights")
    return tmp_path / "weights" / "random"


def test_a_damaged_judge_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tampered(tmp_path, monkeypatch) / "model.safetensors"
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    with pytest.raises(ValueError, match=r"model\.safetensors: damaged \(SHA-256 .* expected .*install unclip again"):
        judges.load("random")


def test_another_judge_under_a_shipped_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whole in itself, but not the one that was published: its figures would be taken for those of the other."""
    place, other = tampered(tmp_path, monkeypatch), tmp_path / "other"
    judges.train("random", other, judges.Recipe(seed=1, usual=64))
    shutil.rmtree(place)
    shutil.copytree(other, place)
    with pytest.raises(ValueError, match=rf"random.*hash .*, expected {SHIPPED['random']}.*install unclip again"):
        judges.load("random")
    assert judges.load(place).hash == judges.load(other).hash != SHIPPED["random"]


def test_settings_of_another_judge_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tampered(tmp_path, monkeypatch) / "config.json"
    head = json.loads(file.read_text(encoding="utf-8"))
    head["config"]["spread"] = 2
    file.write_text(json.dumps(head), encoding="utf-8")
    with pytest.raises(ValueError, match=r"config\.json: damaged"):
        judges.load("random")


def test_no_such_judge():
    with pytest.raises(ValueError, match="nobody: no such judge; name one of supervised"):
        judges.load("nobody")


def blurred(x: torch.Tensor, sigma: float) -> torch.Tensor:
    s = torch.full((len(x),), float(sigma))
    return filtered(x, gaussian(15, s, s, torch.zeros_like(s)))


def grainy(x: torch.Tensor, strength: float) -> torch.Tensor:
    return (x + strength * Noise.shared(0, "grain").normal(x.shape)).clamp(-1, 1)


def through_jpeg(x: torch.Tensor, quality: float) -> torch.Tensor:
    return compressed(x, torch.full((len(x),), float(quality)))


@pytest.mark.parametrize("name", TRAINED)
def test_the_distance_grows_with_every_fault(name: str):
    judge = judges.load(name)
    a, b = drawn(256, "one"), drawn(256, "other")
    reference = judge.features(b)

    def far(images: torch.Tensor) -> float:
        return kid(judge.features(images), reference)

    real = far(a)
    for fault, strengths in ((blurred, (1, 2, 4)), (grainy, (0.1, 0.3, 0.9)), (through_jpeg, (30, 20, 10))):
        values = [real, *(far(fault(a, s)) for s in strengths)]
        assert values == sorted(values), (fault.__name__, values)
    colours = a.permute(1, 0, 2, 3).flatten(1)
    noise = Noise.shared(0, "noise").normal(a.shape) * colours.std(1).view(1, 3, 1, 1) + colours.mean(1).view(
        1, 3, 1, 1
    )
    assert far(noise.clamp(-1, 1)) > max(far(blurred(a, s)) for s in (1, 2, 4))
