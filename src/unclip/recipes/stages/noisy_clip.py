"""The noise-aware CLIP of a text-to-image run, as a stage that `unclip add` trains."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch

from unclip.clip.noisy import NoisyCLIP, NoisyCLIPConfig
from unclip.core.config.ranges import Share
from unclip.core.noise import Noise
from unclip.core.typing import Images, Vectors
from unclip.data.loader import to_tensor
from unclip.diffusion.level import noised
from unclip.evaluation.retrieval import distinct, retrieval
from unclip.models.decoder import Decoder
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.gates import judge
from unclip.recipes.stages.base import Stage, StageRecipe
from unclip.recipes.stages.batches import feed
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

LEVELS = (6.0, 2.0, 0.0, -2.0)
"""Log-SNRs at which it is judged; at -2 the noise is 2.7 times the image."""
BATCH = 128


@dataclass(frozen=True)
class NoisyCLIPRecipe(StageRecipe):
    """The noise-aware CLIP that can guide the decoder; it starts as the run's CLIP and sees the decoder's levels."""

    name: ClassVar[str] = "noisy_clip"
    added_to: ClassVar[tuple[str, ...]] = ("unclip",)
    follows: ClassVar[tuple[str, ...]] = ("clip", "decoder")

    share: Share = 0.15
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=5e-4, muon_lr=5e-4, decay=0.05)))

    def build(self, ctx: Context, name: str) -> Stage[NoisyCLIP]:
        """Starts as the run's CLIP, whatever the level; trained on the run's pairs at the decoder's levels.

        Raises ValueError where the decoder denoises codes, which no CLIP of images can guide.
        """
        decoder = ctx.finished("decoder", Decoder)
        if decoder.space.limit is None:
            raise ValueError(
                "noisy_clip guides a decoder of pixels, and this run's denoises codes; train a run with "
                "`--preset pixels-tiny` for CLIP guidance"
            )
        module = NoisyCLIP(NoisyCLIPConfig(ctx.clip.config, decoder.config.diffusion.schedule))
        module.clip.load_state_dict(ctx.clip.state_dict())
        return Stage(module.to(ctx.device), feed(ctx, self.train), lambda model: judge(ctx, noisy_clip_gate, model))


def noisy_clip_gate(ctx: Context, rows: np.ndarray, model: NoisyCLIP) -> Gate:
    """Where signal and noise are equal, the caption is found twice as often as by chance, and by three standard errors.

    R@1 among the distinct captions of these images, at several levels.
    """
    captions, right = distinct([ctx.prepared.captions[row][0] for row in rows])
    ids, mask = (t.to(ctx.device) for t in ctx.tokenizer(captions))
    texts = model.clip.embed_text(ids, mask)[0]
    images = to_tensor(ctx.prepared.images[rows]).to(ctx.device)
    eps = Noise.shared(ctx.config.seed, "noisy_clip", device=ctx.device).normal(images.shape)
    found = {level: retrieval(embed_noised_images(model, images, level, eps), texts, right)["r1"] for level in LEVELS}
    chance = 1 / len(captions)
    error = (chance * (1 - chance) / len(rows)) ** 0.5
    why = ", ".join(f"{r1:.1%} at log-SNR {level:g}" for level, r1 in found.items())
    metrics = {f"r1_at_{level:g}": r1 for level, r1 in found.items()} | {"chance": chance}
    good = chance < 1 and found[0.0] >= max(2 * chance, chance + 3 * error)
    return Gate("noisy_clip", good, f"retrieval R@1 {why}; chance {chance:.1%}", metrics)


def embed_noised_images(model: NoisyCLIP, images: Images, level: float, eps: Images) -> Vectors:
    """Embeddings of the images with this noise at this level."""
    log_snr = torch.tensor(level, device=images.device)
    x = noised(images, log_snr, eps)
    return torch.cat([model.embed_noised(part, log_snr) for part in x.split(BATCH)])
