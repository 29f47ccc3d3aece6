"""The decoder that paints what is missing, as a stage that `unclip add` trains on a finished run."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from PIL import Image

from unclip.core.config.ranges import Share
from unclip.core.noise import Noise
from unclip.data.loader import to_tensor
from unclip.data.masks import MaskConfig, random_masks
from unclip.evaluation.fidelity.inpainting import HOLES, score_inpainting
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import grid, to_pictures
from unclip.models.decoder import Decoder
from unclip.models.inpainter import Inpainter
from unclip.models.known_region import KnownRegion
from unclip.models.priors.diffusion import Prior
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.feed import distinct_captions
from unclip.recipes.gates import judge
from unclip.recipes.stages.base import Stage, StageRecipe
from unclip.recipes.stages.batches import assembled, decoder_feed
from unclip.runs.modules import Stages
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

PICTURES = 96
EXACT = 1e-5
"""Of what is known, in [-1, 1]; a shade of 255 is 0.008."""
GRAY = 0.6
"""Of a hole, in a preview."""


@dataclass(frozen=True)
class InpaintRecipe(StageRecipe):
    """The decoder, fine-tuned to paint what is missing, at half its rates. masks: shares of the kinds of holes."""

    name: ClassVar[str] = "inpaint"
    added_to: ClassVar[tuple[str, ...]] = ("unclip",)
    follows: ClassVar[tuple[str, ...]] = ("clip", "prior", "decoder")
    gate_previews: ClassVar[float] = 10.0

    masks: MaskConfig = field(default_factory=MaskConfig)
    share: Share = 0.25
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=1e-3, muon_lr=1.5e-3)))

    def build(self, ctx: Context, name: str) -> Stage[Inpainter]:
        """Starts as the run's decoder, and sees its data, embeddings and dropouts; only what is hidden is new."""
        decoder, prior = ctx.finished("decoder", Decoder), ctx.finished("prior", Prior)

        def whole(inpainter: Inpainter) -> TextToImage:
            return assembled(ctx, clip=ctx.clip, prior=prior, decoder=decoder, stages=Stages.of(inpaint=inpainter))

        return Stage(
            Inpainter.start(decoder, self.masks).to(ctx.device).requires_grad_(True),
            decoder_feed(ctx, self.train, decoder, images=True),
            gate=lambda inpainter: judge(ctx, inpaint_gate, whole(inpainter)),
            preview=lambda inpainter: inpaint_preview(ctx, whole(inpainter)),
        )


def inpaint_gate(ctx: Context, rows: np.ndarray, model: TextToImage) -> Gate:
    """Holes are filled nearer to the truth than by the decoder that does not see the rest, by three standard errors,
    and the rest is kept."""
    rows = rows[:PICTURES]
    images = to_tensor(ctx.prepared.images[rows])
    captions = [ctx.prepared.captions[r][0] for r in rows]
    metrics = score_inpainting(model, images, captions, ctx.config.seed)
    kept = metrics["kept"] < EXACT
    why = (
        f"error in holes {metrics['model']:.3f}, of the decoder {metrics['base']:.3f}, of the mean colour "
        f"{metrics['mean']:.3f}; seam {metrics['seam']:.3f}, in the data {metrics['seam_real']:.3f}"
    )
    return Gate("inpaint", kept and metrics["gap"] > 3 * metrics["error"], why, metrics)


@torch.no_grad()
def inpaint_preview(ctx: Context, model: TextToImage, maximum: int = 8) -> Image.Image:
    """A row a held-out image: it, the same with its hole, and three fillings with its own caption and embedding."""
    rows = distinct_captions(ctx.prepared, ctx.splits.validation, maximum)
    captions = [ctx.prepared.captions[r][0] for r in rows]
    images = to_tensor(ctx.prepared.images[rows]).to(ctx.device)
    height, width = images.shape[2:]
    mask = random_masks(len(rows), height, width, Noise.per_sample(rows), HOLES).to(ctx.device)
    assert model.inpainter is not None
    columns, words = [images, torch.where(mask == 1, images, GRAY)], model.tokenizer(captions)
    for seed in range(3):
        noise = Noise.per_sample([seed] * len(rows), ctx.device)
        ids, seen = (t.to(ctx.device) for t in words)
        *_, last = model.inpainter.sample(model.embed_images(images), ids, seen, KnownRegion(images, mask), noise)
        columns.append(last.x)
    pictures = [to_pictures(column.float().cpu()) for column in columns]
    return grid([list(row) for row in zip(*pictures, strict=True)], captions)
