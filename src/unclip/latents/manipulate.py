"""What one can do to an image with the decoder alone: redraw, vary, blend, change by words (unCLIP, section 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from PIL import Image

from unclip.core.config.arguments import checked
from unclip.core.slerp import slerp
from unclip.core.typing import Images, Vectors
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import DDIM
from unclip.generation.base import ImageModel
from unclip.generation.settings import Settings, noted
from unclip.generation.text_to_image import TextToImage, text_to_image
from unclip.images.fidelity import psnr, squared_error
from unclip.images.files import KEY, to_pictures
from unclip.images.read import ImageInput
from unclip.latents.invert import Source, Start, draw_noise, embed_source, exact_sampling, invert, paint, read_source
from unclip.latents.inverted import Inverted

SAME = 1e-3
"""Captions whose embeddings are not farther apart than this mean the same to the model."""


@dataclass(frozen=True)
class Made:
    """What a command was asked for, so that an image can say it. options: by the names they are typed with."""

    command: str
    of: Sequence[str]
    options: Mapping[str, Any]


@checked
def reconstruct(model: ImageModel, latent: Inverted) -> Image.Image:
    """Decodes what `invert` returned, by DDIM at eta 0: the image again, with its error in `info["unclip"]`.

    Raises ValueError for a latent of another model.
    """
    model = text_to_image(model, "reconstruct")
    latent.check(model.hash)
    images = paint(model, Start(latent.z, latent.x, latent.captions), latent.how, [0])
    made = Made("invert", latent.names, {"prompt": latent.captions[0]})
    picture = sign_all(model, images, made, latent.how, [0], ["reconstruction"])[0]
    pair = images, latent.images
    picture.info[KEY]["error"] = {"psnr": psnr(*pair).item(), "mse": squared_error(*pair).item()}
    return picture


@checked
def vary(
    model: ImageModel,
    picture: Source,
    n: int = 4,
    seed: int = 0,
    eta: float = 1.0,
    fresh: bool = False,
    prompt: str = "",
    settings: Settings | None = None,
) -> list[Image.Image]:
    """Makes n variations of an image: the same image embedding, decoded with other noise (unCLIP, section 3.1).

    Args:
        model: a text-to-image model.
        picture: a path, a Pillow image, or what `invert` returned.
        n: the number of variations.
        seed: of the first one; variation i has seed + i.
        eta: how much fresh noise the decoder adds, in [0, 1]; 0: the image again, 1: all changes that CLIP does not
            see.
        fresh: starts from fresh noise in the place of the image's own; steps and guidance are then as the model was
            stored.
        prompt: a caption for the decoder.
        settings: steps and guidance.

    Raises:
        ValueError: for n < 1, for eta outside [0, 1], and as `invert` does.
    """
    model = text_to_image(model, "vary")
    sampler, source = DDIM(eta), read_source(model, picture)
    if n < 1:
        raise ValueError(f"n = {n}: ask for at least 1 variation")
    seeds = range(seed, seed + n)
    if fresh:
        prompt = prompt or (source.captions[0] if isinstance(source, Inverted) else "")
        z, x, how = (
            embed_source(model, source),
            draw_noise(model, seeds),
            exact_sampling(model, settings, model.sampling),
        )
    else:
        latent = invert(model, source, prompt, settings)
        z, x, prompt, how = latent.z, latent.x.expand(n, -1, -1, -1), latent.captions[0], latent.how
    how = replace(how, sampler=sampler)
    images = paint(model, Start(z.expand(n, -1), x, [prompt] * n), how, seeds)
    made = Made("vary", source.names, {"prompt": prompt, "eta": eta, "fresh": fresh, "n": n, "seed": seed})
    return sign_all(model, images, made, how, seeds, [f"seed {s}" for s in seeds])


@checked
def blend(
    model: ImageModel,
    a: Source,
    b: Source,
    n: int = 7,
    noise: Literal["slerp", "fixed"] = "slerp",
    seed: int = 0,
    settings: Settings | None = None,
) -> list[Image.Image]:
    """Makes n images on the way from one to another: spherical interpolation of the embeddings (unCLIP, section 3.2).

    Args:
        model: a text-to-image model.
        a: the first image: a path, a Pillow image, or what `invert` returned.
        b: the last image.
        n: the number of images, the ends included.
        noise: "slerp": the noise is interpolated, too, so that the ends are the two images again. "fixed": all start
            from one noise, drawn from the seed; then the ends are variations of the two images.
        seed: of the noise.
        settings: steps and guidance.

    Raises:
        ValueError: for n < 2, an unknown noise, opposite embeddings, and as `invert` does.
    """
    model = text_to_image(model, "blend")
    if n < 2 or noise not in ("slerp", "fixed"):
        raise ValueError(f"n = {n}, noise = {noise!r}: a blend has at least 2 images; noise is slerp or fixed")
    ends = [read_source(model, source) for source in (a, b)]
    images, how = blended(model, ends, n, noise, seed, settings)
    made = Made("blend", [name for end in ends for name in end.names], {"noise": noise, "n": n, "seed": seed})
    return sign_all(model, images, made, how, [seed] * n, [f"{i / (n - 1):.2f}" for i in range(n)])


def blended(
    model: TextToImage,
    ends: Sequence[ImageInput | Inverted],
    n: int,
    noise: str,
    seed: int,
    settings: Settings | None = None,
) -> tuple[Images, Sampling]:
    """The images of `blend` as tensors, and how they were sampled."""
    if noise == "fixed":
        how, (first, last) = exact_sampling(model, settings, model.sampling), (embed_source(model, end) for end in ends)
        x, captions = draw_noise(model, [seed]).expand(n, -1, -1, -1), ("", "")
    else:
        one, other = (invert(model, end, "", settings) for end in ends)
        if one.how != other.how:
            raise ValueError("the two latents were inverted with different settings; invert both with the same")
        how, first, last, captions = one.how, one.z, other.z, (one.captions[0], other.captions[0])
        x = _between(one.x, other.x, n)
    if captions[0] != captions[1]:
        raise ValueError(f"captions {captions}: latents of different captions cannot be blended; invert without one")
    return paint(model, Start(_between(first, last, n), x, [captions[0]] * n), how, [seed] * n), how


@checked
def diff(
    model: ImageModel,
    picture: Source,
    before: str,
    after: str,
    n: int = 6,
    until: float = 0.5,
    settings: Settings | None = None,
) -> list[Image.Image]:
    """Changes an image by the difference of two captions, in n steps (text diff; unCLIP, section 3.3).

        z_theta = slerp(z_i, norm(z_after - z_before), theta),    theta = 0 ... until, x_T from the image throughout

    Args:
        model: a text-to-image model.
        picture: a path, a Pillow image, or what `invert` returned.
        before: a caption of what the image shows now; "": the empty caption.
        after: a caption of what it shall show.
        n: the number of images; the first is the image itself.
        until: how far the last one goes, in (0, 1].
        settings: steps and guidance.

    Raises:
        ValueError: for an `after` that is empty or means the same to the model, for n < 2, for `until` outside (0, 1],
            and as `invert` does.
    """
    model = text_to_image(model, "diff")
    if n < 2 or not 0 < until <= 1:
        raise ValueError(f"n = {n}, until = {until}: a text diff has at least 2 images and goes to a share in (0, 1]")
    towards, source = direction(model, before, after), read_source(model, picture)
    latent = invert(model, source, "", settings)
    shares = torch.linspace(0, until, n)
    z = slerp(latent.z.expand(n, -1), towards.expand(n, -1), shares)
    start = Start(z, latent.x.expand(n, -1, -1, -1), [latent.captions[0]] * n)
    images = paint(model, start, latent.how, [0] * n)
    made = Made("diff", source.names, {"from": before, "to": after, "until": until, "n": n})
    return sign_all(model, images, made, latent.how, [0] * n, [f"{share:.2f}" for share in shares.tolist()])


def direction(model: TextToImage, before: str, after: str) -> Vectors:
    """z_d = norm(z_after - z_before), [1, d] on the CPU. Raises ValueError where there is no difference."""
    if not after.strip():
        raise ValueError("to: an empty caption; write what the image should show")
    z = model.embed_captions([after, before]).float().cpu()
    gap = z[:1] - z[1:]
    if before.strip().lower() == after.strip().lower() or gap.norm() < SAME:
        raise ValueError(f"from {before!r} to {after!r}: both mean the same to the model; there is nothing to change")
    return F.normalize(gap, dim=1)


def sign_all(
    model: TextToImage, images: Images, made: Made, how: Sampling, seeds: Sequence[int], shown: Sequence[str]
) -> list[Image.Image]:
    """Images with what made them inside; shown: what each of them is."""
    options = {**made.options, "steps": how.steps, "guidance": noted(how.guidance)}
    asked = {"command": made.command, "of": list(made.of), "options": options}
    pictures = to_pictures(images)
    for picture, seed, words in zip(pictures, seeds, shown, strict=True):
        about = model.about(str(made.options.get("prompt", "")), seed, how, model.stages_used(how, prior=False))
        picture.info[KEY] = {**about, "made": asked, "shown": words}
    return pictures


def _between(a: torch.Tensor, b: torch.Tensor, n: int) -> torch.Tensor:
    shape = (n, *[-1] * (a.dim() - 1))
    return slerp(a.expand(shape), b.expand(shape), torch.linspace(0, 1, n))
