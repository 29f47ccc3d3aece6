"""The bipartite latent (z_i, x_T) of images (unCLIP, Ramesh et al. 2022, section 3), in memory and on disk.

z_i is what CLIP sees in an image; x_T holds all the rest that the decoder needs to draw it again.
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from unclip.core.disk import store
from unclip.core.typing import Float, Images, Tensor, Vectors
from unclip.diffusion.process import Sampling

KIND = "Inverted"


@dataclass(frozen=True, eq=False)
class Inverted:
    """The latents of b images: what a text-to-image model can decode them from again.

    Args:
        z: CLIP's embeddings, unit vectors, [b, d].
        x: the noise that the decoder starts from, [b, c2, h2, w2]: of pixels or of codes.
        images: the images as the model saw them, [b, c, h, w] in [-1, 1].
        captions: what the decoder was told of each.
        how: the sampling that leads back.
        model: the hash of the model.
        names: the paths of the images.
    """

    z: Vectors
    x: Float[Tensor, "b c2 h2 w2"]
    images: Images
    captions: tuple[str, ...]
    how: Sampling
    model: str
    names: tuple[str, ...]

    def same(self, other: "Inverted") -> bool:
        """Whether both are the same to the last bit: images, model, captions and sampling."""
        kept, theirs = ((x.captions, x.how, x.model) for x in (self, other))
        return kept == theirs and all(
            torch.equal(a, b) for a, b in ((self.z, other.z), (self.x, other.x), (self.images, other.images))
        )

    def save(self, path: str | Path) -> None:
        """Writes the folder `path`: config.json and model.safetensors."""
        config = {
            "model": self.model,
            "captions": list(self.captions),
            "names": list(self.names),
            "sampling": self.how.to_dict(),
        }
        store.save(Path(path), KIND, config, {"z": self.z, "x": self.x, "images": self.images})

    @classmethod
    def load(cls, path: str | Path) -> "Inverted":
        """Reads what `save` wrote. Raises ValueError that names the damaged file, or a folder of another kind."""
        stored = store.load(Path(path), KIND)
        how = Sampling.from_dict(stored.config["sampling"], f"{path}: sampling")
        captions, model = tuple(stored.config["captions"]), stored.config["model"]
        names = tuple(str(path) for _ in captions)
        return cls(**stored.tensors, captions=captions, how=how, model=model, names=names)

    def check(self, model: str) -> None:
        """Raises ValueError where another model made it, whose CLIP and decoder have other coordinates."""
        if self.model != model:
            raise ValueError(
                f"{self.names[0]}: was inverted by the model {self.model}, this one is {model} and reads other "
                "embeddings and noise; invert the image again with this run"
            )
