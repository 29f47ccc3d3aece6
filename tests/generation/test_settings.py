"""What a setting names can be given as an object: a sampler, a grid and a guidance of one's own draw, and are noted."""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
import torch
from tests.fakes import built, tiny_unet

from unclip.cli.provenance import picture_lines
from unclip.core.condition import Condition
from unclip.core.config.ranges import Fraction, Range
from unclip.core.noise import Noise
from unclip.core.typing import LogSNR, State
from unclip.diffusion.denoiser import ConditionalDenoise, Denoise
from unclip.diffusion.grids import Grid, KarrasSteps, UniformTime
from unclip.diffusion.guidance import ClassifierFree, CLIPGuidance, Guidance, Unguided
from unclip.diffusion.guidance.base import Guide
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import DDIM, Sampler, Step
from unclip.diffusion.schedules import Schedule
from unclip.diffusion.schedules.base import Levels
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.settings import Settings, noted
from unclip.images.files import KEY
from unclip.models.ddpm import DDPM, DDPMConfig


@dataclass(frozen=True)
class Slow(Sampler):
    """DDIM that goes only a part of each step's way to the clean estimate's level; 1 is DDIM."""

    name: ClassVar[str] = "slow-walk"
    part: Fraction = 1.0

    def walk(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        for now, after in itertools.pairwise(grid):
            seen = denoise(x, now.expand(len(x)))
            x = x + self.part * (alpha(after) * seen.x0 + sigma(after) * seen.eps - x)
            yield Step(x, seen.x0, after)


@dataclass(frozen=True)
class Cubic(Grid):
    """t = (i/N)^3."""

    def levels(self, schedule: Schedule, steps: int) -> Levels:
        return schedule.sampled(torch.arange(steps, 0, -1, dtype=torch.float64).div(steps) ** 3)


@dataclass(frozen=True)
class Twice(Guidance):
    """Unguided, by another name."""

    times: Annotated[float, Range(0, 9)] = 2.0

    def guide(self, denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Guide:
        return Unguided().guide(denoiser, cond, null)


@pytest.fixture(scope="module")
def model() -> DDPMPipeline:
    sampling = Sampling(3, DDIM())
    return DDPMPipeline(model=built(lambda: DDPM(DDPMConfig(tiny_unet(), size=8, sampling=sampling))))


def picture(model: DDPMPipeline, settings: Settings) -> tuple[list[float], dict[str, Any]]:
    [drawn] = model.generate(settings=settings)
    steps = [*model.steps([""], [0], settings)]  # an untrained network's pixels are all black or white
    return [*steps[-1].x.flatten().tolist(), *(float(step.log_snr) for step in steps)], drawn.info[KEY]


def test_a_sampler_of_ones_own_draws(model: DDPMPipeline):
    plain, _ = picture(model, Settings())
    assert picture(model, Settings(sampler=Slow()))[0] == picture(model, Settings(sampler="slow-walk"))[0] == plain
    assert picture(model, Settings(sampler="Slow"))[0] == plain
    pixels, about = picture(model, Settings(sampler=Slow(0.5)))
    assert pixels != plain
    assert about["sampling"]["sampler"] == {"kind": "Slow", "part": 0.5}
    assert Sampling.from_dict(about["sampling"]).sampler == Slow(0.5)


def test_a_grid_and_a_guidance(model: DDPMPipeline):
    plain, _ = picture(model, Settings())
    pixels, about = picture(model, Settings(grid=Cubic(), guidance=Twice()))
    assert pixels != plain == picture(model, Settings(guidance=Twice()))[0]
    assert about["sampling"]["grid"] == {"kind": "Cubic"}
    assert about["sampling"]["guidance"] == {"kind": "Twice", "times": 2.0}
    assert picture(model, Settings(grid="Cubic"))[0] == pixels
    assert picture(model, Settings(grid="Cubic", form="Twice"))[0] == pixels
    with pytest.raises(ValueError, match="guidance = 2.0: Twice has no scale; leave it out"):
        Settings(form="Twice", guidance=2.0).apply(Sampling())


@pytest.mark.parametrize(
    "settings",
    [
        Settings(sampler=Slow(0.5), grid=KarrasSteps(rho=5.0), guidance=Twice(3.0)),
        Settings(sampler="ddim", guidance=2.0),
    ],
)
def test_settings_are_written_and_read(settings: Settings):
    assert Settings.from_dict(settings.to_dict()) == settings


REFUSED = {
    "sampler=DDIM": "sampler = DDIM: this is the class; give an object of it, DDIM()",
    "sampler=UniformTime()": "sampler = UniformTime(): expected a name, or an object of a class that inherits Sampler",
    "grid=7": "grid = 7: expected a name, or an object of a class that inherits Grid",
    "guidance=Unguided(), form='apg'": "form = 'apg': a form goes with a scale, and guidance is a Unguided",
    "negative=7": "negative = 7: expected a text",
    "guidance='much'": "guidance = 'much': expected a number",
}


def test_what_is_neither_a_name_nor_an_object_is_refused():
    """In an interpreter without the tests' own check of types."""
    code = "from unclip import Settings\nfrom unclip.diffusion import DDIM, UniformTime, Unguided\n"
    code += "".join(f"try: Settings({given})\nexcept ValueError as e: print(e)\n" for given in REFUSED)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(REFUSED)
    assert all(told in line for told, line in zip(REFUSED.values(), done.stdout.splitlines(), strict=True)), done.stdout


def test_a_name_for_what_needs_settings_is_refused():
    with pytest.raises(ValueError, match="sampler = 'AnalyticDPM': no name stands for its settings"):
        Settings(sampler="AnalyticDPM").apply(Sampling())
    with pytest.raises(ValueError, match="sampler = 'slow': did you mean 'slow-walk'"):
        Settings(sampler="slow").apply(Sampling())


def test_sampling_is_unguided_unless_asked_for():
    assert Sampling().guidance == Unguided()
    assert Settings(guidance=2.0).apply(Sampling()).guidance == ClassifierFree(2.0, limit=1.0)
    assert noted(Unguided()) == 1.0
    assert noted(ClassifierFree(2.0)) == 2.0
    assert noted(Twice()) == {"kind": "Twice", "times": 2.0}


def lines(how: Sampling, **more: Any) -> str:
    about = {"prompt": "a cup", "seed": 3, "sampling": how.to_dict(), "model": "abc123", **more}
    return picture_lines(about, Path("nowhere"))[-1]


def test_info_prints_a_command_or_says_why_there_is_none():
    again = "  unclip generate 'a cup' --run RUN-abc123 --seed 3 --steps 4"
    assert lines(Sampling(4, Slow(), grid=Cubic())) == f"{again} --sampler slow-walk --grid Cubic"
    assert lines(Sampling(4, DDIM(1.0), ClassifierFree(2.0), grid=UniformTime())) == (
        f"{again} --guidance 2.0 --sampler ancestral --grid uniform"
    )
    none = "! no command makes it again: its"
    python = "has no name to type; from Python: unclip.Settings"
    assert lines(Sampling(4, Slow(0.5))) == f"{none} sampler Slow (part 0.5) {python}(sampler=...)"
    assert lines(Sampling(4, DDIM(), Twice())) == f"{again} --guidance-form Twice --sampler ddim"
    assert lines(Sampling(4, DDIM(), Twice(3.0))) == f"{none} guidance Twice (times 3.0) {python}(guidance=...)"
    assert lines(Sampling(4, DDIM(), CLIPGuidance(1.0, of=Twice(3.0)))).startswith(f"{none} guidance CLIPGuidance")
    edit = {"command": "edit", "of": ["a.png"], "options": {"guidance": noted(Twice())}}
    assert lines(Sampling(4, DDIM()), made=edit) == f"{none} guidance Twice (times 2.0) {python}(guidance=...)"


def test_info_names_a_sampler_that_nobody_here_knows():
    how = {**Sampling(4, DDIM()).to_dict(), "sampler": {"kind": "Theirs"}}
    told = picture_lines({"prompt": "", "seed": 3, "sampling": how, "model": "abc123"}, Path("nowhere"))[-1]
    assert told == (
        "! no command makes it again: its sampler Theirs is none of unclip's; `unclip info IMAGE "
        "--plugin FILE`, with the file of it, prints the command"
    )
