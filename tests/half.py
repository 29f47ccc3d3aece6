"""A decoder and an inpainter that learned images of one colour: who sees a half knows the other half."""

from functools import cache

import torch
import torch.nn.functional as F
from tests.fakes import built, draw, learn, tiny_unet
from tests.once import once

from unclip.clip.model import CLIP, CLIPConfig
from unclip.clip.text import TextConfig
from unclip.clip.vision import VisionConfig
from unclip.core.task import Batch
from unclip.data.masks import MaskConfig
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import DDIM
from unclip.generation.text_to_image import TextToImage
from unclip.models.decoder import Decoder, DecoderConfig
from unclip.models.inpainter import Inpainter
from unclip.models.priors.diffusion import Prior, PriorConfig
from unclip.nn.prior.prior_net import PriorNetConfig
from unclip.runs.modules import Stages
from unclip.text.tokenizer import Tokenizer

COLOURS = {
    "a red picture": (0.9, -0.9, -0.9),
    "a green picture": (-0.9, 0.8, -0.9),
    "a blue picture": (-0.9, -0.9, 0.9),
    "a gray picture": (0.1, 0.1, 0.1),
}
PAINT = torch.tensor(list(COLOURS.values()))
TOKENIZER = Tokenizer.train(COLOURS, vocabulary=300)
SIZE, D, W = 16, 8, 16
TEXT = TextConfig(TOKENIZER.size, TOKENIZER.context, width=W, layers=1, heads=2)

CONFIG = DecoderConfig(
    tiny_unet(vector_width=D + W, token_width=W),
    sampling=Sampling(12, DDIM(eta=1.0), ClassifierFree(1.0, limit=1.0)),
    size=SIZE,
    embedding_width=D,
    text=TEXT,
)


def flat(rows: list[int]) -> torch.Tensor:
    """Images of these colours."""
    return PAINT[rows][:, :, None, None].expand(-1, 3, SIZE, SIZE).contiguous()


def batch(times: int = 3) -> Batch:
    """The four colours, `times` each. Embeddings say nothing, captions name the colour."""
    ids, mask = TOKENIZER(list(COLOURS) * times)
    z = F.normalize(draw(4 * times, D, key="z"), dim=1)
    return Batch(images=flat([0, 1, 2, 3] * times), image_embedding=z, ids=ids, mask=mask)


@once(lambda made: learn(made, batch(), steps=220, lr=4e-3))
def decoder() -> Decoder:
    """It knows the four colours and, half of the time told nothing, that there are four."""
    return built(lambda: Decoder(CONFIG))


@once(lambda made: learn(made, batch(), steps=240, lr=4e-3))
def inpainter() -> Inpainter:
    """The decoder after 240 steps with masks."""
    return built(lambda: Inpainter.start(decoder(), MaskConfig(everything=0.2)))


@cache
def model(inpainting: bool = True) -> TextToImage:
    """All parts of a run; CLIP and prior are as they were born."""
    return whole(decoder(), inpainter() if inpainting else None)


def newborn() -> TextToImage:
    """A run whose decoder learned nothing, for what does not depend on how well it paints."""
    return whole(built(lambda: Decoder(CONFIG)).eval())


def whole(decoder: Decoder, inpainter: Inpainter | None = None) -> TextToImage:
    """These parts with a CLIP and a prior as they were born."""
    vision = VisionConfig(size=SIZE, stem=(8, 8), width=16, layers=1, heads=2)
    clip = built(lambda: CLIP(CLIPConfig(TEXT, vision, D))).eval()
    prior = built(lambda: Prior(PriorConfig(network=PriorNetConfig(D, W, TOKENIZER.context, 16, 1, 2)))).eval()
    stages = Stages.of(inpaint=inpainter)
    return TextToImage(tokenizer=TOKENIZER, clip=clip, prior=prior, decoder=decoder, stages=stages)
