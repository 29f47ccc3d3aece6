"""The stage that draws a finished run's images, distilled to few steps: what `unclip distill` trains."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch
from PIL import Image

from unclip.core.condition import Condition
from unclip.core.config.base import options
from unclip.core.config.ranges import Share
from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.data.loader import to_tensor
from unclip.diffusion.grids import Jumps
from unclip.diffusion.guidance import by_name, name_of
from unclip.diffusion.process import Diffusion, Sampling
from unclip.diffusion.samplers import Consistency
from unclip.evaluation import pictures as scores
from unclip.evaluation import suite
from unclip.evaluation.alignment import matched_against_shuffled
from unclip.evaluation.sets.paired import paired_difference
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.distilled import STAGE
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import grid, to_pictures
from unclip.models.classes import NO_CLASS
from unclip.models.ddpm import DDPM, DDPMConfig
from unclip.models.decoder import Decoder, DecoderConfig
from unclip.models.distillation import Distillation, DistillationOptions, Lesson, Student, StudentConfig
from unclip.models.priors.diffusion import Prior
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.feed import distinct_captions
from unclip.recipes.gates import judge, judged_rows, likeness_of, pairs_of
from unclip.recipes.stages.base import Stage, StageRecipe
from unclip.recipes.stages.batches import assembled, decoder_feed
from unclip.recipes.stages.ddpm import DDPMRecipe
from unclip.recipes.stages.families.classed import pictures, sheet
from unclip.runs.modules import DIGITS, Stages
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

Taught = Callable[[Batch, Noise], Lesson]
PICTURES = 64
"""That the gate draws, by student and by teacher."""
ROWS, COLUMNS = 6, 3
"""Of a preview."""
KEPT = 0.95
"""Of what the teacher's images gain from the right caption over a wrong one, so much must be left."""
LOST = 0.1
"""So much of the way from noise to the data a plain DDPM's student may lose."""


@dataclass(frozen=True)
class DistilledRecipe(DistillationOptions, StageRecipe):
    """The student of what draws a run's images, at 0.3 times its rates. sampling: its own, but for the guidance."""

    name: ClassVar[str] = STAGE
    added_to: ClassVar[tuple[str, ...]] = ("unclip", "ddpm")
    gate_previews: ClassVar[float] = 40.0

    sampling: Sampling = field(default_factory=lambda: Sampling(4, Consistency(), grid=Jumps()))
    share: Share = 0.5
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=6e-4, muon_lr=9e-4)))

    def build(self, ctx: Context, name: str) -> Stage[Distillation]:
        """Starts as the stage that draws, and sees the same data, embeddings and dropouts."""
        stage = _of_ddpm(self, ctx) if ctx.config.model == "ddpm" else _of_decoder(self, ctx)
        stage.module.to(ctx.device)
        return stage

    def taught(self, ctx: Context, teacher: Diffusion, of: DecoderConfig | DDPMConfig, lesson: Taught) -> Distillation:
        """The student of a stage with these settings, with what teaches it; it draws with the stage's own scale."""
        named, (low, high) = name_of(of.sampling.guidance), self.scales
        scale = min(high, max(low, 1.0 if named is None else named[1]))
        sampling = replace(self.sampling, guidance=by_name("jump", scale, of.diffusion.limit))
        sha = ctx.folder.state()[ctx.folder.drawing].get("sha256", "")[:DIGITS]
        config = StudentConfig(of.network, of.diffusion, sampling, self.scales, sha)
        return Distillation(
            Student.of(teacher, config),
            lambda x, log_snr, cond: teacher.denoiser(x, log_snr, cond),
            lesson,
            DistillationOptions(**options(self, DistillationOptions)),
        )


def _of_decoder(recipe: DistilledRecipe, ctx: Context) -> Stage[Distillation]:
    decoder, prior = ctx.finished("decoder", Decoder), ctx.finished("prior", Prior)

    def whole(module: Distillation) -> TextToImage:
        stages = Stages.of(**{STAGE: module.student})
        return assembled(ctx, clip=ctx.clip, prior=prior, decoder=decoder, stages=stages)

    return Stage(
        recipe.taught(ctx, decoder.diffusion, decoder.config, lambda batch, noise: lesson(decoder, batch, noise)),
        decoder_feed(ctx, recipe.train, decoder),
        gate=lambda m: judge(ctx, distilled_gate, whole(m)),
        preview=lambda m: distilled_preview(ctx, whole(m)),
        kept=lambda m: m.student,
    )


def lesson(decoder: Decoder, batch: Batch, noise: Noise) -> Lesson:
    """A batch as the decoder's training sees it, and what its guidance leads away from."""
    assert batch.image_embedding is not None
    assert batch.ids is not None and batch.mask is not None
    _, null = decoder.conditions(batch.image_embedding, batch.ids, batch.mask)
    return Lesson(decoder.clean(batch), decoder.training_condition(batch, noise), null)


def _of_ddpm(recipe: DistilledRecipe, ctx: Context) -> Stage[Distillation]:
    ddpm = ctx.finished("ddpm", DDPM)

    def whole(module: Distillation) -> DDPMPipeline:
        stages = Stages.of(**{STAGE: module.student})
        return DDPMPipeline(ddpm, device=ctx.device, precision=ctx.precision, stages=stages)

    def asked(batch: Batch, noise: Noise) -> Lesson:
        assert batch.images is not None
        if batch.labels is None:
            return Lesson(batch.images, Condition())
        none = torch.full_like(batch.labels, NO_CLASS)
        return Lesson(batch.images, ddpm.condition(batch.labels), ddpm.condition(none))

    return Stage(
        recipe.taught(ctx, ddpm.diffusion, ddpm.config, asked),
        pictures(ctx, ctx.config.of(DDPMRecipe), ddpm.config.network.channels, recipe.train.batch),
        gate=lambda m: judge(ctx, distilled_ddpm_gate, whole(m)),
        preview=lambda m: sheet(whole(m), Settings())[0],
        kept=lambda m: m.student,
    )


def distilled_gate(ctx: Context, rows: np.ndarray, model: TextToImage) -> Gate:
    """Its images fit their captions nearly as well as its teacher's of the same seeds, and are no noise.

    Both see the embeddings of the true images: the prior is not what is judged.
    """
    real, captions = pairs_of(ctx, rows, PICTURES)
    texts, z, seed = model.embed_captions(captions), model.embed_images(real), ctx.config.seed
    made = suite.decode_embeddings(model, z, captions, seed, model.drawing(Settings()))
    taught = suite.decode_embeddings(model, z, captions, seed)
    score, of_teacher = (matched_against_shuffled(model.embed_images(x), texts, captions) for x in (made, taught))
    a, b = ((model.embed_images(x) * texts).sum(1) for x in (made, taught))
    less = paired_difference(a, b, captions, Noise.shared(seed, "distilled"))
    like, kept = likeness_of(ctx, made, real), score["gap"] / max(1e-6, of_teacher["gap"])
    why = (
        f"{model.drawing(Settings()).steps} steps: CLIP score {score['matched']:.3f}, {model.sampling.steps} steps of "
        f"its teacher {of_teacher['matched']:.3f} (difference {less.value:+.3f} +- {less.error:.3f}); {like.said()}"
    )
    if kept < KEPT:
        why += (
            f"; {kept:.0%} of the teacher's gap between right and wrong captions is left, and {KEPT:.0%} is wanted: "
            "distil it again with --restart and a longer --budget"
        )
    metrics = {**score, **like.metrics, "teacher_matched": of_teacher["matched"], "kept": kept}
    metrics |= {"difference": less.value, "difference_error": less.error}
    return Gate(STAGE, kept >= KEPT and not like.noise, why, metrics)


def distilled_ddpm_gate(ctx: Context, rows: np.ndarray, model: DDPMPipeline) -> Gate:
    """Its images have come nearly as far from noise to the data as its teacher's of the same seeds."""
    real, own = scores.held_out(model, ctx.prepared, rows[:PICTURES])
    before = Settings(guidance=model.sampling.guidance)  # a guidance of its own: the teacher draws
    made, taught = (scores.generate_images(model, own, ctx.config.seed, how) for how in (Settings(), before))
    like, of_teacher = likeness_of(ctx, made, real), likeness_of(ctx, taught, real)
    why = (
        f"{model.drawing(Settings()).steps} steps: {like.said()}; {model.sampling.steps} steps of its teacher: "
        f"{of_teacher.way:.0%}"
    )
    good = not like.noise and like.way >= of_teacher.way - LOST
    return Gate(STAGE, good, why, {**like.metrics, "way": like.way, "teacher_way": of_teacher.way})


@torch.no_grad()
def distilled_preview(ctx: Context, model: TextToImage) -> Image.Image:
    """A row a held-out image: it, and three that are drawn from its own embedding and caption."""
    rows = distinct_captions(ctx.prepared, judged_rows(ctx.splits)[0], ROWS)
    captions, real = [ctx.prepared.captions[r][0] for r in rows], to_tensor(ctx.prepared.images[rows])
    z, how = model.embed_images(real), model.drawing(Settings())
    columns = [real, *(suite.decode_embeddings(model, z, captions, seed, how) for seed in range(COLUMNS))]
    return grid([list(row) for row in zip(*map(to_pictures, columns), strict=True)], captions)
