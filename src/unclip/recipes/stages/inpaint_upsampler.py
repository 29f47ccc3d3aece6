"""The upsamplers that paint what is missing, as stages that `unclip add` trains on a run that has the upsampler."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from PIL import Image

from unclip.core.config.ranges import Share
from unclip.data.images.resize import shrink
from unclip.data.loader import to_tensor
from unclip.data.masks import MaskConfig
from unclip.evaluation.fidelity.inpainting import judged_holes, score_upsampled
from unclip.generation.upsampling import Enlarger, numbered, upsampled
from unclip.images.files import grid, to_pictures
from unclip.models.known_region import KnownRegion
from unclip.models.upsampler import Upsampler
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.gates import judged_rows
from unclip.recipes.settings.recipe import stages_before
from unclip.recipes.stages.base import Stage, StageRecipe
from unclip.recipes.stages.batches import pictures_of
from unclip.recipes.stages.inpaint import EXACT, GRAY
from unclip.recipes.stages.upsampler import ROWS, splits_at
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

JUDGED = 64
"""Held-out images that the gate looks at."""
SEAM = 0.1
"""Of the data's step over the border of a hole: a step that is so near to it is not a seam."""


@dataclass(frozen=True)
class InpaintUpsamplerRecipe(StageRecipe):
    """An upsampler, fine-tuned to see what is known of the larger image. masks: shares of the kinds of holes."""

    name: ClassVar[str] = "inpaint_upsampler"
    added_to: ClassVar[tuple[str, ...]] = ("unclip",)
    reads_captions: ClassVar[bool] = False
    numbered: ClassVar[bool] = True

    masks: MaskConfig = field(default_factory=MaskConfig)
    share: Share = 0.25
    train: TrainConfig = field(default_factory=lambda: TrainConfig(16, OptimConfig(lr=1e-3, muon_lr=1.5e-3)))

    @classmethod
    def after(cls, number: int) -> tuple[str, ...]:
        """The upsampler whose place it takes where a part of the larger image is known."""
        return (numbered("upsampler", number),)

    def build(self, ctx: Context, name: str) -> Stage[Upsampler]:
        """Starts as the run's upsampler, and sees its images, crops and degradations; only what is shown is new.

        Raises ValueError where the run has no such upsampler.
        """
        (of,) = stages_before(name)
        if of not in ctx.folder.state():
            raise ValueError(f"stage {name!r}: goes on from the stage {of!r}; add that one first")
        plain = ctx.finished(of, Upsampler)
        prepared = ctx.prepared_at(plain.config.size)
        splits = splits_at(ctx, prepared)
        rows, _ = judged_rows(splits)

        def pictures(count: int) -> torch.Tensor:
            return to_tensor(prepared.images[rows[:count]])

        return Stage(
            Upsampler.start(plain, self.masks).to(ctx.device),
            pictures_of(ctx, self.train.batch, flip=True, larger=(prepared, splits)),
            gate=lambda model: inpainting_gate(ctx, name, (model, plain), pictures(JUDGED)),
            preview=lambda model: inpainting_preview(model, plain, pictures(ROWS)),
        )


def inpainting_gate(ctx: Context, name: str, models: tuple[Upsampler, Upsampler], real: torch.Tensor) -> Gate:
    """Holes are not farther from the truth than by the upsampler that does not see the rest, by three standard errors;
    the step over their borders is no farther from the data's; and what is known is kept.

    Not farther, and no more: the small image says most of what lies in a hole. models: (judged, plain).
    """
    metrics = score_upsampled(Enlarger(models[0]), Enlarger(models[1]), real, ctx.config.seed)
    seams = {who: abs(metrics[who] - metrics["seam_real"]) for who in ("seam", "seam_base")}
    seamless = seams["seam"] <= max(seams["seam_base"], SEAM * metrics["seam_real"])
    worse = metrics["gap"] < -3 * metrics["error"]
    why = (
        f"error in holes {metrics['model']:.4f}, of the upsampler that does not see the rest {metrics['base']:.4f}; "
        f"seam {metrics['seam']:.4f}, of that {metrics['seam_base']:.4f}, in the data {metrics['seam_real']:.4f} "
        f"({len(real)} images)"
    )
    return Gate(name, not worse and seamless and metrics["kept"] < EXACT, why, metrics)


def inpainting_preview(model: Upsampler, plain: Upsampler, real: torch.Tensor) -> Image.Image:
    """Rows of held-out images: the hole, how both fill it, the real one."""
    low, given = shrink(real, model.config.factor), KnownRegion(real, judged_holes(real, 0))
    hole = torch.where(given.mask == 1, real, GRAY)
    made = (upsampled([Enlarger(m)], low, range(len(low)), given=[given]) for m in (plain, model))
    columns = [to_pictures(x) for x in (hole, *made, real)]
    return grid(list(zip(*columns, strict=True)), ["hole | upsampler | inpainting | real"] * len(real), zoom=1)
