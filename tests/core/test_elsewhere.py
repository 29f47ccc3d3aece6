"""Weights that lie in another model's folder: found there, or told where they should be."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from tests.fakes import draw, forge_head

from unclip.core.disk import store
from unclip.core.disk.elsewhere import INSTALLED, Elsewhere

TEXT = {"text.a": draw(3, 4), "text.b": draw(2, key=1)}
OWN = {"own": draw(5, key=2)}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A decoder whose text tower is CLIP's."""
    sha = store.save(tmp_path / "clip", "clip", {}, TEXT)
    away = [Elsewhere("text.", "clip", "text.", sha)]
    store.save(tmp_path / "decoder", "decoder", {"x": 1}, OWN | TEXT, away=away)
    return tmp_path


def test_they_are_kept_once_and_read_twice(run: Path) -> None:
    stored = store.load(run / "decoder", "decoder")
    assert stored.tensors.keys() == {"own", "text.a", "text.b"} and torch.equal(
        stored.tensors["text.a"], TEXT["text.a"]
    )
    with safe_open(run / "decoder" / store.WEIGHTS, "pt") as file:
        assert list(file.keys()) == ["own"]
    store.check(run / "decoder")
    assert stored.identity == store.identity(run / "decoder")
    moved = run / "copy"
    shutil.copytree(run, moved, ignore=shutil.ignore_patterns("copy"))
    assert store.load(moved / "decoder").identity == stored.identity
    store.save(run / "whole", "decoder", {"x": 1}, stored.tensors)
    assert store.identity(run / "whole") == stored.identity  # the same model, wherever its weights lie


def test_a_folder_of_the_package_is_meant_by_its_path(run: Path) -> None:
    one = Elsewhere("space.autoencoder.", f"{INSTALLED}models/autoencoder/weights", "", "")
    place = one.place(run / "decoder")
    found = store.load(place)
    one = replace(one, sha256=found.sha256)
    store.save(run / "other", "decoder", {}, OWN | one.taken(found.tensors), away=[one])
    read = store.load(run / "other").tensors
    assert {n.removeprefix(one.prefix) for n in read} == {*found.tensors, "own"}


def test_what_they_are_is_part_of_what_a_model_is(run: Path) -> None:
    before = store.identity(run / "decoder")
    other = {name: value + 1 for name, value in TEXT.items()}
    sha = store.save(run / "clip", "clip", {}, other)
    store.save(run / "decoder", "decoder", {"x": 1}, OWN | other, away=[Elsewhere("text.", "clip", "text.", sha)])
    assert store.identity(run / "decoder") != before


@pytest.mark.parametrize("why", ["gone", "another"])
def test_the_file_is_named_where_they_are_gone_or_others(run: Path, why: str) -> None:
    if why == "gone":
        shutil.rmtree(run / "clip")
    else:
        store.save(run / "clip", "clip", {}, {"text.a": draw(1)})
    for what in (store.load, store.check):
        with pytest.raises(store.Damaged, match=r"clip/model.safetensors: .*weights of .*decoder lie there.*"):
            what(run / "decoder")


def test_what_lies_there_may_be_no_weights(run: Path) -> None:
    (run / "clip" / store.WEIGHTS).write_bytes(b"none")
    head = json.loads((run / "decoder" / store.HEAD).read_text(encoding="utf-8"))
    head["elsewhere"][0]["sha256"] = store.sha256(run / "clip" / store.WEIGHTS)
    forge_head(run / "decoder", **head)
    with pytest.raises(store.Damaged, match=r"clip/model.safetensors: not a safetensors file"):
        store.load(run / "decoder")


ONE = Elsewhere("text.", "clip", "text.", "0" * 64)


@pytest.mark.parametrize(
    "told",
    [
        *([asdict(replace(ONE, folder=f))] for f in ("", "../clip", "/etc", "a/b", "a\\b", "unclip:../x", "unclip:")),
        [{"prefix": "text."}],
        [asdict(ONE) | {"sha256": 3}],
        "clip",
        7,
    ],
)
def test_no_other_folder_can_be_meant(run: Path, told: object) -> None:
    head = json.loads((run / "decoder" / store.HEAD).read_text(encoding="utf-8"))
    forge_head(run / "decoder", **{**head, "elsewhere": told})
    with pytest.raises(store.Damaged, match="not a model's config"):
        store.load(run / "decoder")
