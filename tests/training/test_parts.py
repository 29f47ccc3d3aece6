"""A batch in parts, and blocks that are computed again: the gradients of the whole, with less memory."""

import copy
import dataclasses
from pathlib import Path

import pytest
import torch
from tests.fakes import draw
from tests.processes import painted, runs, train
from torch import Tensor, nn

from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses, Task
from unclip.recipes.settings.run import RunConfig, retrained
from unclip.recipes.stages.autoencoder import AutoencoderRecipe
from unclip.runs.folder import RunFolder
from unclip.training.checkpoint import read_log
from unclip.training.gradients import ByThreads
from unclip.training.parts import check_parts
from unclip.training.recompute import blocks, recomputing
from unclip.training.trainer import TrainConfig

STEPS = 3
KINDS = {
    "unclip": ("clip", "prior", "decoder"),
    "latent": ("clip", "autoencoder", "latent"),
    "ddpm": ("ddpm",),
    "vae": ("vae",),
    "flow": ("flow",),
    "gan": ("gan",),
    "dropout": ("ddpm",),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return painted(tmp_path_factory.mktemp("painted"))


def trained(kind: str, data: Path, out: Path, **changes: object) -> list[list[dict[str, float]]]:
    """The logs of its stages."""
    source, config = runs(data, STEPS)[kind]
    if kind == "latent":  # the weight of its critic is estimated by each part
        recipe = config.of(AutoencoderRecipe)
        config = config.using(
            autoencoder=dataclasses.replace(recipe, loss=dataclasses.replace(recipe.loss, critic_from=1.0))
        )
    train(source, out, changed(dataclasses.replace(config, workers=1), **changes))
    return [list(read_log(RunFolder(out).logs / f"{stage}.jsonl")) for stage in KINDS[kind]]


def changed(config: RunConfig, **changes: object) -> RunConfig:
    return config.using(**{name: retrained(recipe, **changes) for name, recipe in config.recipes.items()})


@pytest.mark.parametrize("kind", KINDS)
def test_every_stage_learns_the_same_in_less_memory(kind: str, data: Path, tmp_path: Path) -> None:
    wanted = trained(kind, data, tmp_path / "whole")
    ways = {"again": {"activation_checkpointing": True}} | ({} if kind == "dropout" else {"parts": {"accumulate": 2}})
    for way, changes in ways.items():
        found = trained(kind, data, tmp_path / way, **changes)
        for one, two in zip(wanted, found, strict=True):
            assert [line["loss"] for line in two] == pytest.approx([line["loss"] for line in one], rel=1e-5), way
            assert [line["grad_norm"] for line in two] == pytest.approx([line["grad_norm"] for line in one], rel=1e-4)


class Deep(nn.Module):
    """Blocks with dropout from a stream, and how many numbers each keeps for the way back."""

    per_sample = True

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(Wide() for _ in range(6))

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        x = batch.image_embedding
        assert x is not None
        for layer in self.layers:
            x = layer(x, noise)
        return Losses(x.square().mean())


class Wide(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(8, 256), nn.SiLU(), nn.Linear(256, 8))

    def forward(self, x: Tensor, noise: Noise) -> Tensor:
        return x + self.mlp(x) * (noise.uniform(x.shape) >= 0.5)


def step(task: Task, parts: int = 1) -> tuple[list[Tensor], int]:
    """The gradients of a step, and the most numbers that were kept for them."""
    kept, most = [0], [0]

    class Held:
        def __init__(self, x: Tensor) -> None:
            self.x = x
            kept[0] += x.numel()
            most[0] = max(most[0], kept[0])

        def __del__(self) -> None:
            kept[0] -= self.x.numel()

    with torch.autograd.graph.saved_tensors_hooks(Held, lambda held: held.x):
        ByThreads(task, "float32", None, parts)(Batch(image_embedding=draw(64, 8)), [Noise.shared(1)])
    assert isinstance(task, nn.Module)
    return [p.grad for p in task.parameters() if p.grad is not None], most[0]


def test_blocks_that_are_computed_again_have_the_same_gradient_bit_for_bit() -> None:
    task = Deep()
    plain, before = step(task)
    assert len(list(blocks(task))) == 6
    with recomputing(task):
        again, after = step(task)
    assert all(torch.equal(a, b) for a, b in zip(plain, again, strict=True))
    assert after < before / 2
    assert all("forward" not in vars(block) for block in blocks(task))
    copy.deepcopy(task)


def test_parts_have_the_gradient_of_the_whole_and_take_less() -> None:
    plain, before = step(Deep())
    found, after = step(Deep(), 4)
    for a, b in zip(plain, found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-8)
    assert after < before / 2


class Ranked(Deep):
    per_sample = False


def test_what_cannot_be_computed_in_parts() -> None:
    with pytest.raises(ValueError, match="the loss of Ranked is no mean over the rows"):
        check_parts(Ranked(), 8, 2, 1)
    with pytest.raises(ValueError, match=r"in 2 equal parts each; take a batch that is a multiple of 6"):
        check_parts(Deep(), 8, 2, 3)
    with pytest.raises(
        ValueError, match="accumulate = 3: a batch of 32 cannot be cut into so many equal parts; take a batch"
    ):
        TrainConfig(accumulate=3)
