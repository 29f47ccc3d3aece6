"""The tests' own tools: annotations are held in every call, and what is trained once is what the others read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
import torch
from beartype import beartype
from jaxtyping import Float
from tests import once
from torch import Tensor, nn

from unclip.core.noise import derive
from unclip.nn.blocks.norm import PositionNorm


@pytest.fixture
def checked() -> Callable[[Any], Any]:
    """What `tests/conftest.py` puts around each function and class of unclip."""
    return jaxtyping.jaxtyped(typechecker=beartype)


def test_types_are_held(checked: Callable[[Any], Any]):
    @checked
    def twice(n: int, names: list[str] | None = None) -> int:
        return n * 2 if n else "none"  # pyright: ignore[reportReturnType]

    assert twice(2) == 4 and twice.__name__ == "twice"
    for wrong in (lambda: twice(2.0), lambda: twice(2, names=[1]), lambda: twice(0), lambda: twice()):
        with pytest.raises(TypeError):
            wrong()


def test_axes_of_one_call_agree_and_those_of_two_need_not(checked: Callable[[Any], Any]):
    @checked
    def cut(x: Float[Tensor, "b d"], y: Float[Tensor, "b d"] | None = None, rows: int = 2) -> Float[Tensor, "b d"]:
        return x[:rows]

    assert cut(torch.zeros(2, 3)).shape == (2, 3) and cut(torch.zeros(2, 5), torch.zeros(2, 5)).shape == (2, 5)
    for given in ((torch.zeros(2, 3), torch.zeros(2, 4)), (torch.zeros(4, 3),), (torch.zeros(2, 3).int(),)):
        with pytest.raises(TypeError):
            cut(*given)


def test_so_are_those_of_methods_fields_and_what_begins_lazily(checked: Callable[[Any], Any]):
    @checked
    @dataclass
    class Pair:
        a: Float[Tensor, " n"]
        b: Float[Tensor, " n"]

        @classmethod
        @checked
        def same(cls, a: Float[Tensor, " n"], times: int) -> "Pair":
            return cls(a, a * times)

        @property
        @checked
        def length(self) -> str:
            return len(self.a)  # pyright: ignore[reportReturnType]

    @checked
    def rows(x: Float[Tensor, "b d"]) -> Iterator[Tensor]:
        yield from x

    one = torch.zeros(3)
    assert Pair.same(one, 2).b.shape == (3,) and len(list(rows(torch.zeros(2, 2)))) == 2
    for wrong in (
        lambda: Pair(one, torch.zeros(4)),
        lambda: Pair.same(one, 0.5),
        lambda: Pair(one, one).length,
        lambda: rows(one),
    ):
        with pytest.raises(TypeError):
            wrong()


def test_unclip_is_checked():
    with pytest.raises(TypeError):
        derive(0.5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError):
        PositionNorm(4)(torch.zeros(2, 4))


def test_what_one_trained_the_others_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(once, "SHARED", [])
    trained = list[int]()

    def train(model: nn.Linear) -> None:
        trained.append(1)
        nn.init.constant_(model.weight, len(trained))

    def model() -> nn.Linear:
        return nn.Linear(2, 2)

    assert once.once(train)(model)().weight.eq(1).all()  # one process: nothing is shared
    once.share(tmp_path / "trained")
    first = once.once(train)(model)
    assert first().weight.eq(2).all() and first() is first()
    read = once.once(train)(model)()
    assert torch.equal(read.weight, first().weight) and torch.equal(read.bias, first().bias) and not read.training
    assert len(trained) == 2 and [path.suffix for path in (tmp_path / "trained").iterdir()] == [".safetensors"]
