"""What `unclip explain` sees of a plain DDPM with classes."""

import threading
from pathlib import Path

import pytest
import torch
from PIL import Image

from unclip.data.source import open_source
from unclip.generation.settings import Settings
from unclip.nn.backbones.unet import UNetConfig
from unclip.recipes.events import ImageSaved, Working
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages import DDPMRecipe
from unclip.studies.explain import study
from unclip.studies.explain.request import STEPS, ExplainRequest, Task
from unclip.studies.explain.subject import OpenedRun, open_run
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

COLOURS = {"blue": (0, 0, 200), "red": (200, 0, 0)}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> OpenedRun:
    """A gray DDPM after one step on two classes of plain images."""
    root = tmp_path_factory.mktemp("subject")
    for name, colour in COLOURS.items():
        (root / "data" / name).mkdir(parents=True)
        for i in range(8):
            plain = Image.new("RGB", (32, 32), (colour[0] + i, colour[1], colour[2] + i))
            plain.save(root / "data" / name / f"{i}.png")
    network = UNetConfig(channels=1, patch=2, widths=(8, 16), blocks=(1, 1), attention=(False, False), fine=4)
    recipe = DDPMRecipe(classes=True, network=network, train=TrainConfig(4, OptimConfig(warmup=1), steps=1))
    config = RunConfig(model="ddpm", size=32, precision="float32", recipes={"ddpm": recipe})
    list(train_stages(open_source(root / "data"), root / "run", config, threading.Event(), force=True))
    return open_run(root / "run")


def test_rows_become_pictures_classes_and_conditions(opened: OpenedRun):
    subject, rows = opened.subject, list(range(16))
    assert subject.images(rows).shape == (16, 1, 32, 32)
    prompts = subject.prompts(rows)
    assert sorted(set(prompts)) == ["blue", "red"]
    vector = subject.condition(rows).vector
    assert vector is not None
    assert torch.equal(vector.argmax(1), torch.tensor([["blue", "red"].index(p) for p in prompts]))
    *_, last = subject.steps(["red", "blue"], [0, 1], Settings(steps=2, sampler="ddim"))
    assert last.x.shape == (2, 1, 32, 32)


def test_samples_and_errors_of_a_gray_model(opened: OpenedRun, tmp_path: Path):
    look = Task(opened, ExplainRequest(steps=(2,), samplers=("ddim",), n=3), tmp_path)
    assert sorted(look.prompts[:2]) == ["blue", "red"]
    assert len(look.prompts) == 3
    events = [*study.samples(look), *study.errors(look)]
    assert [e.what for e in events if isinstance(e, Working)] == ["ddim, step 1 of 2", "ddim, step 2 of 2"]
    assert [e.path.name for e in events if isinstance(e, ImageSaved)] == ["samples.png", "levels.png"]


def test_steps_fit_the_schedule(opened: OpenedRun, tmp_path: Path):
    assert Task(opened, ExplainRequest(), tmp_path).steps == list(STEPS)
    assert Task(opened, ExplainRequest(steps=(7, 3, 7)), tmp_path).steps == [3, 7]
