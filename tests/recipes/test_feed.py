"""What a batch of a run holds, whatever was read before, and wherever its images lie."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fake_device import GPU, Fake, fake_gpu

from unclip.core.task import Batch
from unclip.data.prepare.write import Prepared, prepare
from unclip.data.shapes.world import World
from unclip.recipes.feed import Feed, PictureFeed, Read, number
from unclip.recipes.sources.resident import SHARE
from unclip.recipes.sources.rows import PreparedRows
from unclip.text.tokenizer import Tokenizer

CAPTIONS = ["a red circle", "a blue square", "", "a very long caption of a red circle and a blue square"]


def test_remembered_tokens_are_the_tokenizers(monkeypatch) -> None:
    monkeypatch.setattr("unclip.recipes.feed.KEPT", 2)
    tokenizer = Tokenizer.train(CAPTIONS, 400, longest=8)
    read = Read(tokenizer)
    for some in (CAPTIONS, CAPTIONS[::-1], CAPTIONS[:2], CAPTIONS * 3):
        for found, direct in zip(read(some), tokenizer(some), strict=True):
            assert torch.equal(found, direct)


def test_equal_captions_have_equal_numbers() -> None:
    assert len({number(caption) for caption in [*CAPTIONS, *CAPTIONS]}) == len(CAPTIONS)
    assert all(-(2**63) <= number(caption) < 2**63 for caption in CAPTIONS)


def test_many_captions_are_read_as_few(monkeypatch) -> None:
    """One by one, or in batches with threads."""
    tokenizer, many = Tokenizer.train(CAPTIONS, 400), CAPTIONS * 50
    monkeypatch.setattr("unclip.text.tokenizer.MANY", 7)
    assert tokenizer.lengths(iter(many)) == tokenizer.lengths(CAPTIONS) * 50
    assert tokenizer.rows(many) == tokenizer.rows(CAPTIONS) * 50


ROWS = np.array([7, 2, 3, 11, 5, 0, 9])


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(World(32, scenes=12), tmp_path_factory.mktemp("prepared"), 32)


def batches(prepared: Prepared, device: str) -> list[Batch]:
    """Of captioned images, and of mirrored ones in colour and in gray."""
    tokenizer = Tokenizer.train(prepared.texts, 300)
    feeds = [Feed(prepared, ROWS, tokenizer, 4, 0, device=device)]
    feeds += [PictureFeed(prepared, ROWS, 4, 0, np.arange(12), channels, True, device=device) for channels in (3, 1)]
    return [feed(step) for feed in feeds for step in range(5)]


def test_images_that_lie_on_the_device_are_those_of_the_cpu(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, though a device may divide otherwise."""
    monkeypatch.setattr("unclip.recipes.sources.resident.free_on", lambda _: 10**9)
    monkeypatch.setattr("unclip.recipes.sources.resident.SENT", 3)
    wanted = batches(prepared, "cpu")
    with fake_gpu():
        found = batches(prepared, GPU.type)
    for cpu, gpu in zip(wanted, found, strict=True):
        assert isinstance(gpu.images, Fake) and cpu.images is not None
        assert torch.equal(gpu.images.held, cpu.images) and gpu.images.is_contiguous()
        for name in ("ids", "labels", "caption_id"):
            one, two = getattr(cpu, name), getattr(gpu, name)
            assert (one is None) == (two is None) and (one is None or torch.equal(one, two))


def test_images_that_take_too_much_of_the_device_stay_where_they_are(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    need = len(ROWS) * 32 * 32 * 3 / SHARE
    with fake_gpu():
        for free, there in ((need, True), (need - 1, False), (0, False)):
            monkeypatch.setattr("unclip.recipes.sources.resident.free_on", lambda _, free=free: free)
            assert (PreparedRows(prepared, ROWS, 4, 0, GPU.type).resident is not None) == there
    assert PreparedRows(prepared, ROWS, 4, 0).resident is None


def test_a_changed_image_is_found_before_it_lies_on_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unclip.recipes.sources.resident.free_on", lambda _: 10**9)
    kept = prepare(World(32, scenes=12), tmp_path, 32)
    place = tmp_path / "images.npy"
    whole = place.read_bytes()
    with place.open("r+b") as file:  # the file that is mapped, not another one of its name
        file.seek(len(whole) - 1)
        file.write(bytes([whole[-1] ^ 1]))
    with fake_gpu(), pytest.raises(ValueError, match="damaged"):
        _ = PreparedRows(kept, np.arange(12), 4, 0, GPU.type).resident
