"""Who paints what is missing: the run's inpainter, or its decoder by RePaint."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, Tensor, Vectors
from unclip.data.masks import Known
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import RePaint, Step
from unclip.editing.views import ImageWithHole, known_regions
from unclip.generation.require import require
from unclip.generation.settings import Settings, noted
from unclip.generation.text_to_image import TextToImage
from unclip.generation.upsampling import Enlarger, upsampled
from unclip.models.known_region import KnownRegion

METHODS = ("auto", "model", "repaint")
ADD = "`unclip add inpaint --run RUN --budget 20m`"
ADD_UPSAMPLER = "`unclip add inpaint_upsampler DATA --run RUN --budget 20m`"
JUMP, RESAMPLES = 6, 4
"""RePaint goes back so many steps, and walks them so often in all (docs/inpainting.md)."""


@dataclass(frozen=True)
class Request:
    """What is to be painted: prompt ("": the image's own embedding leads), number, first seed, and how."""

    prompt: str = ""
    n: int = 1
    seed: int = 0
    settings: Settings = field(default_factory=Settings)
    method: str = "auto"

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n = {self.n}: ask for at least 1 image")
        if self.method not in METHODS:
            raise ValueError(f"method = {self.method!r}: known are {', '.join(METHODS)}")

    @property
    def seeds(self) -> range:
        """One an image."""
        return range(self.seed, self.seed + self.n)


@dataclass(frozen=True)
class TypedCommand:
    """The command that was typed, or could be: of an image's path, with options by the names they are typed with."""

    command: str
    of: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Painter:
    """Fills holes for one request. z: the image embedding of each image; method: the one that `auto` means here;
    stages: the upsamplers that draw the details."""

    model: TextToImage
    request: Request
    z: Vectors
    method: Literal["model", "repaint"]
    stages: Sequence[Enlarger] = ()

    @classmethod
    def of(cls, model: TextToImage, request: Request, picture: Images, stages: Sequence[Enlarger] = ()) -> "Painter":
        """Who answers a request about `picture`, [1, c, size, size]. Raises ValueError where the run cannot."""
        require(model.decoder, "decoder")
        method = choose_method(model, request.method)
        if request.prompt.strip():
            z = model.embed_prompts([request.prompt] * request.n, request.seeds)
        else:
            z = model.embed_images(picture).expand(request.n, -1)
        return cls(model, request, z, method, stages)

    @property
    def size(self) -> int:
        """Of what it paints, px."""
        return self.stages[-1].size if self.stages else self.model.size

    @property
    def how(self) -> Sampling:
        """The decoder's own sampling with the changes asked for: what was distilled from it sees no hole."""
        self.model.resolved(self.request.settings)  # raises for what no text-to-image model can do
        how = self.request.settings.apply(self.model.sampling, self.model.limit)
        if "student" in how.guidance.missing_models():
            raise ValueError(
                "guidance form input or jump: the distilled network sees no hole; leave --guidance-form out"
            )
        return how

    @property
    def notes(self) -> list[str]:
        """What a person should know before looking."""
        found: list[str] = []
        if not self.request.prompt.strip():
            found.append("no prompt: the image's own embedding says what to paint")
        if self.method == "repaint" and self.request.method == "auto":
            found.append(
                f"this run has no inpainting stage, so its decoder paints by RePaint, slower; {ADD} trains one"
            )
        if not all(stage.sees_known for stage in self.stages):
            found.append(
                f"the upsampler does not see what is known of the larger image; {ADD_UPSAMPLER} trains one that does"
            )
        return found

    def fill(self, known: Images, mask: Known, name: str) -> Images:
        """Images [n, c, size, size], one a seed, that keep `known` where mask is 1, in [-1, 1] on the CPU.

        name: of this hole, from which its noise follows; images do not depend on how many are painted at once.
        """
        parts, batch = [], self.model.batch
        for start in range(0, self.request.n, batch):
            some = slice(start, start + batch)
            noise = Noise.per_sample(self.request.seeds[some], self.model.device).fork(name)
            hole = KnownRegion(known[some].to(self.model.device), mask.to(self.model.device))
            with self.model.autocast():
                *_, last = self._steps(self.z[some].to(self.model.device), hole, noise, self.request.seeds[some])
            parts.append(last.x.float().clamp(-1, 1).cpu())
        return torch.cat(parts)

    def detailed(self, low: Images, scene: ImageWithHole) -> Float[Tensor, "b c h2 w2"]:
        """What the decoder painted, with the details of the upsamplers, which are given what is known of the scene."""
        known = [known_regions(scene, stage.size // self.model.size, len(low)) for stage in self.stages]
        with self.model.autocast():
            return upsampled(self.stages, low, self.request.seeds, given=known)

    def _steps(self, z: Vectors, given: KnownRegion, noise: Noise, seeds: Sequence[int]) -> Iterator[Step]:
        model, how = self.model, self.how
        ids, seen = (t.to(model.device) for t in model.tokenizer([self.request.prompt] * len(z)))
        if self.method == "model":
            if "worse" in how.guidance.missing_models():
                raise ValueError(
                    "guidance form 'auto': a run keeps no early weights of its inpainting stage; take another form, or "
                    "method repaint"
                )
            painter = require(model.inpainter, "inpaint")
            how = model.reading(model.guided(how, z, ids, seen), painter.decoder, seeds)
            return painter.sample(z, ids, seen, given, noise, how)
        decoder = require(model.decoder, "decoder")
        how = model.reading(model.guided(how, z, ids, seen), decoder, seeds)
        branches = decoder.conditions(z, ids, seen)
        return decoder.fill(given, branches, noise, how, lambda known: repaint(known, how.steps))

    def about(self, seed: int, asked: TypedCommand) -> dict[str, Any]:
        """What made the image of this seed, and the command that makes it again, with the others."""
        how, request = self.how, self.request
        options = {**asked.options, "seed": request.seed, "n": request.n, "method": self.method, "steps": how.steps}
        if request.settings.guidance is not None:
            options["guidance"] = noted(request.settings.guidance)
        if request.settings.negative is not None:
            options["negative"] = request.settings.negative
        enlarged = {}
        if self.model.enlargers:
            options["size"] = self.size
            enlarged = {"size": self.size, "upsamplers": [stage.about() for stage in self.stages]}
        of = [asked.of, *([request.prompt] if request.prompt else [])]
        made = {"command": asked.command, "of": of, "options": options}
        painter = "inpaint" if self.method == "model" else "decoder"
        by = self.model.stages_used(how, bool(request.prompt.strip()), painter)
        by += [stage.name for stage in self.stages]
        return {**self.model.about(request.prompt, seed, how, by), **enlarged, "made": made, "shown": f"seed {seed}"}


def choose_method(model: TextToImage, method: str) -> Literal["model", "repaint"]:
    """The method that is meant. Raises ValueError where the run has no model for it."""
    if method == "model" and model.inpainter is None:
        raise ValueError(
            f"method = 'model': this run has no inpainting stage; {ADD} trains one, and repaint needs none"
        )
    return "repaint" if method == "repaint" or model.inpainter is None else "model"


def repaint(given: KnownRegion, steps: int) -> RePaint:
    """The resampling walk on a grid of so many steps."""
    jump = min(JUMP, steps - 1)
    return RePaint(given.images, given.mask, max(1, jump), RESAMPLES if jump else 1)
