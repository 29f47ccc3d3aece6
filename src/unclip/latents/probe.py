"""What CLIP sees in an image: PCA reconstructions (unCLIP, figure 7) and zero-shot labels (figure 6)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from PIL import Image

from unclip.core.config.arguments import checked, texts
from unclip.core.typing import Float, Tensor, Vectors
from unclip.core.wide import wide
from unclip.data.prepare.write import Prepared, load_prepared
from unclip.generation.base import ImageModel
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage, text_to_image
from unclip.latents.invert import Source, Start, draw_noise, embed_source, exact_sampling, paint, read_source
from unclip.latents.manipulate import Made, sign_all
from unclip.latents.zero_shot import probabilities
from unclip.nn.prior.pca import principal
from unclip.runs.embeddings import data_folder, run_embeddings

MOST = 5000
"""Labels that are taken from the data where none are given: CLIP reads about 2,000 a second on one core."""


@dataclass(frozen=True)
class Probe:
    """What `probe` found.

    Args:
        images: the decoded images, one for each entry of `dims`.
        dims: the numbers of dimensions.
        explained: the fraction of the data's variance that lies in these dimensions.
        labels: (label, probability), the most likely first.
    """

    images: list[Image.Image]
    dims: tuple[int, ...]
    explained: tuple[float, ...]
    labels: list[tuple[str, float]]


@checked
def probe(
    model: ImageModel, picture: Source, labels: Iterable[str] = (), seed: int = 0, settings: Settings | None = None
) -> Probe:
    """Shows what CLIP sees in an image: its embedding, reduced to few dimensions and decoded (unCLIP, section 4).

    The embedding is projected on 1, 2, 4, ... d principal components of the run's own images. All are decoded from the
    same noise, drawn from the seed, by DDIM at eta 0 and without a caption.

    Args:
        model: a text-to-image model.
        picture: a path, a Pillow image, or what `invert` returned.
        labels: captions to choose from, at least two; none: the run's most frequent captions.
        seed: of the noise.
        settings: steps and guidance.

    Raises:
        ValueError: where the run's data are gone, and for a single label.
    """
    model = text_to_image(model, "probe")
    labels, source, folder = texts("labels", labels), read_source(model, picture), data_folder(model.folder)
    prepared = load_prepared(folder.data)
    names = list(dict.fromkeys(labels)) or frequent(prepared)
    if len(names) < 2 or any(not name.strip() for name in names):
        raise ValueError(f"labels {names}: give at least 2 different ones, in words; there is nothing to choose from")
    z, how = embed_source(model, source), exact_sampling(model, settings, model.sampling)
    data = run_embeddings(folder, model.clip, prepared, model.device, model.precision).float()
    dims, projected, explained = reconstructions(z, data)
    n = len(dims)
    start = Start(projected, draw_noise(model, [seed]).expand(n, -1, -1, -1), [""] * n)
    made = Made("probe", source.names, {"labels": labels, "seed": seed})
    pictures = sign_all(model, paint(model, start, how, [seed] * n), made, how, [seed] * n, [f"{k} dim" for k in dims])
    return Probe(pictures, dims, explained, likely(model, z, names))


def reconstructions(
    z: Vectors, data: Float[Tensor, "n d"]
) -> tuple[tuple[int, ...], Float[Tensor, "k d"], tuple[float, ...]]:
    """(dimensions k, unit vectors [len, d], shares of variance): mean + the first k components of z - mean."""
    mean, components, variances = principal(data)
    d = len(mean)
    dims = (*(2**i for i in range(d.bit_length()) if 2**i < d), d)
    along = (wide(z) - mean) @ components
    kept = torch.cat([mean + along[:, :k] @ components[:, :k].t() for k in dims])
    share = variances.cumsum(0) / variances.sum()
    return dims, F.normalize(kept, dim=1).to(z), tuple(share[k - 1].item() for k in dims)


def likely(model: TextToImage, z: Vectors, labels: Sequence[str]) -> list[tuple[str, float]]:
    """CLIP's zero-shot choice: softmax of scale z . z_t over the labels, the most likely first."""
    chances = probabilities(model, z, model.embed_captions(labels))[0].tolist()
    return sorted(zip(labels, chances, strict=True), key=lambda found: -found[1])


def frequent(prepared: Prepared, maximum: int = MOST) -> list[str]:
    """The captions that the most images have, the most frequent first."""
    counts = Counter(captions[0] for captions in prepared.captions if captions)
    return [caption for caption, _ in counts.most_common(maximum)]
