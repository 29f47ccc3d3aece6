"""A noise-aware CLIP (GLIDE, Nichol et al. 2021, sections 2.4 and 4.4): its image tower sees x_t and the noise level.

It is trained on noised pictures, x = alpha x0 + sigma eps at levels of a schedule, with CLIP's own loss. So its
gradient means something at every level of sampling, where that of a CLIP of clean pictures would be an adversarial one:

    noisy = NoisyCLIP(NoisyCLIPConfig(clip.config))
    noisy.clip.load_state_dict(clip.state_dict())    # optional: starts as the trained CLIP, whatever the level
    ... train it as any Task ...
    guidance = CLIPGuidance(scale=1.0, log_p=noisy.log_p(ids, mask))
"""

from dataclasses import dataclass, field

from torch import nn

from unclip.clip.model import CLIP, CLIPConfig
from unclip.core.config.base import Config
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Ids, Images, LogSNR, Mask, PerSample, Vectors
from unclip.diffusion.guidance import LogLikelihood
from unclip.diffusion.level import noised
from unclip.diffusion.schedules import Cosine, Schedule
from unclip.nn.blocks.embed import LevelEmbedding
from unclip.nn.blocks.init import start_at_zero


@dataclass(frozen=True)
class NoisyCLIPConfig(Config):
    """schedule: of the levels that training draws; take that of the diffusion that shall be guided."""

    clip: CLIPConfig
    schedule: Schedule = field(default_factory=Cosine)


class NoisyCLIP(nn.Module):
    """CLIP, and an embedding of the level that is added to every token of its image tower; it starts at zero."""

    per_sample = False

    def __init__(self, config: NoisyCLIPConfig) -> None:
        super().__init__()
        self.config = config
        self.clip = CLIP(config.clip)
        self.level = LevelEmbedding(config.clip.vision.width)
        start_at_zero([self.level.mlp[-1]])

    def embed_noised(self, x: Images, log_snr: LogSNR) -> Vectors:
        """States at a level (one for all, or one a sample) -> unit vectors [b, width]."""
        return self.clip.embed_images(x, self.level(log_snr.expand(len(x))))

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """CLIP's contrastive loss, each picture at a level of its own."""
        assert batch.images is not None
        log_snr = self.config.schedule.draw(len(batch.images), noise)
        x = noised(batch.images, log_snr, noise.normal(batch.images.shape))
        return self.clip.contrast(self.embed_noised(x, log_snr), batch)

    def log_p(self, ids: Ids, mask: Mask) -> LogLikelihood:
        """(x, level) -> f(x, level) . g(caption) / temperature, [b], for caption i and state i.

        The contrastive losses are smallest where this is log p(x, caption) / (p(x) p(caption)) (van den Oord et al.
        2018), so its gradient in x is that of log p(caption | x).
        """
        texts = self.clip.embed_text(ids, mask)[0].detach()
        scale = self.clip.log_scale.detach().exp()

        def log_p(x: Images, log_snr: LogSNR) -> PerSample:
            return scale * (self.embed_noised(x, log_snr) * texts).sum(1)

        return log_p
