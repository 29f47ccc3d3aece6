"""How well images stand being manipulated: inverted and drawn again, and blended (unCLIP, section 3)."""

from collections.abc import Sequence
from dataclasses import asdict

import torch

from unclip.core.slerp import angle
from unclip.core.typing import Float, Images, Tensor
from unclip.evaluation.levels import Mean
from unclip.evaluation.sets.beside import Setting, Values
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.images.fidelity import psnr, squared_error
from unclip.images.read import ImageInput
from unclip.latents.invert import Start, exact_sampling, invert_images, paint
from unclip.latents.manipulate import blended

Way = Float[Tensor, "n c h w"]
"""The images of one blend."""


def inversion_error(model: TextToImage, images: Images, settings: Settings) -> Setting:
    """PSNR in dB and squared error (pixels 0 to 1) of images after inversion and DDIM at eta 0, without captions."""
    n = len(images)
    latent = invert_images(model, images, [""] * n, exact_sampling(model, settings), ["PICTURE"] * n)
    again = paint(model, Start(latent.z, latent.x, latent.captions), latent.how, [0] * n)
    scores, units = {"psnr": psnr(again, images), "squared_error": squared_error(again, images)}, _numbered(n)
    measured = {
        "PSNR, dB": Values(scores["psnr"], units),
        "squared error": Values(scores["squared_error"], units, "smaller"),
    }
    return Setting({**{name: asdict(Mean.of(values)) for name, values in scores.items()}, "n": n}, {**measured})


def interpolation(
    model: TextToImage, a: Images, b: Images, noise: str, settings: Settings, n: int = 9, seed: int = 0
) -> Setting:
    """How evenly blends of the pairs (a_i, b_i) go: lengths of the steps between neighbours of n images.

    In CLIP's space (radians) and in pixels (root mean square, pixels 0 to 1). noise, seed: of `blend`; pair i has
    seed + i. Ratios are to the even step, the ends' distance / (n - 1): 1 is a straight and even way; `mean` of the
    steps tells the detour, `most` the largest jump. profile: the mean step at each place, in even steps, and its error.
    """
    ways = _ways(model, a, b, noise, settings, n, seed)
    seen, pixels = [], []
    for way in ways:
        z = model.embed_images(way).float().cpu()
        seen.append((angle(z[:-1], z[1:]), angle(z[:1], z[-1:])))
        pixels.append((_rms(way[:-1], way[1:]), _rms(way[:1], way[-1:])))
    found = {"clip": _evenness(seen), "pixels": _evenness(pixels)}
    measured = {f"{space}: {name}": value for space, one in found.items() for name, value in one.measured.items()}
    return Setting({**{space: one.metrics for space, one in found.items()}, "pairs": len(ways), "n": n}, measured)


def _ways(model: TextToImage, a: Images, b: Images, noise: str, settings: Settings, n: int, seed: int) -> list[Way]:
    ends = [[ImageInput(one[None], ("PICTURE",), one.shape[-1]) for one in images] for images in (a, b)]
    return [blended(model, pair, n, noise, seed + i, settings)[0] for i, pair in enumerate(zip(*ends, strict=True))]


def _rms(a: Images, b: Images) -> Tensor:
    return squared_error(a, b).sqrt()


def _evenness(ways: Sequence[tuple[Tensor, Tensor]]) -> Setting:
    """ways: (lengths of the steps, distance of the ends) of each pair."""
    steps = torch.stack([way[0] for way in ways])
    even = torch.cat([way[1] for way in ways]).clamp(min=1e-9) / steps.shape[1]
    lengths = {"step": steps.mean(1), "longest": steps.amax(1)}
    ratios = {"mean_ratio": steps.mean(1) / even, "most_ratio": steps.amax(1) / even}
    metrics = {name: asdict(Mean.of(values)) for name, values in {**lengths, **ratios}.items()}
    places = [asdict(Mean.of(place)) for place in (steps / even[:, None]).t()]
    named = {"mean step": lengths["step"], "largest step": lengths["longest"], "mean / even": ratios["mean_ratio"],
             "largest / even": ratios["most_ratio"]}  # fmt: skip
    units = _numbered(len(ways))
    return Setting({**metrics, "profile": places}, {name: Values(x, units, "smaller") for name, x in named.items()})


def _numbered(n: int) -> list[str]:
    """Images (or pairs) that belong to no other."""
    return [str(i) for i in range(n)]
