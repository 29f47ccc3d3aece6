"""A seed, or a class and a seed, becomes a picture: the finished plain DDPM."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from unclip.core import machine
from unclip.core.noise import Noise
from unclip.diffusion.guidance import LogLikelihood
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import Step
from unclip.models.classifier import NoisyClassifier
from unclip.models.ddpm import DDPM, NO_CLASS, Labels
from unclip.pipeline.image_model import ImageModel
from unclip.pipeline.run_folder import RunFolder
from unclip.pipeline.settings import Settings
from unclip.pipeline.stored import load_added, load_early, load_stage, model_hash


@dataclass
class DDPMPipeline(ImageModel):
    """A trained DDPM in evaluation mode. Its prompts are names of classes; "" is a picture of no class."""

    model: DDPM
    classifier: NoisyClassifier | None = None
    early: DDPM | None = None

    @classmethod
    def load(cls, folder: RunFolder, device: str) -> "DDPMPipeline":
        """The model of a finished run. Raises ValueError that names the damaged file."""
        module = load_stage(folder, "ddpm", device)
        return cls(
            module,
            load_added(folder, "classifier", device),
            load_early(folder, "ddpm", device),
            device=device,
            precision=machine.best_precision(device),
            hash=model_hash(folder),
        )

    @property
    def size(self) -> int:
        return self.model.config.size

    @property
    def sampling(self) -> Sampling:
        return self.model.config.sampling

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of its classes; none where it was trained on pictures alone."""
        return self.model.config.classes

    def asked(self, prompts: Sequence[str], n: int, seed: int) -> list[tuple[str, int]]:
        """n pictures of each class that is named; where none is, n pictures, all classes in turn."""
        self.labels(prompts)
        if prompts:
            return [(p, seed + i) for p in prompts for i in range(n)]
        every = self.classes or ("",)
        return [(every[i % len(every)], seed + i // len(every)) for i in range(n)]

    def labels(self, prompts: Sequence[str]) -> Labels:
        """The numbers of these classes. Raises ValueError that lists the names for one that is not among them."""
        numbers = {"": NO_CLASS, **{name: i for i, name in enumerate(self.classes)}}
        for prompt in prompts:
            if prompt not in numbers:
                known = ", ".join(self.classes[:20]) + (", ..." if len(self.classes) > 20 else "")
                why = f"known are {known}" if self.classes else "this model knows none; leave the prompt out"
                raise ValueError(f"class {prompt!r}: {why}")
        return torch.tensor([numbers[p] for p in prompts], dtype=torch.long, device=self.device)

    def steps(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings | None = None) -> Iterator[Step]:
        """Every denoising step for one batch. Raises ValueError where guidance is asked for and there is no class."""
        settings = settings or Settings()
        auto = settings.form == "auto"
        if auto and self.early is None:
            raise ValueError("guidance form 'auto': this run kept no early weights; it was trained by an older unclip")
        if not self.classes and not auto and (settings.form is not None or settings.guidance not in (None, 1)):
            asked = settings.guidance or settings.form
            raise ValueError(f"guidance = {asked}: this model knows no classes to follow; leave it out")
        if settings.clip is not None:
            raise ValueError("CLIP guidance is for a text-to-image run; here: --classifier-guidance")
        labels, how = self.labels(prompts), settings.apply(self.sampling)
        if self.early is not None:
            how = replace(how, guidance=how.guidance.using(worse=self.early.diffusion.denoiser))
        if settings.classifier is not None:
            how = replace(how, guidance=how.guidance.using(log_p=self._log_p(prompts, labels)))
        noise = Noise.per_sample(seeds, self.device).fork("ddpm")
        with self.autocast():
            yield from self.model.sample(labels, noise, how)

    def _log_p(self, prompts: Sequence[str], labels: Labels) -> LogLikelihood:
        if self.classifier is None:
            raise ValueError(
                "classifier guidance: this run has no classifier; train one: unclip add classifier --run RUN"
            )
        if "" in prompts:
            raise ValueError("classifier guidance: say which classes to draw")
        return self.classifier.log_p(labels)
