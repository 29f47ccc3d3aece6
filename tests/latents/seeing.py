"""A CLIP that has learned small images of coloured shapes, in a few seconds."""

from functools import cache

import torch
from tests.drawn import NAMES, SHAPES, drawn
from tests.fakes import built, trainer_of

from unclip.clip.model import CLIP, CLIPConfig
from unclip.clip.text import TextConfig
from unclip.clip.vision import VisionConfig
from unclip.core.task import Batch
from unclip.generation.text_to_image import TextToImage
from unclip.text.tokenizer import Tokenizer

SEEN, BATCH = 256, 32
IMAGES, COLOURS, CAPTIONS = drawn(320)
NEW = slice(SEEN, None)
"""The images that it did not see."""


@cache
def trained() -> TextToImage:
    """Captions are "<colour> <shape>"."""
    tokenizer = Tokenizer.train([f"{colour} {shape}" for colour in NAMES for shape in SHAPES], vocabulary=300)
    text = TextConfig(tokenizer.size, tokenizer.context, width=32, layers=1, heads=2)
    vision = VisionConfig(16, stem=(32,), width=32, layers=1, heads=2)
    clip = built(lambda: CLIP(CLIPConfig(text, vision, width=24)))
    ids, mask = tokenizer(CAPTIONS)
    same = torch.tensor([sorted(set(CAPTIONS)).index(c) for c in CAPTIONS])

    def batch(step: int) -> Batch:
        rows = torch.arange(step * BATCH, (step + 1) * BATCH) % SEEN
        return Batch(images=IMAGES[rows], ids=ids[rows], mask=mask[rows], caption_id=same[rows])

    for _ in trainer_of(clip, batch, steps=150, lr=1e-3).steps():
        pass
    return TextToImage(tokenizer=tokenizer, clip=clip.eval().requires_grad_(False))
