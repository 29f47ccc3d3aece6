"""Weights of other libraries: one file or several, whole and of the right shape, never a pickle."""

import json
from pathlib import Path

import pytest
import torch
from tests.fakes import draw
from torch import nn

from unclip.interop import weights
from unclip.interop.weights import Match

THREE = [Match("qkv", ("q", "k", "v")), Match("p", ("p",), "transposed"), Match("t", ("t",), "row"), Match("s", ("s",))]
OURS = {"qkv": draw(6, 2), "p": draw(2, 3), "t": draw(1, 4), "s": torch.tensor(2.0)}


def test_there_and_back():
    theirs = weights.to_theirs(OURS, THREE)
    assert {name: tuple(t.shape) for name, t in theirs.items()} == {
        **dict.fromkeys("qkv", (2, 2)), "p": (3, 2), "t": (4,), "s": ()}  # fmt: skip
    back = weights.to_ours(theirs, THREE, Path("file"))
    assert all(torch.equal(back[name], OURS[name]) for name in OURS)


def test_what_is_missing_or_left_over_is_named():
    theirs = weights.to_theirs(OURS, THREE)
    with pytest.raises(ValueError, match="file: extra has no place in unclip's network"):
        weights.to_ours({**theirs, "extra": OURS["s"]}, THREE, Path("file"))
    del theirs["k"]
    with pytest.raises(ValueError, match="file: holds no k;"):
        weights.to_ours(theirs, THREE, Path("file"))
    with pytest.raises(ValueError, match=r"weight are \(3, 2\), and its config means \(2, 2\)"):
        weights.check_shapes({"weight": draw(3, 2)}, nn.Linear(2, 2), Path("file"))


def test_several_files_by_their_index(tmp_path: Path):
    parts = {"a": draw(2), "b": draw(3)}
    for name, tensor in parts.items():
        weights.write({name: tensor}, tmp_path / f"{name}.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {name: f"{name}.safetensors" for name in parts}}), encoding="utf-8")
    assert weights.find(tmp_path, ["model.safetensors"]) == index
    found = weights.read(index)
    assert all(torch.equal(found[name], parts[name]) for name in parts)
    index.write_text(json.dumps({"weight_map": {"a": "../a.safetensors"}}), encoding="utf-8")
    with pytest.raises(ValueError, match="names no files beside it"):
        weights.read(index)


def test_what_is_no_safetensors_is_refused(tmp_path: Path):
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="model.safetensors: not a whole safetensors file"):
        weights.read(tmp_path / "model.safetensors")
    for name in ("a.bin", "a.pt", "a.ckpt"):
        with pytest.raises(ValueError, match=f"{name}: a pickle, .* convert it"):
            weights.read(tmp_path / name)
    with pytest.raises(ValueError, match="holds no weights; looked for x.safetensors"):
        weights.find(tmp_path, ["x.safetensors"])
