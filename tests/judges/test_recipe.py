"""The recipe of the judges, a few steps of it; the user's own images; a network of one's own."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unclip import judges
from unclip.core.noise import Noise
from unclip.data import World
from unclip.data.item import Item
from unclip.data.prepare.write import prepare
from unclip.judges.procedural import damage, scenes, silhouettes, textures
from unclip.judges.recipe import Recipe
from unclip.judges.recipe import train as train_judge
from unclip.judges.self_supervised import crop
from unclip.judges.torchscript import Wants

TINY = Recipe(train=replace(Recipe().train, batch=8, steps=3), usual=64)


@pytest.mark.parametrize("kind", ["supervised", "self-supervised", "random"])
def test_a_few_steps_twice(kind: str, tmp_path: Path):
    """The same command gives the same judge, bit for bit; training changes it."""
    steps: list[int] = []
    one = judges.train(kind, tmp_path / "one", TINY, on_report=lambda report: steps.append(report.step))
    two = judges.train(kind, tmp_path / "two", TINY)
    assert one.hash == two.hash and steps == ([] if kind == "random" else [1, 2, 3])
    other = judges.train(kind, tmp_path / "other", replace(TINY, seed=1))
    assert other.hash != one.hash
    assert bool(one.features(torch.zeros(2, 3, 20, 20)).isfinite().all())


def test_a_folder_that_is_there_is_not_written_to(tmp_path: Path):
    with pytest.raises(ValueError, match="is there already"):
        judges.train("random", tmp_path)


def test_an_unknown_kind(tmp_path: Path):
    with pytest.raises(ValueError, match="kind = 'other': train one of supervised"):
        train_judge.__wrapped__("other", tmp_path / "a")  # pyright: ignore


class Classes:
    """Images of two classes."""

    root, kind = Path("classes"), "classes"

    def __iter__(self):
        for i in range(40):
            pixels = np.full((16, 16, 3), 10 * (i % 2) + i, dtype=np.uint8)
            yield Item(f"{i}", lambda pixels=pixels: pixels, ("dark" if i % 2 else "light",))

    def fingerprint(self) -> str:
        return "1"


@pytest.mark.parametrize("kind", ["supervised", "self-supervised"])
def test_own_images(kind: str, tmp_path: Path):
    prepare(Classes(), tmp_path / "run" / "data", 16)
    judge = judges.train(kind, tmp_path / "judge", TINY, images=tmp_path / "run")
    assert judge.hash != judges.train(kind, tmp_path / "plain", TINY).hash


def test_captions_that_are_no_classes(tmp_path: Path):
    prepare(World(32, scenes=30), tmp_path / "data", 32)
    with pytest.raises(ValueError, match=r"captions, which are no classes.*train a self-supervised judge"):
        judges.train("supervised", tmp_path / "judge", TINY, images=tmp_path / "data")


def test_a_network_of_ones_own(tmp_path: Path):
    class Means(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x.mean((2, 3)), torch.full((len(x), 1), float(x.shape[3]))], dim=1)[:, :, None, None]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(Means()).save(str(tmp_path / "means.pt"))
    white = torch.ones(2, 3, 40, 40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        judge = judges.load(tmp_path / "means.pt")
    assert judge.features(white)[0].tolist() == pytest.approx([255, 255, 255, 299], abs=1e-3) and len(judge.hash) == 64
    plain = judges.load(tmp_path / "means.pt", wants=Wants(side=0, low=-1.0, high=1.0))
    assert plain.features(-white)[0].tolist() == [-1, -1, -1, 40]
    (tmp_path / "text.pt").write_text("hello", encoding="utf-8")
    with pytest.raises(ValueError, match="no TorchScript file"):
        judges.load(tmp_path / "text.pt")


def test_scenes_depend_on_their_seed_alone():
    a, b, c = (scenes.draw(16, 24, Noise.shared(seed, "a")) for seed in (0, 0, 1))
    assert torch.equal(a.images, b.images) and torch.equal(a.classes, b.classes)
    assert not torch.equal(a.images, c.images)
    assert a.images.amin() >= -1 and a.images.amax() <= 1
    for column, (name, many) in zip(a.classes.T, scenes.questions().items(), strict=True):
        assert ((column == scenes.NONE) | ((column >= 0) & (column < many))).all(), name


def test_every_fault_changes_an_image_and_its_strength_counts():
    x = scenes.draw(32, 32, Noise.shared(0, "faults"), faulty=0.0).images
    for number, name in enumerate(damage.FAULTS):
        fault = torch.full((32,), number)
        weak, strong = (damage.damaged(x, fault, torch.full((32,), u), Noise.shared(0, name)) for u in (0.2, 0.9))
        change = [(y - x).square().mean().item() for y in (weak, strong)]
        assert change == [0, 0] if name == "none" else 0 < change[0] < change[1], (name, change)


def test_silhouettes_are_what_they_are_called():
    disc, square = torch.tensor([0]), torch.tensor([1])
    for kind, area in ((disc, np.pi), (square, 4 * 0.86**2)):
        cover = silhouettes.cover(kind, torch.zeros(1, 2), torch.tensor([0.3]), torch.zeros(1), 64)
        assert cover.sum().item() == pytest.approx(area * (0.3 * 64) ** 2, rel=0.04)


def test_noise_has_the_spectrum_it_is_asked_for():
    field = textures.spectral(64, 64, torch.full((64,), 2.0), Noise.shared(0, "spectrum"))
    power = torch.fft.rfft2(field).abs().square().mean((0, 1))
    assert (power[0, 2] / power[0, 16]).item() == pytest.approx(64, rel=0.4)


def test_crops_are_parts_of_their_image():
    images = torch.arange(2 * 9 * 9.0).view(2, 1, 9, 9)
    for part, image in zip(crop(images, Noise.shared(0)), images, strict=True):
        assert part.shape == (1, 6, 6)
        places = [image[:, i : i + 6, j : j + 6] for i in range(4) for j in range(4)]
        assert any(torch.equal(part, p) or torch.equal(part.flip(-1), p) for p in places)
