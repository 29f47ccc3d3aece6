"""Chapter 7: the decoder with and without embedding and caption, guidance, variations and interpolations."""

import itertools
from dataclasses import replace

import torch
from PIL import Image

from unclip.core.noise import Noise
from unclip.core.typing import Images
from unclip.core.watching import last_of
from unclip.diffusion.guidance import ClassifierFree
from unclip.figures.slides.sheet import sheet
from unclip.figures.slides.slide import Slide, escaped
from unclip.generation.require import require
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import to_pictures
from unclip.latents.invert import exact_sampling, invert_images
from unclip.latents.inverted import Inverted
from unclip.latents.manipulate import blended, reconstruct, vary
from unclip.models.decoder import Decoder, drop_captions
from unclip.studies.explain.request import Task
from unclip.studies.lecture.dalle2.contrast import distinct
from unclip.studies.lecture.dalle2.prior import unclip_of
from unclip.studies.lecture.shared import DECODER, TRAINING, drawing, last, names_of, prompts

SEEDS = 4
"""Images of one combination."""
SCALES = (0.0, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
LED = 3
"""Prompts of the guidance strip."""
STEPS = 20
"""Of inversion and of the ways back."""
ETAS = (0.5, 1.0)
WAY = 7
"""Images of an interpolation."""


HEADS = ("", r"with $z_i$", "", "", "", "", "without $z_i$", "", "")


def told(look: Task) -> Slide:
    """2 x 2: embedding and caption, each there or not."""
    [word] = prompts(look, 1)
    rows = [to_pictures(part) for part in combinations(look, word).chunk(4)]
    decoder = unclip_of(look).decoder
    assert decoder is not None
    return Slide(
        "told",
        DECODER,
        "The decoder, told much, little, and nothing",
        f'"{escaped(word)}": the same {SEEDS} noises in every row, without guidance. In training the embedding is '
        f"hidden for {decoder.config.drop_embedding:.0%} of the images, the caption for "
        f"{decoder.config.drop_caption:.0%}; what neither says, the decoder makes up from all that it has learned.",
        r"\epsilon_\theta(x_t,\,t,\,z_i,\,y)\qquad \epsilon_\theta(x_t,\,t,\,z_i,\,\emptyset)\qquad "
        r"\epsilon_\theta(x_t,\,t,\,\emptyset,\,y)\qquad \epsilon_\theta(x_t,\,t,\,\emptyset,\,\emptyset)",
        names_of(Decoder.condition, drop_captions),
        lambda figure: sheet(figure, _halves(rows), HEADS, ("told the caption", "not told it")),
        "Four groups of images: with embedding and caption, the embedding alone, the caption alone, neither.",
    )


def _halves(groups: list[list[Image.Image]]) -> list[list[Image.Image | None]]:
    """Two rows of two groups: with the caption, and without; in each the embedding is there, and is not."""
    both, embedding, caption, neither = groups
    return [[*both, None, *caption], [*embedding, None, *neither]]


@torch.no_grad()
def combinations(look: Task, word: str) -> Images:
    """Images of both, the embedding, the caption, and neither, `SEEDS` of each; one z_i of the prior for all."""
    model = unclip_of(look)
    decoder, count = require(model.decoder, "decoder"), 4 * SEEDS
    ids, mask = (t.to(model.device) for t in model.tokenizer([word] * count))
    z = model.embed_prompts([word], [look.ask.seed]).expand(count, -1)
    group = torch.arange(count, device=model.device) // SEEDS
    seen = drop_captions(ids, mask, group % 2 == 0)
    seeds = [look.ask.seed + i % SEEDS for i in range(count)]
    noise = Noise.per_sample(seeds, model.device).fork("decoder")
    with model.autocast():
        cond, null = decoder.condition(z, group < 2, *seen), decoder.conditions(z, ids, mask)[1]
        how = replace(model.resolved(drawing(look)), guidance=ClassifierFree(1.0, model.limit))
        steps = decoder.diffusion.sample((count, *decoder.shape), cond, null, noise, how)
        return last_of(decoder.space.seen(steps)).x.float().clamp(-1, 1).cpu()


def guidance(look: Task) -> Slide:
    """A strip of guidance scales; also of a DDPM with classes and of a latent diffusion."""
    words = prompts(look, LED)
    seeds = [look.ask.seed + i for i in range(len(words))]
    columns = [to_pictures(last(look, words, seeds, replace(drawing(look), guidance=s))) for s in SCALES]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return Slide(
        "guidance",
        DECODER if isinstance(look.run.subject.model, TextToImage) else TRAINING,
        "Guidance: more of what was asked for",
        "At s = 0 the condition is not heard; at 1 it is what was learned; above, the difference is exaggerated: "
        "nearer to the words, less various, and in the end too much of everything. A row has the same noise "
        "throughout.",
        r"\hat\epsilon = \epsilon_\theta(x_t,\,\emptyset) + s\left(\,\epsilon_\theta(x_t,\,y) - "
        r"\epsilon_\theta(x_t,\,\emptyset)\,\right)",
        names_of(ClassifierFree),
        lambda figure: sheet(figure, rows, [f"s = {s:g}" for s in SCALES], [escaped(word, 40) for word in words]),
        "Rows are prompts, columns guidance scales from 0 to 8.",
    )


def inverted(look: Task, count: int) -> list[Inverted]:
    """The bipartite latents (z_i, x_T) of held-out images."""
    model, rows = unclip_of(look), distinct(look, count)
    images, how = look.run.subject.images(rows), exact_sampling(model, Settings(steps=STEPS))
    return [invert_images(model, images[i : i + 1], [""], how, [f"row {row}"]) for i, row in enumerate(rows)]


def variations(look: Task) -> Slide:
    """The same z_i with other noise."""
    model, rows = unclip_of(look), []
    latents = inverted(look, 2)
    for latent in latents:
        row = [to_pictures(latent.images)[0], reconstruct(model, latent)]
        for eta in ETAS:
            row += vary(model, latent, 3, look.ask.seed, eta)
        rows.append(row)
    heads = ["image", r"$\eta$ = 0", *(rf"$\eta$ = {eta:g}" if i == 1 else "" for eta in ETAS for i in range(3))]
    return Slide(
        "variations",
        DECODER,
        r"Variations: the same $z_i$, other noise",
        r"A held-out image becomes $(z_i,\,x_T)$: its embedding, and the noise that DDIM begins at. At $\eta$ = 0 "
        rf"they give it back, in {STEPS} steps; with $\eta$ above 0 the steps add fresh noise. What stays is what "
        r"CLIP sees.",
        r"z_i = \mathrm{CLIP}(x)\qquad x_T = \mathrm{DDIM}^{-1}(x,\,z_i)\qquad x' \sim \mathrm{DDIM}_\eta(x_T,\,z_i)",
        names_of(invert_images, reconstruct, vary),
        lambda figure: sheet(figure, rows, heads),
        "Rows: an image, itself decoded again, and variations of it with more and more fresh noise.",
    )


def interpolations(look: Task) -> Slide:
    """From one image to another."""
    model = unclip_of(look)
    latents = inverted(look, 3)
    pairs = itertools.pairwise(latents)
    rows = [to_pictures(blended(model, list(pair), WAY, "slerp", look.ask.seed)[0]) for pair in pairs]
    return Slide(
        "interpolations",
        DECODER,
        "Interpolations: from one image to another",
        r"Embedding and noise both go along the arc, so that what is between is as long as the ends. The first and the "
        "last of a row are held-out images, decoded again.",
        r"\mathrm{slerp}(a,b,\theta) = \frac{\sin((1-\theta)\,\omega)\,a + \sin(\theta\,\omega)\,b}{\sin\omega}"
        r"\qquad \cos\omega = \frac{a\cdot b}{\|a\|\,\|b\|}",
        ["unclip.latents.manipulate.blend", "unclip.core.slerp.slerp"],
        lambda figure: sheet(figure, rows, [f"{i / (WAY - 1):.2f}" for i in range(WAY)]),
        "Rows of images that go from one to another.",
    )


SLIDES = (told, guidance, variations, interpolations)
