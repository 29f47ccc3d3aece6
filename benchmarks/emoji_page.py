"""The images of docs/emoji.md, by the model that ships, from files of the emoji data.

python benchmarks/emoji_page.py ../shared/data/emoji docs/pictures/emoji [--only prompts,vary,...]
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

import unclip
from unclip.data.loader import to_tensor
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import grid

PROMPTS = (
    "red heart",
    "fox",
    "panda",
    "green apple",
    "full moon face",
    "woman firefighter medium skin tone",
    "man health worker dark skin tone",
    "grinning face with smiling eyes",
    "taxi",
    "waving hand light skin tone",
    "strawberry",
    "keycap 7",
)
COOK, HEALTH, FIRE = (f"woman {role} light skin tone" for role in ("cook", "health worker", "firefighter"))


class Page:
    """The model, and the data's images by their captions."""

    def __init__(self, data: Path) -> None:
        with (data / "metadata.jsonl").open(encoding="utf-8") as lines:
            self._files = {row["text"]: data / row["file_name"] for row in map(json.loads, lines)}
        model = unclip.load("box:emoji")
        assert isinstance(model, TextToImage)
        self.model, self.size = model, (model.size, model.size)

    def real(self, caption: str) -> Image.Image:
        """An image of the data at the model's size."""
        with Image.open(self._files[caption]) as image:
            return image.convert("RGB").resize(self.size, Image.Resampling.LANCZOS)

    def prompts(self) -> Image.Image:
        images = self.model.generate(PROMPTS, 4)
        return grid([images[i : i + 4] for i in range(0, len(images), 4)], PROMPTS)

    def vary(self, caption: str) -> Image.Image:
        image = self.real(caption)
        return grid([[image, *unclip.vary(self.model, image, 6)]])

    def blend(self, a: str, b: str) -> Image.Image:
        return grid([unclip.blend(self.model, self.real(a), self.real(b))])

    def diff(self, of: str, before: str, after: str) -> Image.Image:
        return grid([unclip.diff(self.model, self.real(of), before, after)])

    def edits(self) -> Image.Image:
        upper, lower, right = (0, 0, 64, 26), (0, 36, 64, 64), (32, 0, 64, 64)
        jobs = ((FIRE, COOK, upper), (FIRE, HEALTH, lower), ("red heart", "red heart", right))
        return grid([self._edit(*job) for job in jobs])

    def _edit(self, of: str, prompt: str, hole: tuple[int, int, int, int]) -> list[Image.Image]:
        image, mask = self.real(of), Image.new("L", self.size)
        mask.paste(255, hole)
        seen = Image.composite(Image.new("RGB", self.size, "gray"), image, mask)
        return [seen, *unclip.edit(self.model, image, mask, prompt, 4)]

    def extends(self) -> Image.Image:
        jobs = (
            ("panda", (0, 0, 64, 32), "down"),
            ("cat face", (0, 0, 32, 64), "right"),
            ("tiger face", (0, 0, 32, 64), "right"),
        )
        return grid([self._extend(*job) for job in jobs])

    def _extend(self, of: str, known: tuple[int, int, int, int], side: Literal["right", "down"]) -> list[Image.Image]:
        part = self.real(of).crop(known)
        shown = Image.new("RGB", self.size, "gray")
        shown.paste(part)
        right, down = float(side == "right"), float(side == "down")
        painted = unclip.extend(self.model, part, of, 3, right=right, down=down)
        return [shown, *(image.resize(self.size) for image in painted)]

    def attack(self) -> Image.Image:
        """A keycap over an apple: the paper's typographic attack."""
        image = self.real("red apple")
        image.paste(self.real("keycap 5").resize((32, 32), Image.Resampling.LANCZOS), (16, 22))
        seen = to_tensor(np.asarray(image)[None])
        print("attack:", unclip.classify(self.model, seen, ["red apple", "keycap 5", "green apple", "fox"]))
        return grid([[image, *unclip.vary(self.model, image, 6)]])

    def invert(self) -> Image.Image:
        """Originals over what comes back of them, and the PSNR."""
        images = [self.real(caption) for caption in (FIRE, "fox", "taxi", "red heart")]
        back = [unclip.vary(self.model, unclip.invert(self.model, image), 1, eta=0.0)[0] for image in images]
        for image, other in zip(images, back, strict=True):
            error = np.mean((np.asarray(image, float) - np.asarray(other.convert("RGB"), float)) ** 2)
            print(f"invert: {10 * np.log10(255**2 / error):.1f} dB")
        return grid([images, back])

    def probe(self) -> Image.Image:
        found = unclip.probe(self.model, self.real(FIRE), [FIRE, HEALTH, COOK, "firefighter light skin tone"])
        print("probe:", *zip(found.dims, found.explained, strict=True), found.labels)
        return grid([found.images])

    @property
    def pictures(self) -> dict[str, Callable[[], Image.Image]]:
        """File name -> what draws it."""
        return {
            "prompts": self.prompts,
            "vary-taxi": partial(self.vary, "taxi"),
            "vary-health": partial(self.vary, HEALTH),
            "blend-cat-tiger": partial(self.blend, "cat face", "tiger face"),
            "blend-sun-moon": partial(self.blend, "sun with face", "full moon face"),
            "diff-tone": partial(self.diff, FIRE, FIRE, "woman firefighter dark skin tone"),
            "diff-heart": partial(self.diff, "red heart", "red heart", "blue heart"),
            "edit": self.edits,
            "extend": self.extends,
            "attack": self.attack,
            "invert": self.invert,
            "probe": self.probe,
        }


def main() -> None:
    """Draws the images that are asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    page = Page(args.data)
    for name, draw in page.pictures.items():
        if not args.only or name in args.only.split(","):
            draw().save(args.out / f"{name}.png")
            print(args.out / f"{name}.png")


if __name__ == "__main__":
    main()
