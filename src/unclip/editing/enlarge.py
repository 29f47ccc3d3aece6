"""A person's own small image, enlarged by the upsamplers of a run."""

from dataclasses import replace

from PIL import Image

import unclip
from unclip.core.config.arguments import checked
from unclip.data.loader import to_tensor
from unclip.generation.base import ImageModel
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import text_to_image
from unclip.generation.upsampling import upsampled, way
from unclip.images.files import KEY, to_pictures
from unclip.images.read import Picture, read_whole
from unclip.models.upsampler import check_largest


@checked
def upsample(
    model: ImageModel,
    picture: Picture,
    seed: int = 0,
    size: int | None = None,
    strength: float = 0.0,
    steps: int | None = None,
) -> Image.Image:
    """Enlarges a whole image by the run's upsamplers.

    Args:
        model: a text-to-image model with upsamplers.
        picture: a path or a Pillow image.
        seed: of everything random.
        size: enlarges as much as the upsamplers that lead to images of this many px do; None: all of them.
        strength: how degraded the image is, from 0 (sharp and clean) to 1 (blurred or, for a second upsampler, noisy
            and compressed).
        steps: denoising steps of each upsampler; None: as many as it was made with.

    Raises:
        ValueError: for a model without upsamplers, a size that none leads to, a number of steps that cannot be, and an
            image that cannot be read or is too large already.
    """
    model = text_to_image(model, "upsample")
    if not model.enlargers:
        raise ValueError("this run has no upsampler; train one: unclip add upsampler DATA --run RUN")
    steps = Settings(steps=steps).steps
    stages = [replace(stage, steps=steps) for stage in way(model.enlargers, size, model.size)]
    if not stages:
        raise ValueError(f"size = {size} px: that is the size before the first upsampler; ask for a larger one")
    opened, name = read_whole(picture, background=model.background)
    pixels = opened.rgb
    times = stages[-1].size // model.size
    check_largest(times * pixels.shape[0], times * pixels.shape[1])
    done = to_pictures(upsampled(stages, to_tensor(pixels[None]), [seed], strength))[0]
    options = {"seed": seed, "size": stages[-1].size, "strength": strength}
    options |= {} if steps is None else {"steps": steps}
    done.info[KEY] = {
        "prompt": "",
        "seed": seed,
        "sampling": stages[-1].sampling.to_dict(),
        "upsamplers": [stage.about() for stage in stages],
        "made": {"command": "upsample", "of": [name], "options": options},
        "model": model.hash,
        "stages": model.stages.hashes([stage.name for stage in stages]),
        "unclip": unclip.__version__,
    }
    return done
