"""What one can do to a picture with a text-to-image run, as methods: typed, so that an editor completes each option.

Every finished model has them, since `unclip.load` cannot know what a run holds; those of another kind refuse by name.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from PIL import Image

from unclip.core.asked import checked, texts
from unclip.pipeline.invert import Source
from unclip.pipeline.latent import Inverted
from unclip.pipeline.read import Picture
from unclip.pipeline.settings import Settings

if TYPE_CHECKING:
    from unclip.pipeline.probe import Probe
    from unclip.pipeline.text_to_image import TextToImage

Method = Literal["auto", "model", "repaint"]
"""Who paints what is missing."""


class Growth(TypedDict, total=False):
    """By which share of its side a picture grows."""

    left: float
    right: float
    up: float
    down: float


class Manipulable:
    """Each method says which page tells more; all raise ValueError for a picture or settings that cannot work."""

    @checked
    def edit(
        self,
        image: Picture,
        mask: Picture | None = None,
        prompt: str = "",
        n: int = 1,
        seed: int = 0,
        settings: Settings | None = None,
        method: Method = "auto",
    ) -> list[Image.Image]:
        """Pictures in which the white part of `mask` (without one: the transparent part of `image`) is painted anew.

        See `pipeline.inpaint.edit`, docs/inpainting.md.
        """
        from unclip.pipeline import inpaint, painter

        request = painter.Request(prompt, n, seed, settings or Settings(), method)
        return [*inpaint.edit(_able(self, "edit"), image, mask, request).pictures]

    @checked
    def extend(
        self,
        image: Picture,
        prompt: str = "",
        n: int = 1,
        seed: int = 0,
        settings: Settings | None = None,
        method: Method = "auto",
        **sides: Unpack[Growth],
    ) -> list[Image.Image]:
        """Larger pictures around `image`; left, right, up, down: by which share of its side it grows there.

        See `pipeline.inpaint.extend`, docs/inpainting.md.
        """
        from unclip.pipeline import inpaint, painter

        request = painter.Request(prompt, n, seed, settings or Settings(), method)
        return [*inpaint.extend(_able(self, "extend"), image, inpaint.Sides(**sides), request).pictures]

    @checked
    def upsample(self, picture: Picture, seed: int = 0, size: int | None = None, strength: float = 0.0) -> Image.Image:
        """A picture of any size, enlarged as those of the model are: `pipeline.enlarge`, docs/upsamplers.md."""
        from unclip.pipeline.enlarge import enlarge_picture

        return enlarge_picture(_able(self, "upsample"), picture, seed, size, strength)

    @checked
    def invert(self, picture: Source, prompt: str = "", settings: Settings | None = None) -> Inverted:
        """The bipartite latent (z_i, x_T) of a picture: `pipeline.invert`, docs/manipulate.md."""
        from unclip.pipeline.invert import invert

        return invert(_able(self, "invert"), picture, prompt, settings)

    @checked
    def reconstruct(self, latent: Inverted) -> Image.Image:
        """The picture of a latent again."""
        from unclip.pipeline import manipulate

        return manipulate.reconstruct(_able(self, "reconstruct"), latent)

    @checked
    def vary(
        self,
        picture: Source,
        n: int = 4,
        seed: int = 0,
        eta: float = 1.0,
        fresh: bool = False,
        prompt: str = "",
        settings: Settings | None = None,
    ) -> list[Image.Image]:
        """n variations: `pipeline.manipulate.vary`, docs/manipulate.md."""
        from unclip.pipeline import manipulate

        return manipulate.vary(_able(self, "vary"), picture, n, seed, eta, fresh, prompt, settings)

    @checked
    def blend(
        self,
        a: Source,
        b: Source,
        n: int = 7,
        noise: Literal["slerp", "fixed"] = "slerp",
        seed: int = 0,
        settings: Settings | None = None,
    ) -> list[Image.Image]:
        """n pictures on the way from a to b: `pipeline.manipulate.blend`, docs/manipulate.md."""
        from unclip.pipeline import manipulate

        return manipulate.blend(_able(self, "blend"), a, b, n, noise, seed, settings)

    @checked
    def diff(
        self,
        picture: Source,
        before: str,
        after: str,
        n: int = 6,
        until: float = 0.5,
        settings: Settings | None = None,
    ) -> list[Image.Image]:
        """n pictures, changed by words: `pipeline.manipulate.diff`, docs/manipulate.md."""
        from unclip.pipeline import manipulate

        return manipulate.diff(_able(self, "diff"), picture, before, after, n, until, settings)

    @checked
    def probe(
        self, picture: Source, labels: Iterable[str] = (), seed: int = 0, settings: Settings | None = None
    ) -> "Probe":
        """What CLIP sees in a picture: `pipeline.probe.probe`, docs/manipulate.md."""
        from unclip.pipeline.probe import probe

        return probe(_able(self, "probe"), picture, texts("labels", labels), seed, settings)


def _able(model: object, what: str) -> "TextToImage":
    """The model, if it can do this. Raises ValueError otherwise."""
    from unclip.pipeline.text_to_image import TextToImage

    if not isinstance(model, TextToImage):
        raise ValueError(f"{what}: this is a {type(model).__name__}; only a run of --model unclip can do it")
    return model
