"""Prompt ensembles on drawn shapes: accuracy of telling colour, or shape, of one object, by the templates around it.

    python benchmarks/zero_shot.py runs/demo [--pictures 300]

The run may still be training: its CLIP is all that is needed.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from unclip.clip.model import CLIP
from unclip.data.loader import to_tensor
from unclip.data.shapes.draw import COLOURS, SHAPES
from unclip.data.shapes.world import World
from unclip.generation.text_to_image import TextToImage
from unclip.latents.zero_shot import classify
from unclip.runs.folder import RunFolder
from unclip.runs.modules import load_stage
from unclip.text.tokenizer import Tokenizer

SIZES = ("small", "large")
TEMPLATES = {
    "colour": {
        "the word alone": ["{}"],
        "a {} circle": ["a {} circle"],
        "an image of {}": ["an image of {}"],
        "every shape": [f"a {{}} {shape}" for shape in SHAPES],
        "every shape and size": [f"a {size} {{}} {shape}" for shape in SHAPES for size in SIZES],
    },
    "shape": {
        "the word alone": ["{}"],
        "a red {}": ["a red {}"],
        "an image of {}": ["an image of {}"],
        "every colour": [f"a {colour} {{}}" for colour in COLOURS],
        "every colour and size": [f"a {size} {colour} {{}}" for colour in COLOURS for size in SIZES],
    },
}


def seeing(run: Path) -> TextToImage:
    """The run's tokenizer and CLIP."""
    folder = RunFolder(run)
    clip = load_stage(folder, "clip", CLIP, "cpu")
    return TextToImage(tokenizer=Tokenizer.load(folder.tokenizer, clip.config.text.context), clip=clip)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--pictures", type=int, default=300)
    args = parser.parse_args()
    model = seeing(args.run)
    size = model.clip.config.vision.size
    items = list(World(size, counts={1: 1.0}).sample(args.pictures, seed=4242))
    images = to_tensor(np.stack([picture for picture, _, _ in items]))
    for what, labels in (("colour", list(COLOURS)), ("shape", list(SHAPES))):
        truth = torch.tensor([labels.index(getattr(scene.objects[0], what)) for _, _, scene in items])
        for name, templates in TEMPLATES[what].items():
            found = classify(model, images, labels, templates).argmax(1)
            right = (found == truth).float().mean().item()
            print(f"{what:8} {name:22} {len(templates):3} templates {right:7.1%}   chance {1 / len(labels):.1%}")


if __name__ == "__main__":
    main()
