"""Chapter 5: contrastive training, as the N x N matrix of a real batch while it is learned."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from unclip.clip.loss import sigmoid_loss, softmax_loss
from unclip.clip.model import CLIP
from unclip.core.noise import Noise, initial_weights
from unclip.core.task import Batch
from unclip.core.typing import Float, Tensor
from unclip.figures.slides.slide import Slide, escaped
from unclip.generation.captioned import CaptionedModel
from unclip.images.files import to_pictures
from unclip.studies.explain.request import Task
from unclip.studies.lecture.shared import BRIEF, CONTRAST, names_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 8
"""N of the matrix."""
AFTER, RATE = (0, 40, 100), 3e-4
"""Steps of training after which the matrix is looked at, and their rate."""
LETTERS, GAP = 20, " " * 7
"""Of a caption beside the matrix; room for its image."""


@dataclass(frozen=True)
class Matrix:
    """Cosines of N images, a row each, and N captions; where they come from."""

    head: str
    cosines: Float[Tensor, "n n"]

    @property
    def found(self) -> int:
        """Images whose own caption is the nearest."""
        return int((self.cosines.argmax(1) == torch.arange(len(self.cosines))).sum())


def contrast(look: Task) -> Slide:
    """The matrix at random weights, while it is learned here, and of the run's own CLIP."""
    model = captioned(look)
    rows = distinct(look, SHOWN)
    matrices = [
        *learned(look, model, rows),
        Matrix("this run's CLIP", cosines(model.clip, batch_of(look, model, rows))),
    ]
    images, words = to_pictures(look.run.subject.images(rows)), look.run.subject.prompts(rows)
    return Slide(
        "contrast",
        CONTRAST,
        r"Contrastive training: the $N \times N$ matrix of a batch",
        f"Cosines of {len(rows)} held-out images (rows) and their captions (columns). A CLIP of the run's settings "
        "begins at random weights and learns this batch alone, while the slide is made; last, the run's own CLIP, "
        f"which has never seen it. Images that find their caption: {', '.join(str(m.found) for m in matrices)} of "
        f"{len(rows)}.",
        r"z_i = \frac{f(\mathrm{image})}{\|f(\mathrm{image})\|},\ z_t = \frac{g(\mathrm{text})}{\|g(\mathrm{text})\|}"
        r"\qquad " + loss_of(model.clip),
        names_of(CLIP, softmax_loss if model.clip.config.form == "softmax" else sigmoid_loss),
        lambda figure: _matrices(figure, matrices, images, words),
        "Four matrices of cosines: flat at random weights, with a bright diagonal once learned.",
    )


def loss_of(clip: CLIP) -> str:
    """The run's loss in TeX."""
    if clip.config.form == "softmax":
        return (
            r"L = -\frac{1}{2N}\sum_i\left(\log\,\mathrm{softmax}_j(s\,z_i^i z_t^j)_i + "
            r"\log\,\mathrm{softmax}_j(s\,z_i^j z_t^i)_i\right)"
        )
    return r"L = -\frac{1}{N}\sum_{i,j}\,\log\,\mathrm{sigmoid}\left(\pm\,(s\ z_i^i\cdot z_t^j + b)\right)"


def captioned(look: Task) -> CaptionedModel:
    """The run's model, which has captions."""
    model = look.run.subject.model
    assert isinstance(model, CaptionedModel)
    return model


def distinct(look: Task, count: int) -> list[int]:
    """Held-out rows of different captions, those with brief ones first."""
    rows, found = look.run.rows.tolist(), dict[str, int]()
    for word, row in zip(look.run.subject.prompts(rows), rows, strict=True):
        found.setdefault(word, row)
    return [found[word] for word in sorted(found, key=lambda word: len(word) > BRIEF)][:count]


def batch_of(look: Task, model: CaptionedModel, rows: list[int]) -> Batch:
    """Images and captions of these rows, equal captions marked."""
    words = look.run.subject.prompts(rows)
    ids, mask = model.tokenizer(words)
    same = {word: i for i, word in enumerate(dict.fromkeys(words))}
    numbers = torch.tensor([same[word] for word in words])
    return Batch(images=look.run.subject.images(rows), ids=ids, mask=mask, caption_id=numbers).to(look.run.device)


@torch.no_grad()
def cosines(clip: CLIP, batch: Batch) -> Float[Tensor, "n n"]:
    """Of every image with every caption."""
    assert batch.images is not None and batch.ids is not None and batch.mask is not None
    return (clip.embed_images(batch.images) @ clip.embed_text(batch.ids, batch.mask)[0].t()).float().cpu()


def learned(look: Task, model: CaptionedModel, shown: list[int]) -> Iterator[Matrix]:
    """The matrix of the shown rows at random weights and after some steps on them alone."""
    batch = batch_of(look, model, shown)
    with initial_weights(look.ask.seed, "lecture", "clip"):
        clip = CLIP(model.clip.config).to(look.run.device)
    optimizer = torch.optim.AdamW(clip.parameters(), RATE)
    for step in range(max(AFTER) + 1):
        if step in AFTER:
            yield Matrix("random weights" if step == 0 else f"{step} steps", cosines(clip.eval(), batch))
        if step < max(AFTER):
            loss = clip.train().loss(batch, Noise.shared(look.ask.seed, "lecture", "clip", step)).total
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def _matrices(figure: "Figure", matrices: list[Matrix], images: list, words: list[str]) -> None:
    plots = figure.subplots(1, len(matrices))
    for i, (ax, matrix) in enumerate(zip(plots, matrices, strict=True)):
        # the scale of each is its own: at random weights all cosines are nearly equal
        ax.imshow(matrix.cosines.tolist(), cmap="viridis")
        ax.set_title(matrix.head)
        ax.set_xticks(range(len(words)), [str(j + 1) for j in range(len(words))])
        ax.set_yticks(
            range(len(words)),
            [f"{j + 1} {escaped(word, LETTERS)}{GAP}" for j, word in enumerate(words)] if i == 0 else [],
        )
        ax.tick_params(length=0)
        low, high = matrix.cosines.min().item(), matrix.cosines.max().item()
        ax.set_xlabel(f"{low:.2f} to {high:.2f}")
        if i == 0:
            _icons(ax, images)


def _icons(ax: "Axes", images: list) -> None:
    """Each row's image between its caption and the matrix."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    for j, image in enumerate(images):
        icon = OffsetImage(np.asarray(image), zoom=38 / image.width)
        box = AnnotationBbox(
            icon, (-0.5, j), xybox=(-0.09, 1 - (j + 0.5) / len(images)), boxcoords="axes fraction", frameon=False, pad=0
        )
        ax.add_artist(box)


SLIDES = (contrast,)
