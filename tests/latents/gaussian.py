"""A model whose decoder is known in closed form: images N(m, std^2) with m from the embedding, a random CLIP."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from tests.fakes import Function, built, tiny_unet

from unclip.clip.model import CLIP, CLIPConfig
from unclip.clip.text import TextConfig
from unclip.clip.vision import VisionConfig
from unclip.core.condition import Condition
from unclip.core.typing import Vectors
from unclip.diffusion.level import alpha, like, sigma
from unclip.generation.text_to_image import TextToImage
from unclip.models.decoder import Decoder, DecoderConfig
from unclip.text.tokenizer import Tokenizer

SIZE, WIDTH, TEXT_WIDTH, STD = 16, 12, 16, 0.4
CAPTIONS = ("a red heart", "a blue heart", "a green leaf", "two cups")


class Direct(TextToImage):
    """The text embedding itself is the prior's."""

    def embed_prompts(self, prompts: Sequence[str], seeds: Sequence[int]) -> Vectors:
        return self.embed_captions(prompts)


def mean(cond: Condition) -> torch.Tensor:
    """The mean image of a condition, [b, 3, 1, 1]: its embedding's first three numbers."""
    assert cond.vector is not None
    return 0.3 * cond.vector[:, :3, None, None]


def gaussian() -> TextToImage:
    """E[x0 | x] = m + a STD^2 / (a^2 STD^2 + s^2) (x - a m), as the network's output."""
    tokenizer = Tokenizer.train(CAPTIONS, vocabulary=300)
    text = TextConfig(tokenizer.size, tokenizer.context, width=TEXT_WIDTH, layers=1, heads=2)
    vision = VisionConfig(SIZE, stem=(8, 16), width=16, layers=1, heads=2)
    network = tiny_unet(vector_width=WIDTH + TEXT_WIDTH, token_width=TEXT_WIDTH)
    decoder = built(lambda: Decoder(DecoderConfig(size=SIZE, embedding_width=WIDTH, text=text, network=network)))
    denoiser, form = decoder.diffusion.denoiser, decoder.config.diffusion.parameterization

    def output(scaled: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> torch.Tensor:
        level = like(log_snr, scaled)
        x, a, s, m = scaled / form.input_scale(level), alpha(level), sigma(level), mean(cond)
        x0 = m + a * STD**2 / (a**2 * STD**2 + s**2) * (x - a * m)
        c_skip, c_out = form.scalings(level)
        return (x0 - c_skip * x) / c_out

    denoiser.network = Function(output)
    clip = built(lambda: CLIP(CLIPConfig(text, vision, width=WIDTH)))
    return Direct(tokenizer=tokenizer, clip=clip.eval(), decoder=decoder.eval(), batch=4)


def picture(key: int = 0, side: int = SIZE) -> Image.Image:
    """A soft image of two colours, different for each key."""
    across = np.linspace(-1, 1, side)
    wave = np.sin(across[:, None] * (key + 1) + across[None] * (3 - key))
    pixels = 128 + 50 * np.stack([wave, -wave, np.cos(wave * (key + 2))], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))
