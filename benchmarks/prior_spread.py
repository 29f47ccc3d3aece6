"""Why the samples of a prior are alike: what its CLIP knows of the pairs that it was trained on, and of others.

    python benchmarks/prior_spread.py ../shared/data/emoji OUT [--run box:emoji]
    python benchmarks/prior_spread.py ../shared/data/emoji OUT --steps 600 [--hide-words 0.5] [--blur 1]

DATA is what RUN was trained on; it is prepared as OUT/data and split as the run's is. The table has, for training pairs
and for held-out ones, cosines less the means: of the caption's text embedding and the image's, with its standard
deviation over pairs; of a sample of the prior and the image's ("cosine"); and of two samples ("repeat"). Where a prior
is calibrated, the last two are equal (docs/priors.md).

--steps: such a table of priors that are trained anew by so many steps, after a quarter, half and all of them.
--hide-words: each word of a training caption is hidden with this probability, one at least is left. --blur: noise on
CLIP's text embedding and features, up to so many of their standard deviations.
"""

import argparse
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import unclip
from unclip.core.noise import Noise, initial_weights
from unclip.core.task import Batch
from unclip.core.typing import Vectors
from unclip.data.loader import to_tensor
from unclip.data.prepare.splits import Splits, split_rows
from unclip.data.prepare.write import Prepared, prepare
from unclip.data.source import open_source
from unclip.evaluation.suite import OTHER, prior_embeddings
from unclip.generation.text_to_image import TextToImage
from unclip.judges.near_copies import groups_of
from unclip.models.priors.diffusion import Prior
from unclip.recipes.stages import PriorRecipe
from unclip.training.plan import Plan
from unclip.training.trainer import Trainer

ROWS = 128
"""Images embedded at once."""


@dataclass(frozen=True)
class Pairs:
    """Image and text embeddings [n, d] of all pairs, and which are trained on."""

    prepared: Prepared
    splits: Splits
    images: Vectors
    texts: Vectors

    @classmethod
    def of(cls, model: TextToImage, data: Path, place: Path, held_out: float) -> "Pairs":
        prepared = prepare(open_source(data), place, model.size, 1.0)
        splits = split_rows(prepared.keys, groups_of(prepared), held_out)
        parts = [slice(i, i + ROWS) for i in range(0, len(prepared), ROWS)]
        with torch.no_grad():
            images = torch.cat([model.embed_images(to_tensor(prepared.images[part])) for part in parts]).float()
            texts = model.embed_captions([captions[0] for captions in prepared.captions]).float()
        return cls(prepared, splits, images, texts)

    @property
    def shown(self) -> dict[str, np.ndarray]:
        """Rows of those that are held out, and of as many training pairs, evenly."""
        train, held = self.splits.train, np.concatenate([self.splits.validation, self.splits.test])
        places = np.linspace(0, len(train) - 1, min(len(held), len(train))).round().astype(int)
        return {"trained on": train[places], "held out": held}

    def caption(self, row: int) -> str:
        return self.prepared.captions[row][0]

    def centred(self, z: Vectors, of: Vectors) -> Vectors:
        """Unit vectors as seen from the mean of the training pairs."""
        return F.normalize(z - of[self.splits.train].mean(0), dim=-1)


def table(model: TextToImage, pairs: Pairs) -> Iterator[str]:
    """A line for training pairs, and one for others."""
    for name, rows in pairs.shown.items():
        captions = [pairs.caption(row) for row in rows]
        true = pairs.centred(pairs.images[rows], pairs.images)
        told = (pairs.centred(pairs.texts[rows], pairs.texts) * true).sum(1)
        one, other = (pairs.centred(prior_embeddings(model, captions, seed), pairs.images) for seed in (0, OTHER))
        cosine, repeat = ((one * z).sum(1).mean() for z in (true, other))
        yield f"| {name}, {len(rows)} | {told.mean():.3f} ± {told.std():.3f} | {cosine:.4f} | {repeat:.4f} |"


def batches(model: TextToImage, pairs: Pairs, size: int, hide: float, blur: float) -> Callable[[int], Batch]:
    """Training batches for a prior, whose captions are made vague."""
    assert model.clip is not None and model.tokenizer is not None
    clip, tokenizer = model.clip, model.tokenizer

    def batch(step: int) -> Batch:
        draw = random.Random(step)
        rows = draw.choices(pairs.splits.train.tolist(), k=size)
        ids, mask = tokenizer([hidden(pairs.caption(row), hide, draw) for row in rows])
        with torch.no_grad():
            text, tokens, *_ = clip.embed_text(ids, mask)
        noise = Noise.shared(step, "blur")
        share = blur * noise.fork("share").uniform((size, 1))
        text = F.normalize(text + share * noise.fork("text").normal(text.shape) / text.shape[1] ** 0.5, dim=-1)
        tokens = tokens + share[..., None] * tokens.std() * noise.fork("tokens").normal(tokens.shape)
        return Batch(image_embedding=pairs.images[rows], text_embedding=text, text_tokens=tokens, mask=mask)

    return batch


def hidden(caption: str, share: float, draw: random.Random) -> str:
    """A caption without some of its words; one is left."""
    words = caption.split()
    return " ".join([word for word in words if draw.random() >= share] or [draw.choice(words)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--run", default="box:emoji")
    parser.add_argument("--held-out", type=float, default=0.05)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--hide-words", type=float, default=0.0)
    parser.add_argument("--blur", type=float, default=0.0)
    asked = parser.parse_args()
    model = unclip.load(asked.run)
    assert isinstance(model, TextToImage) and isinstance(model.prior, Prior)
    pairs = Pairs.of(model, asked.data, asked.out / "data", asked.held_out)
    print("| pairs | text, image | prior, image: cosine | repeat |\n|---|---|---|---|")
    if not asked.steps:
        print("\n".join(table(model, pairs)))
        return
    with initial_weights(0, "prior"):
        prior = Prior(model.prior.config)
    prior.statistics.load_state_dict(model.prior.statistics.state_dict())
    train = replace(PriorRecipe().train, steps=asked.steps)
    feed = batches(model, pairs, train.batch, asked.hide_words, asked.blur)
    trainer = Trainer(prior, feed, train, Plan(steps=asked.steps, cooldown=train.cooldown), 0, "float32")
    for report in trainer.steps():
        if report.step in (asked.steps // 4, asked.steps // 2, asked.steps):
            made = Prior(model.prior.config)
            made.load_state_dict(trainer.averaged())
            print(f"| after {report.step} steps | | | |")
            print("\n".join(table(replace(model, prior=made.eval()), pairs)), flush=True)


if __name__ == "__main__":
    main()
