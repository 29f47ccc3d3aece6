"""A finished run's drawing stage, distilled to few steps: what `unclip distill` trains."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch

from unclip.core.config.base import options
from unclip.core.config.ranges import Share
from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.diffusion.grids import Jumps
from unclip.diffusion.guidance import by_name, name_of
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import Consistency
from unclip.evaluation import suite
from unclip.evaluation.alignment import matched_against_shuffled
from unclip.evaluation.sets.paired import paired_difference
from unclip.generation.distilled import STAGE
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.models.decoder import Decoder
from unclip.models.distillation import Distillation, DistillationOptions, Lesson, Student, StudentConfig
from unclip.models.priors.diffusion import Prior
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.gates import judge, likeness_of, pairs_of
from unclip.recipes.stages.base import Stage, StageRecipe
from unclip.recipes.stages.batches import assembled, caption_preview, feed
from unclip.runs.modules import DIGITS, Stages
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

PICTURES = 96
"""That the gate draws, by student and by teacher."""
KEPT = 0.95
"""Of what the teacher's images gain from the right caption over a wrong one, so much must be left."""


@dataclass(frozen=True)
class DistilledRecipe(DistillationOptions, StageRecipe):
    """The decoder's student, at a fifth of its rates. steps: of its jumps, unless a person asks for others."""

    name: ClassVar[str] = STAGE
    added_to: ClassVar[tuple[str, ...]] = ("unclip",)
    follows: ClassVar[tuple[str, ...]] = ("clip", "prior", "decoder")
    gate_previews: ClassVar[float] = 8.0

    sampling: Sampling = field(default_factory=lambda: Sampling(4, Consistency(), grid=Jumps()))
    share: Share = 0.5
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=4e-4, muon_lr=6e-4)))

    def build(self, ctx: Context, name: str) -> Stage[Distillation]:
        """Starts as the run's decoder, and sees its data, embeddings and dropouts."""
        decoder, prior = ctx.finished("decoder", Decoder), ctx.finished("prior", Prior)
        student = Student.of(decoder.diffusion, self.config(ctx, decoder))
        batches = feed(ctx, self.train)
        batches.embeddings = ctx.embeddings

        def whole(module: Distillation) -> TextToImage:
            stages = Stages.of(**{STAGE: module.student})
            return assembled(ctx, clip=ctx.clip, prior=prior, decoder=decoder, stages=stages)

        module = Distillation(
            student,
            lambda x, log_snr, cond: decoder.diffusion.denoiser(x, log_snr, cond),
            lambda batch, noise: lesson(decoder, batch, noise),
            options(self, DistillationOptions),
        )
        return Stage(
            module.to(ctx.device),
            batches,
            gate=lambda m: judge(ctx, distilled_gate, whole(m)),
            preview=lambda m: caption_preview(ctx, whole(m)),
            kept=lambda m: m.student,
        )

    def config(self, ctx: Context, decoder: Decoder) -> StudentConfig:
        """The student of this decoder, which draws with its scale of guidance."""
        of = decoder.config
        sha = ctx.folder.state()["decoder"].get("sha256", "")[:DIGITS]
        named = name_of(of.sampling.guidance)
        low, high = self.scales
        scale = min(high, max(low, 1.0 if named is None else named[1]))
        sampling = replace(self.sampling, guidance=by_name("jump", scale, of.diffusion.limit))
        return StudentConfig(of.network, of.diffusion, sampling, self.scales, sha or StudentConfig.teacher)


def lesson(decoder: Decoder, batch: Batch, noise: Noise) -> Lesson:
    """A batch as the decoder's training sees it, and what its guidance leads away from."""
    assert batch.images is not None and batch.image_embedding is not None
    assert batch.ids is not None and batch.mask is not None
    _, null = decoder.conditions(batch.image_embedding, batch.ids, batch.mask)
    return Lesson(batch.images, decoder.training_condition(batch, noise), null)


def distilled_gate(ctx: Context, rows: np.ndarray, model: TextToImage) -> Gate:
    """Its images fit their captions nearly as well as its teacher's of the same seeds, and are no noise."""
    real, captions = pairs_of(ctx, rows, PICTURES)
    texts, seed = model.embed_captions(captions), ctx.config.seed
    made = suite.generate_for_captions(model, captions, seed)
    taught = suite.generate_for_captions(model, captions, seed, Settings(guidance=model.sampling.guidance))
    score, of_teacher = (matched_against_shuffled(model.embed_images(x), texts, captions) for x in (made, taught))
    a, b = ((model.embed_images(x) * texts).sum(1) for x in (made, taught))
    less = paired_difference(a, b, captions, Noise.shared(seed, "distilled"))
    like, kept = likeness_of(ctx, made, real), score["gap"] / max(1e-6, of_teacher["gap"])
    steps = model.drawing(Settings()).steps
    why = (
        f"{steps} steps: CLIP score {score['matched']:.3f}, {model.sampling.steps} steps of its teacher "
        f"{of_teacher['matched']:.3f} (difference {less.value:+.3f} +- {less.error:.3f}); {like.said()}"
    )
    metrics = {**score, **like.metrics, "teacher_matched": of_teacher["matched"], "kept": kept}
    metrics |= {"difference": less.value, "difference_error": less.error}
    return Gate(STAGE, kept >= KEPT and not like.noise, why, metrics)
