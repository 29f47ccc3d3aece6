"""Every number is held to its range wherever settings are made; whatever the value, the answer is a ValueError."""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from unclip.core.config.base import Config, WrongSetting
from unclip.core.config.ranges import Fraction, Length, Range
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages import DecoderRecipe
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig


@dataclass(frozen=True)
class Inner(Config):
    batch: Annotated[int, Range(1, 8)] = 4
    rate: Annotated[float, Range(0, 1, above=True)] = 0.5
    norm: Annotated[float, Range(0, math.inf, above=True)] = 1.0
    widths: Annotated[tuple[Annotated[int, Range(1, 64)], ...], Length(1, 3)] = (8,)
    limit: Fraction | None = None

    def __post_init__(self) -> None:
        if self.batch == 7:
            raise ValueError("batch = 7: is odd in this test")


@dataclass(frozen=True)
class Outer(Config):
    inner: Inner


WRONG: dict[str, tuple[Any, str]] = {
    "batch": (-8, "inner.batch = -8: expected a whole number from 1 to 8"),
    "rate": (math.nan, "inner.rate = nan: expected a number above 0 and at most 1"),
    "norm": (0, "inner.norm = 0: expected a number above 0"),
    "widths": ([1, 65], "inner.widths[1] = 65: expected a whole number from 1 to 64"),
    "limit": (1.5, "inner.limit = 1.5: expected a number from 0 to 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_names_itself_the_path_the_value_and_the_range(name: str):
    value, words = WRONG[name]
    with pytest.raises(WrongSetting, match=re.escape(f"run.toml: {words}")) as error:
        Outer.from_dict({"inner": {name: value}}, "run.toml")
    assert error.value.path.startswith(f"inner.{name}")


@pytest.mark.parametrize("options, words", [
    ({"batch": 0}, "Inner.batch = 0: expected a whole number from 1 to 8"),
    ({"rate": math.inf}, "Inner.rate = inf: expected"),
    ({"widths": ()}, "Inner.widths = (): expected 1 to 3 values"),
    ({"widths": (1, 2, 3, 4)}, "1 to 3 values"),
    ({"limit": -0.1}, "Inner.limit = -0.1"),
    ({"batch": 7}, "batch = 7: is odd"),
])  # fmt: skip
def test_python_is_held_to_the_same(options: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=re.escape(words)):
        Inner(**options)


def test_infinity_only_where_a_range_ends_there():
    assert Inner(norm=math.inf).norm == math.inf
    assert Outer.from_dict({"inner": {"norm": math.inf}}).inner.norm == math.inf


def test_a_whole_number_beyond_all_floats_is_none():
    words = r"norm = 1000+.*expected a number above 0$"
    with pytest.raises(WrongSetting, match=words):
        Outer.from_dict({"inner": {"norm": 10**400}})
    with pytest.raises(ValueError, match=words):
        Inner(norm=10**400)


def test_how_fields_go_together_is_told_with_the_path():
    with pytest.raises(WrongSetting, match=r"^settings: inner: batch = 7"):
        Outer.from_dict({"inner": {"batch": 7}})


@pytest.mark.parametrize("value", [10**400, "9" * 5000, [[[[1]]]], {"a": 1}, None, True, "\x1b[31m", b"x", 1.0])
def test_whatever_the_value_the_line_is_short_and_plain(value: Any):
    with pytest.raises(ValueError, match="batch") as error:
        Outer.from_dict({"inner": {"batch": value}})
    assert len(str(error.value)) < 200
    assert "\x1b" not in str(error.value)


IMPOSSIBLE = (
    {"budget": math.nan}, {"budget": 0.0}, {"budget": -1.0}, {"budget": math.inf}, {"seed": -1}, {"seed": 2**63},
    {"workers": 0}, {"workers": -2}, {"vocabulary": 0}, {"longest_caption": 0}, {"held_out": 2.0}, {"held_out": -0.1},
    {"held_out": math.nan}, {"max_bad": 1.5}, {"max_bad": math.nan}, {"checkpoint_seconds": -1.0},
    {"checkpoint_seconds": math.nan}, {"size": 0}, {"size": -32}, {"size": 48},
    *({"decoder": {"train": {"batch": value}}} for value in (0, -8, 10**9)),
    *({"decoder": {"train": {"steps": value}}} for value in (-1,)),
    *({"decoder": {"train": {"ema_decay": value}}} for value in (1.0, -0.1, math.nan)),
    *({"decoder": {"train": {"cooldown": value}}} for value in (-0.1, 1.1, math.nan)),
    *({"decoder": {"train": {"optim": {"lr": value}}}} for value in (0.0, -1.0, math.nan, math.inf)),
    *({"decoder": {"train": {"optim": {"beta1": value}}}} for value in (1.0, math.nan)),
    {"decoder": {"train": {"optim": {"warmup": -1}}}}, {"decoder": {"train": {"optim": {"decay": math.nan}}}},
    {"decoder": {"train": {"optim": {"clip": 0.0}}}}, {"decoder": {"share": -1.0}}, {"decoder": {"share": math.nan}},
    {"decoder": {"share": 0.0}}, {"decoder": {"drop_caption": 2.0}}, {"decoder": {"image_tokens": 0}},
    {"decoder": {"network": {"kind": "UNetConfig", "patch": 0}}},
    {"decoder": {"network": {"kind": "UNetConfig", "widths": []}}},
    {"decoder": {"network": {"kind": "UNetConfig", "widths": [0, 64]}}},
    {"decoder": {"sampling": {"steps": 0}}}, {"clip": {"width": 0}}, {"clip": {"text_layers": 0}},
    {"clip": {"vision_patch": 0}}, {"prior": {"candidates": 0}}, {"prior": {"sampling": {"steps": 0}}},
    {"decoder": {"diffusion": {"schedule": {"kind": "LogNormal", "std": math.nan}}}},
    {"decoder": {"diffusion": {"limit": math.nan}}}, {"decoder": {"diffusion": {"uncertainty": -1}}},
)  # fmt: skip


@pytest.mark.parametrize("table", IMPOSSIBLE, ids=str)
def test_settings_that_cannot_be_are_refused(table: dict[str, Any]):
    name = str(table).replace("'", "").replace("{", "").rpartition(":")[0].split(":")[-1].split(",")[-1].strip()
    with pytest.raises(ValueError, match="run.toml: .*=") as error:
        RunConfig.from_dict(table, "run.toml")
    assert name in str(error.value)


def test_what_people_do_is_in_range():
    TrainConfig(1, OptimConfig(lr=1e-6, muon_lr=0.0, warmup=0, clip=math.inf), steps=0, ema_gamma=0.0, cooldown=1.0)
    DecoderRecipe(drop_caption=0.0, drop_embedding=1.0)
    RunConfig(budget=0.5, held_out=0.0, max_bad=1.0, seed=2**63 - 1)
