"""What a GPU is given, as far as that can be seen without one."""

import gc
import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from tests.fakes import NOTHING, awake, built, draw, tiny_unet
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

from unclip.core import noise as numbers
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.data.images.resize import lanczos
from unclip.models.upsampler import cut
from unclip.nn.backbones.diffusion_unet import DiffusionUNetConfig
from unclip.nn.backbones.unet import UNetConfig
from unclip.nn.blocks import layout
from unclip.training.device import Ahead, compiled, tf32
from unclip.training.optim import OptimConfig
from unclip.training.plan import Plan
from unclip.training.report import Figures
from unclip.training.trainer import TrainConfig, Trainer

CPU = torch.device("cpu")
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def gpu() -> ModuleType:
    """benchmarks/gpu.py."""
    spec = importlib.util.spec_from_file_location("gpu_benchmark", BENCHMARKS / "gpu.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made  # where dataclasses look for their module
    spec.loader.exec_module(made)
    return made


@pytest.fixture
def forgotten() -> Iterator[None]:
    """After the test, tables that functions of unclip keep are made anew: they may have been made without numbers."""
    yield
    for kept in gc.get_objects():
        if type(kept) is type(lanczos) and kept.__module__.startswith("unclip."):
            kept.cache_clear()


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("name", ["ddpm", "clip", "decoder", "upsampler"])
def test_no_number_of_a_loss_is_read_by_the_host(name: str, gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under FakeTensorMode tensors have no numbers, so reading one raises DataDependentOutputException."""
    monkeypatch.setattr(numbers, "seeded", lambda generator, seed: generator.manual_seed(seed % 2**62))
    task, parts = gpu.NETWORKS[name](32, True)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        for module in task.modules():
            for at, value in module._parameters.items():
                if value is not None:
                    module._parameters[at] = nn.Parameter(mode.from_tensor(value.data), value.requires_grad)
            for at, value in module._buffers.items():
                if value is not None:
                    module._buffers[at] = mode.from_tensor(value)
        losses = task.loss(gpu.drawn(task, parts, 32, 4), Noise.shared(0))
        losses.total.backward()


COMPILED = """
import sys
sys.path.insert(0, sys.argv[1])
import gpu
import torch
from unclip.core.noise import Noise
from unclip.training.device import compiled

task, parts = gpu.NETWORKS[sys.argv[2]](32, True)
batch, found = gpu.drawn(task, parts, 32, 2), []
for on in (False, True):
    with compiled(task, on, backend="aot_eager"):
        task.zero_grad()
        task.loss(batch, Noise.shared(0)).total.backward()
    found.append([p.grad.clone() for p in task.parameters() if p.grad is not None])
assert len(found[0]) == len(found[1]) > 10
for plain, fast in zip(*found, strict=True):
    assert torch.allclose(plain, fast, rtol=1e-4, atol=1e-6), (plain - fast).abs().max()
assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0, "something was compiled"
assert not any("forward" in module.__dict__ for module in task.modules()), "and is what it was"
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ddpm", "clip"])
def test_compiled_blocks_train_as_they_are(name: str) -> None:
    """By the compiler's front and its gradients, whatever then writes the code; in a process without the checks of
    types that tests put around every function, which the front cannot follow."""
    done = subprocess.run([sys.executable, "-c", COMPILED, BENCHMARKS, name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_cpu_compiles_nothing_and_a_task_that_differentiates_twice_is_left(gpu: ModuleType) -> None:
    task, _ = gpu.NETWORKS["ddpm"](32, True)
    config = TrainConfig(2, OptimConfig(), steps=1)
    assert not Trainer(task, lambda step: Batch(), config, Plan(steps=1), 0, "float32", compile=True).compile
    task.penalties = ("r1",)
    with compiled(task, True):
        assert not any("forward" in module.__dict__ for module in task.modules())


def test_tf32_is_for_what_stands_beside_bfloat16_on_cuda() -> None:
    kinds = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [kind.allow_tf32 for kind in kinds]
    for precision, wanted in (("bfloat16", True), ("float32", False)):
        with tf32(torch.device("cuda"), precision):
            assert [kind.allow_tf32 for kind in kinds] == [wanted, wanted]
        with tf32(CPU, precision):
            assert [kind.allow_tf32 for kind in kinds] == before
    assert [kind.allow_tf32 for kind in kinds] == before


def test_the_next_batch_is_made_while_a_step_computes() -> None:
    made = list[int]()

    def feed(step: int) -> Batch:
        if step == 7:
            raise ValueError("no such image")
        made.append(step)
        return Batch(labels=torch.tensor([step]))

    with Ahead(feed, CPU, ahead=True) as ahead:
        for step in (3, 4, 5):
            batch = ahead(step)
            assert batch.labels is not None and batch.labels.item() == step
            deadline = time.monotonic() + 60
            while step + 1 not in made:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        assert ahead(0).labels is not None, "another step than the next is made when it is asked for"
        with pytest.raises(ValueError, match="no such image"):
            ahead(7)
    assert [step for step in made if step in (3, 4, 5)] == [3, 4, 5], "none twice"
    plain = Ahead(feed, CPU)
    assert plain.pool is None and plain(9).labels is not None


@pytest.mark.parametrize(
    "config",
    [
        tiny_unet(),
        DiffusionUNetConfig(width=32, multipliers=(1, 2), attention=(False, True), blocks=1),
    ],
    ids=["hourglass", "paper"],
)
def test_convolutions_of_a_gpu_have_channels_last(
    config: UNetConfig | DiffusionUNetConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, x = awake(built(config.build)).eval(), draw(4, 3, 16, 16)
    level, seen = torch.linspace(-4, 4, 4), list[bool]()
    for conv in (m for m in net.modules() if isinstance(m, nn.Conv2d) and m.kernel_size != (1, 1)):
        conv.register_forward_pre_hook(
            lambda _, given: seen.append(given[0].is_contiguous(memory_format=torch.channels_last))
        )
    plain = net(x, level, NOTHING)
    before, seen[:] = list(seen), []
    monkeypatch.setattr(layout, "CHANNELS_LAST", {"cpu"})
    assert torch.allclose(net(x, level, NOTHING), plain, atol=1e-4)
    assert all(seen) and not all(before), f"{sum(seen)} of {len(seen)}"


def test_a_crop_is_cut_where_the_images_lie() -> None:
    images, corners = draw(5, 3, 12, 10), torch.tensor([[0, 0], [8, 6], [3, 5], [1, 0], [2, 6]])
    for one, part, (i, j) in zip(images, cut(images, corners, 4), corners.tolist(), strict=True):
        assert torch.equal(part, one[:, i : i + 4, j : j + 4])


def test_the_figures_of_a_step_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = Losses(torch.tensor(2.5, requires_grad=True), {"a": torch.tensor(0.1), "b": 3, "c": torch.tensor(-7.0)})
    reads, read = list[int](), Tensor.tolist
    monkeypatch.setattr("unclip.training.report.floats", lambda x: reads.append(len(x)) or read(x))
    found = Figures.of(losses, torch.tensor(0.5))
    assert reads == [4]
    assert found.loss == 2.5 and found.norm == 0.5 and list(found.parts) == ["a", "b", "c"]
    assert found.parts == {"a": pytest.approx(0.1), "b": 3.0, "c": -7.0}
    assert all(isinstance(value, float) for value in found.parts.values())
