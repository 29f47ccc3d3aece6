"""A noise-aware CLIP (GLIDE, Nichol et al. 2021, sections 2.4 and 4.4): its image tower sees x_t and the noise level.

It is trained on noised images, x = alpha x0 + sigma eps at levels of a schedule, with CLIP's own loss. So its
gradient means something at every level of sampling, where that of a CLIP of clean images would be an adversarial one:

    noisy = NoisyCLIP(NoisyCLIPConfig(clip.config))
    noisy.clip.load_state_dict(clip.state_dict())    # optional: starts as the trained CLIP, whatever the level
    ... train it as any Task ...
    guidance = CLIPGuidance(scale=1.0, log_p=noisy.log_p(ids, mask))
"""

from dataclasses import dataclass, field

from torch import Tensor, nn

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
    """Settings of `NoisyCLIP`.

    Args:
        clip: of the CLIP.
        schedule: of the levels that training draws; take that of the diffusion that it shall guide.
    """

    clip: CLIPConfig
    schedule: Schedule = field(default_factory=Cosine)


class NoisyCLIP(nn.Module):
    """A CLIP that sees noised images and is told their level (GLIDE, Nichol et al. 2021, sections 2.4 and 4.4).

    An embedding of the level is added to every token of the image tower. It starts at zero, so a trained CLIP loaded
    into `clip` is at first what it was.
    """

    per_sample = False

    def __init__(self, config: NoisyCLIPConfig) -> None:
        super().__init__()
        self.config = config
        self.clip = CLIP(config.clip)
        self.level = LevelEmbedding(config.clip.vision.width)
        start_at_zero([self.level.mlp[-1]])

    def embed_noised(self, x: Images, log_snr: LogSNR) -> Vectors:
        """Embeds noised images, [b, c, size, size], at levels [b] (or one for all) as unit vectors, [b, width]."""
        return self.clip.embed_images(x, self.level(log_snr.expand(len(x))))

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """CLIP's contrastive loss, with each image noised to a random level."""
        return self.compare(self.embed(batch, noise), batch)

    def embed(self, batch: Batch, noise: Noise) -> tuple[Tensor, ...]:
        """The embeddings of noised images and of captions, [b, width] each."""
        assert batch.images is not None
        log_snr = self.config.schedule.draw(len(batch.images), noise)
        x = noised(batch.images, log_snr, noise.normal(batch.images.shape))
        return self.embed_noised(x, log_snr), self.clip.embed_captions(batch)

    def compare(self, rows: tuple[Tensor, ...], batch: Batch) -> Losses:
        """CLIP's contrastive loss of such embeddings."""
        return self.clip.compare(rows, batch)

    def log_p(self, ids: Ids, mask: Mask) -> LogLikelihood:
        """Makes the function that `CLIPGuidance` needs, of (x, level).

        It returns the similarity of state i and caption i over the temperature, [b].

        The contrastive losses are smallest where this is log p(x, caption) / (p(x) p(caption)) (van den Oord et al.
        2018), so its gradient in x is that of log p(caption | x).

        Args:
            ids: token ids of the captions, [b, n].
            mask: which tokens are real, [b, n].
        """
        texts = self.clip.embed_text(ids, mask)[0].detach()
        scale = self.clip.log_scale.detach().exp()

        def log_p(x: Images, log_snr: LogSNR) -> PerSample:
            return scale * (self.embed_noised(x, log_snr) * texts).sum(1)

        return log_p
