"""Calls from Python: refused by name, with what is known."""

from typing import Literal

import pytest

import unclip
from unclip.core.config.arguments import WrongArgument, checked, texts
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage


@checked
def draw(
    name: str, n: int = 1, eta: float = 0.0, fresh: bool = False, by: Literal["a", "b"] = "a",
    settings: Settings | None = None,
) -> str:  # fmt: skip
    return f"{name} {n} {eta} {fresh} {by} {settings}"


@pytest.mark.parametrize(
    "given, why",
    [
        ({"name": "x", "n": 2.5}, "draw: n = 2.5: expected a whole number"),
        ({"name": "x", "n": True}, "n = True: expected a whole number"),
        ({"name": "x", "n": "2"}, "n = '2': expected a whole number"),
        ({"name": "x", "eta": float("nan")}, "eta = nan: expected a number"),
        ({"name": "x", "fresh": 1}, "fresh = 1: expected True or False"),
        ({"name": 3}, "name = 3: expected words"),
        ({"name": "x", "by": "c"}, "by = 'c': expected one of 'a', 'b'"),
        ({"name": "x", "settings": {}}, "settings = {}: expected a Settings or None"),
        ({"name": "x", "ete": 1.0}, "unknown option 'ete'; did you mean 'eta'? known are name, n, eta"),
        ({"name": "x", "steps": 3}, "unknown option 'steps'; it goes into settings=Settings(steps=...)"),
        ({}, "missing a required argument: 'name'"),
        ({"name": "x", "n": "\x1b[31m"}, r"n = '\x1b[31m'"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(given: dict[str, object], why: str):
    with pytest.raises(WrongArgument) as told:
        draw(**given)  # pyright: ignore
    assert why in str(told.value)
    assert isinstance(told.value, TypeError) and isinstance(told.value, ValueError)


def test_what_can_be_meant_is_done():
    assert draw("x", 2, 1, True, "b", None) == "x 2 1 True b None"


@pytest.mark.parametrize(
    "given, read",
    [
        (["a", "b"], ["a", "b"]),
        (("a",), ["a"]),
        ((word for word in "ab"), ["a", "b"]),
        (iter(["a\n", "\n", "b\r\n"]), ["a", "b"]),
        ({"a": 1}, ["a"]),
    ],
)
def test_words_come_from_anything_that_yields_them(given: object, read: list[str]):
    assert texts("prompts", given) == read


def test_an_open_file_is_a_list_of_prompts(tmp_path):
    (tmp_path / "prompts.txt").write_text("a heart\n\na star", encoding="utf-8")
    with (tmp_path / "prompts.txt").open(encoding="utf-8") as file:
        assert texts("prompts", file) == ["a heart", "a star"]


@pytest.mark.parametrize(
    "given, why", [("abc", r"pass a list, \['abc'\]"), ([1], "1 is no words"), (3, "a list of words")]
)
def test_what_is_no_list_of_words(given: object, why: str):
    with pytest.raises(WrongArgument, match=why):
        texts("prompts", given)


def test_what_is_asked_of_a_model_is_checked():
    model = object.__new__(TextToImage)
    with pytest.raises(WrongArgument, match="unknown option 'rigth'; did you mean 'right'"):
        unclip.extend(model, "x.png", rigth=1.0)  # pyright: ignore
    with pytest.raises(WrongArgument, match="right = '1': expected a number"):
        unclip.extend(model, "x.png", right="1")  # pyright: ignore


def test_a_model_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="vary: this is a DDPMPipeline; only a run of --model unclip can do it"):
        unclip.vary(object.__new__(DDPMPipeline), "x.png")
    with pytest.raises(
        WrongArgument, match=r"vary: model = 'runs/demo': expected a model, as unclip.load\(RUN\) gives it"
    ):
        unclip.vary("runs/demo", "x.png")  # pyright: ignore
