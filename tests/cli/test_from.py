"""`unclip train --from` as it is typed: what cannot be is one line with the fix, before anything is written."""

from pathlib import Path

import pytest
from tests.cli.conftest import Call
from tests.cli.test_ddpm import config, events
from tests.paint import folder

from unclip.core.disk import store
from unclip.recipes.settings.run import stored_config


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("from") / "data", each=4)


@pytest.fixture(scope="module")
def trained(data: Path) -> Path:
    """A DDPM with classes, of four steps."""
    list(events(data, data.parent / "run", config(4)))
    return data.parent / "run"


def test_a_run_from_another_one(data: Path, trained: Path, tmp_path: Path, call: Call) -> None:
    out, same = tmp_path / "out", ("--set", "ddpm.train.steps=2", "--force")
    done = call("train", data, "--from", trained, "--out", out, *same)
    assert done.code == 0 and "starts from the weights of" in done.out, done.err
    assert stored_config(out / "run.toml").start == str(trained)
    assert "started from" in call("info", out).out
    assert call("train", data, "--from", trained, "--out", out, *same).code == 0  # tells how it ended
    done = call("train", data, "--from", tmp_path, "--out", out, *same)
    assert done.code == 2 and f"was begun from {trained}; leave --from out" in done.err.replace("\n", " ")
    fewer = folder(tmp_path / "fewer", each=4)
    for image in (fewer / "white").iterdir():
        image.unlink()
    done = call("train", fewer, "--from", trained, "--out", tmp_path / "fewer-out", *same)
    assert done.code == 2 and "ddpm.classes = ['blue', 'red']: the weights of" in done.err.replace("\n", " "), done.err


def test_what_cannot_be(data: Path, trained: Path, tmp_path: Path, call: Call) -> None:
    out = tmp_path / "typed"
    for words, error in (
        (("--from", trained, "--out", trained), "is the folder of --out, too; name another --out, or go on with"),
        (("--from", tmp_path / "no", "--out", out), "no: no such run"),
        (("--from", trained, "--out", out, "--preset", "ddpm-fast"), "the networks are those of --from"),
        (("--from", trained, "--out", out, "--size", 64), "size = 64: the weights of"),
        (("--from", trained, "--out", out, "--model", "unclip"), "model = 'unclip': the weights of"),
        (("--from", trained, "--out", out, "--T", 9), "ddpm.diffusion."),
        (("--from", trained, "--out", out, "--more", "3m"), "holds no finished run; leave it out to train one"),
    ):
        done = call("train", data, *words)
        assert done.code == 2 and error in done.err.replace("\n", " "), (words, done.err)
    assert not (out / "run.toml").exists() and not (out / "data").exists()
    weights = trained / "ddpm" / store.WEIGHTS
    before = weights.read_bytes()
    weights.write_bytes(before[:-1])
    done = call("train", data, "--from", trained, "--out", out)
    weights.write_bytes(before)
    assert done.code == 2 and f"--from {weights}: damaged" in done.err.replace("\n", ""), done.err


def test_small_weights_beside_it(data: Path, trained: Path, tmp_path: Path, call: Call) -> None:
    out, drawn = tmp_path / "out", tmp_path / "drawn"
    words = ("--from", trained, "--lora", 2, "--out", out, "--set", "ddpm.train.steps=3", "--force")
    done = call("train", data, *words)
    assert done.code == 0, done.err
    assert "small weights of rank 2 beside those" in call("info", out).out.replace("\n", " ")
    few = ("--steps", 2, "--seed", 3)
    assert call("generate", "red", "--run", out, "--out", drawn / "run", *few).code == 0
    half = call("generate", "red", "--run", trained, "--lora", out, "--lora-scale", 0.5, "--out", drawn / "half", *few)
    assert half.code == 0, half.err
    told = call("info", drawn / "half" / "red-3.png").out.replace("\n", " ")
    assert "lora" in told and "0.5" in told and "no command makes it again: it was drawn with small weights" in told
    for words, error in (
        (("train", data, "--lora", 2, "--out", tmp_path / "x"), "--lora 2: small weights stand beside trained ones"),
        (
            ("train", data, "--from", trained, "--lora", 5000, "--out", tmp_path / "x"),
            "lora = 5000: expected a whole number from 0 to 1024",
        ),
        (("generate", "red", "--run", trained, "--lora-scale", 2), "of which small weights? Add --lora RUN"),
        (("generate", "red", "--run", out, "--lora", trained), "holds no small weights"),
        (("vary", "x.png", "--run", trained, "--lora-scale", 2), "of which small weights? Add --lora RUN"),
        (("serve", trained, "--lora-scale", 2), "of which small weights? Add --lora RUN"),
        (("serve", trained, "--lora", tmp_path), "holds no small weights"),
    ):
        done = call(*words)
        assert done.code == 2 and error in done.err.replace("\n", " "), (words, done.err)
