"""The decoder with four more input channels, fine-tuned to paint what is missing (GLIDE, Nichol et al. 2021, 4.3).

    condition.image = [m x, m]      m = 1 where the image x is known, 0 where it is to be painted

The weights of the new channels start at zero: before its first step the inpainter is the decoder. Training hides
random parts of each image (`MaskConfig`) and tells embedding and caption as the decoder's training does. The
embedding is that of the whole image: an edit takes it from the prompt, or from the image as it was.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from torch import nn

from unclip.core.config.base import Config
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Ids, Mask, Vectors
from unclip.data.masks import MaskConfig, random_masks
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import Anchored, Step
from unclip.models.decoder import Decoder, DecoderConfig
from unclip.models.known_region import KnownRegion
from unclip.nn.backbones.widen import load_widened, widened


@dataclass(frozen=True)
class InpainterConfig(Config):
    """decoder: its settings, with a network that sees the known part, too; masks: what training hides."""

    decoder: DecoderConfig
    masks: MaskConfig = field(default_factory=MaskConfig)

    @classmethod
    def of(cls, decoder: DecoderConfig, masks: MaskConfig = MaskConfig()) -> "InpainterConfig":
        """The inpainter that starts from a decoder with these settings."""
        network = widened(decoder.network, decoder.network.channels + 1)
        return cls(replace(decoder, network=network), masks)


class Inpainter(nn.Module):
    """A decoder that sees what is known of the image."""

    per_sample = True

    def __init__(self, config: InpainterConfig) -> None:
        super().__init__()
        self.config = config
        self.decoder = Decoder(config.decoder)

    @classmethod
    def start(cls, base: Decoder, masks: MaskConfig = MaskConfig()) -> "Inpainter":
        """An inpainter that paints as `base` does, whatever it is shown."""
        model = cls(InpainterConfig.of(base.config, masks))
        load_widened(model.decoder, base.state_dict())
        return model

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """The decoder's loss where the image is not shown. What is shown would be most of what can be learned in few
        steps, and nobody asks for it: sampling puts it in."""
        assert batch.images is not None
        height, width = batch.images.shape[2:]
        mask = random_masks(len(batch.images), height, width, noise.fork("mask"), self.config.masks)
        known = self.decoder.space.known(KnownRegion(batch.images, mask))
        cond = replace(self.decoder.training_condition(batch, noise), image=known.shown())
        return self.decoder.losses(self.decoder.clean(batch), cond, noise, 1 - known.mask)

    def sample(
        self, z: Vectors, ids: Ids, mask: Mask, given: KnownRegion, noise: Noise, how: Sampling | None = None
    ) -> Iterator[Step]:
        """Images that keep what is given, exactly, and are painted elsewhere; every step's x0 is a preview.

        Both branches of guidance see what is given.
        """
        how, image = how or self.config.decoder.sampling, self.decoder.space.known(given).shown()
        cond, null = (replace(c, image=image) for c in self.decoder.conditions(z, ids, mask))

        def by(known: KnownRegion) -> Anchored:
            return Anchored(known.images, known.mask, how.sampler)

        yield from self.decoder.fill(given, (cond, null), noise, how, by)
