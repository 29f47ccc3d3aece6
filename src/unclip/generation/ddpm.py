"""A seed, or a class and a seed, becomes an image: the finished plain DDPM."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from unclip.core.config.ranges import quote
from unclip.core.noise import Noise
from unclip.diffusion.guidance import FORMS, Guidance, LogLikelihood
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import Step
from unclip.generation.classed import ClassModel
from unclip.generation.distilled import STAGE, drawing, required, usable
from unclip.generation.settings import Settings
from unclip.models.classes import Labels
from unclip.models.classifier import NoisyClassifier
from unclip.models.ddpm import DDPM
from unclip.runs.modules import Stages


@dataclass
class DDPMPipeline(ClassModel):
    """A trained DDPM. Its prompts are names of classes, "" for an image of no class. `unclip.load` makes one."""

    model: DDPM

    @classmethod
    def load(cls, stages: Stages) -> "DDPMPipeline":
        """Loads the model of a finished run. Raises ValueError that names the damaged file."""
        return cls.of(stages, model=stages("ddpm", DDPM))

    @property
    def size(self) -> int:
        return self.model.config.size

    @property
    def sampling(self) -> Sampling:
        return self.model.config.sampling

    def drawing(self, settings: Settings) -> Sampling:
        """How it draws: as it was trained to, or, after `unclip distill`, in fewer steps."""
        return drawing(self.sampling, settings, usable(self.stages, "ddpm"))

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.model.shape

    @property
    def classes(self) -> tuple[str, ...]:
        return self.model.config.classes

    def steps(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings | None = None) -> Iterator[Step]:
        """Yields every denoising step for a batch.

        Raises ValueError where guidance is asked for and there is no class.
        """
        labels, how = self.labels(prompts), self._guided(self.resolved(settings), prompts)
        noise = Noise.per_sample(seeds, self.device).fork("ddpm")
        with self.autocast():
            yield from self.model.sample(labels, noise, how)

    def resolved(self, settings: Settings | None) -> Sampling:
        settings = settings or Settings()
        if settings.clip is not None:
            raise ValueError("CLIP guidance is for a text-to-image run; here: --classifier-guidance")
        if settings.negative is not None:
            raise ValueError(
                f"negative = {quote(settings.negative)}: a ddpm reads no captions to lead away from; leave it out, and "
                "name the classes to draw"
            )
        how = super().resolved(settings)
        own = isinstance(settings.guidance, Guidance) or (settings.form or "cfg") not in FORMS  # may need no class
        asked = not own and (settings.form is not None or settings.guidance not in (None, 1))
        lacks = how.guidance.missing_models()
        free = "worse" in lacks or ("student" in lacks and settings.guidance is None)
        if asked and not self.classes and not free:
            said = settings.guidance or settings.form
            raise ValueError(f"guidance = {said}: this model knows no classes to follow; leave it out")
        return how

    def stages_used(self, how: Sampling) -> list[str]:
        lacks, guides = how.guidance.missing_models(), {"worse": "early/ddpm", "log_p": "classifier", "student": STAGE}
        return ["ddpm", *(stage for what, stage in guides.items() if what in lacks)]

    def _guided(self, how: Sampling, prompts: Sequence[str]) -> Sampling:
        """With the models that the guidance lacks."""
        lacks, parts = how.guidance.missing_models(), dict[str, object]()
        if "worse" in lacks:
            parts["worse"] = self.stages.early(DDPM).diffusion.denoiser
        if "student" in lacks:
            parts["student"] = required(self.stages, "ddpm")
        if "log_p" in lacks:
            parts["log_p"] = self._log_p(prompts, self.labels(prompts))
        return replace(how, guidance=how.guidance.using(**parts))

    def _log_p(self, prompts: Sequence[str], labels: Labels) -> LogLikelihood:
        classifier = self.stages.added("classifier", NoisyClassifier)
        if classifier is None:
            raise ValueError(
                "classifier guidance: this run has no classifier; train one: unclip add classifier --run RUN"
            )
        if "" in prompts:
            raise ValueError("classifier guidance: say which classes to draw")
        return classifier.log_p(labels)
