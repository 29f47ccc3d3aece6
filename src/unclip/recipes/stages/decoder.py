"""The decoder that a run's settings mean."""

from dataclasses import replace

from unclip.clip.model import CLIPConfig
from unclip.clip.text import TextConfig
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import DDIM, Ancestral
from unclip.models.decoder import DecoderConfig
from unclip.models.network import fitted
from unclip.recipes.settings.run import DecoderRecipe, RunConfig

HEAD = 64
"""Channels of one head of a text tower of the decoder's own, as in GLIDE and unCLIP."""
FIXED = (DDIM(eta=1.0), Ancestral("beta"), Ancestral("beta_tilde"))
"""Ancestral samplers whose variance is given."""


def decoder_config(config: RunConfig, clip: CLIPConfig) -> DecoderConfig:
    """The decoder that fits this CLIP. Raises ValueError where the settings do not go together."""
    r, text = config.decoder, text_config(config.decoder, clip)
    learned = r.diffusion.vlb_weight > 0
    return DecoderConfig(
        size=config.size,
        embedding_width=clip.width,
        text=text,
        network=fitted(
            r.network, vector_width=clip.width + text.width, token_width=text.width, learned_variance=learned
        ),
        diffusion=r.diffusion,
        sampling=with_learned_variance(r.sampling) if learned else r.sampling,
        drop_embedding=r.drop_embedding,
        drop_caption=r.drop_caption,
        image_tokens=r.image_tokens,
    )


def text_config(r: DecoderRecipe, clip: CLIPConfig) -> TextConfig:
    """The text tower: CLIP's, or one of its own on the same tokens."""
    if r.text == "clip":
        return clip.text
    heads = max(1, r.text_width // HEAD)
    return replace(clip.text, width=r.text_width, layers=r.text_layers, heads=heads)


def with_learned_variance(how: Sampling) -> Sampling:
    """Ancestral steps take the variance that the network learns; another sampler stays."""
    return replace(how, sampler=Ancestral("learned")) if how.sampler in FIXED else how
