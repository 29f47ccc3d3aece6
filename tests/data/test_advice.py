"""Advice before training, and the note of a stage that would not see every image."""

from collections.abc import Iterator

import numpy as np
import pytest

from unclip.data.advice import advice, alike, closer, cut
from unclip.data.prepare.inspect import DataReport
from unclip.recipes.events import Event, Note, Progress
from unclip.recipes.foresight import Passes, foreseen, too_long
from unclip.recipes.settings.run import RunConfig
from unclip.text.tokenizer import Tokenizer
from unclip.training.report import Report


def small(count: int, size: int, median: int) -> DataReport:
    """A thousand pairs, of which so many are smaller than `size`."""
    sizes = ((8, 8), (median, median), (90, 90))
    return DataReport("x", 1000, distinct_captions=900, image_size=sizes, small=(count, size))


@pytest.mark.parametrize(
    "report, worded, wanted",
    [
        (DataReport("x", 18, distinct_captions=18), True, ["18 images are very few"]),
        (DataReport("x", 8813, distinct_captions=12), True, ["8,813 images have only 12 different captions"]),
        (DataReport("x", 8813, distinct_captions=12), False, []),
        (
            DataReport("x", 300, orphans=8000, distinct_captions=290),
            True,
            ["only 300 of 8,300 images have a caption"],
        ),
        (DataReport("x", 5000, distinct_captions=4000), True, []),
        (DataReport("x", 0), True, []),
        (DataReport("x", 150, distinct_captions=150), True, ["some hundred are the least"]),
        (small(600, 64, 40), True, ["(40 x 40 at the median): --size 32"]),
        (small(600, 64, 60), True, ["take larger originals"]),
        (small(600, 32, 20), True, ["take larger originals"]),
        (small(400, 64, 40), True, []),
    ],
)
def test_advice(report: DataReport, worded: bool, wanted: list[str]) -> None:
    lines = list(advice(report, worded))
    assert len(lines) == len(wanted)
    assert all(line.startswith("! ") and words in line for line, words in zip(lines, wanted, strict=True))


def steps(each: float) -> Iterator[Event]:
    """Thirty steps, each of that share of the stage."""
    for n in range(1, 31):
        yield Progress("clip", Report(n, 1.0, {}, 1.0, 1e-3, 100.0, float(n), 10.0, n * each), 10.0, 0.1)


@pytest.mark.parametrize("each, seen", [(0.01, "40%"), (0.002, None)])
def test_a_stage_that_cannot_see_every_picture(each: float, seen: str | None) -> None:
    passes = Passes("clip", 4, 1000, 60.0, last=False, shapes=False)
    notes = [event.text for event in foreseen(steps(each), passes) if isinstance(event, Note)]
    assert len(notes) == (seen is not None)
    assert all(f"sees {seen} of the images" in note for note in notes)


COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220), "grey": (128, 128, 128)}


def pairs(n: int = 400, background: int | None = None) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    """Noisy squares of one of four colours, on a background that differs or does not; and what they show."""
    random = np.random.default_rng(0)
    images, names = random.integers(0, 255, (n, 16, 16, 3)), random.choice(list(COLOURS), n)
    if background is not None:
        images[:] = background
    for image, name in zip(images, names, strict=True):
        image[3:13, 3:13] = COLOURS[name] + random.integers(-25, 25, (10, 10, 3))
    return images.clip(0, 255).astype(np.uint8), [(f"a {name} square, number {i}",) for i, name in enumerate(names)]


def said(images: np.ndarray, captions: list[tuple[str, ...]], worded: bool = True) -> list[str]:
    lines = list(closer(images, captions, captions, worded))
    assert all(line.startswith("! ") for line in lines)
    return lines


def test_sound_pairs_are_not_blamed() -> None:
    images, captions = pairs()
    assert said(images, captions) == []
    classes = [(caption.split()[1],) for (caption,) in captions]
    assert said(images, classes) == []


def test_captions_that_name_one_image_only() -> None:
    images, captions = pairs()
    [line] = said(images, [(f"IMG_{i}.jpg",) for i in range(len(captions))])
    assert "400 of 400 captions share no word with another (as 'IMG_0.jpg')" in line
    assert said(images, [(f"IMG_{i}.jpg",) for i in range(len(captions))], worded=False) == []
    assert said(images[:50], [(f"IMG_{i}",) for i in range(50)]) == []  # few are told of as few


def test_captions_of_other_images() -> None:
    images, captions = pairs()
    [line] = said(images, captions[7:] + captions[:7])
    assert "tell nothing of the colours and outlines" in line


@pytest.mark.parametrize("value, name", [(255, "white"), (0, "black"), (128, "#808080")])
def test_one_background(value: int, name: str) -> None:
    [line] = said(*pairs(background=value))
    assert f"the same background ({name}), which is fine" in line


def test_near_copies_are_told_of_where_they_are_many() -> None:
    [line] = alike(np.arange(400) // 4 * 4)
    assert line.startswith("! 300 of 400 images are nearly the same as an earlier one")
    assert list(alike(np.arange(400))) == []


def test_captions_that_are_cut() -> None:
    [line] = cut([5, 90, 120], 77)
    assert "2 of 3 captions are longer than 77 tokens" in line and "--set longest_caption=120" in line
    assert list(cut([5, 77], 77)) == []
    captions = ["one two three four five six seven", "one"]
    tokenizer = Tokenizer.train(captions, longest=5)
    assert len(list(too_long(tokenizer, captions, RunConfig(longest_caption=5)))) == 1
    assert list(too_long(Tokenizer.train(captions), captions, RunConfig())) == []


@pytest.mark.parametrize(
    "seen, draws, words",
    [
        (0.4, False, "sees 40% of the images"),
        (1.7, True, "expect colours at most: CIFAR-10 showed colours after 2 passes"),
        (9.0, True, "--budget 1h00m gives 18, 6h10m 111"),
        (9.0, False, ""),
        (20.0, True, ""),
    ],
)
def test_passes_that_are_too_few(seen: float, draws: bool, words: str) -> None:
    lines = list(Passes("decoder", 32, 1000, 1800.0, last=draws, shapes=False).opinion(seen))
    assert len(lines) == bool(words)
    assert all(words in line for line in lines)


def test_a_gate_says_how_long_it_would_take() -> None:
    passes = Passes("decoder", 32, 1000, 1800.0, last=True, shapes=False)
    wanted = "; it saw each image 32 times, emoji took 111 to be recognised: --more 41m09s would reach that"
    assert passes.told(1000, 1000.0) == wanted
    assert passes.told(4000, 1000.0) == "; it saw each image 128 times"
    assert Passes("decoder", 32, 1000, 1800.0, last=True, shapes=True).told(40, 9.0) == "; it saw each image 1.3 times"
    assert Passes("clip", 32, 1000, 1800.0, last=False, shapes=False).told(40, 9.0) == ""


def test_drawn_shapes_need_fewer_passes() -> None:
    config = RunConfig(size=32)
    assert not Passes.of(config, "decoder", 1000, drawn=True).draws
    assert Passes.of(config, "decoder", 1000, drawn=False).draws
    assert not Passes.of(config, "clip", 1000, drawn=False).draws
