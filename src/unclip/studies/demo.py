"""`unclip demo`: shows what the models that ship draw, then draws a world of captioned shapes, trains every stage on it
from nothing, scores it exactly, and writes a report with both.
"""

import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from unclip.core import machine
from unclip.core.disk.atomic import write_atomic
from unclip.core.disk.store import to_json
from unclip.core.typing import Images
from unclip.data.loader import to_tensor
from unclip.data.prepare.write import load_prepared
from unclip.data.shapes.captions import CATEGORIES, Prompt, prompts
from unclip.data.shapes.world import World
from unclip.evaluation.suite import evaluate_shapes
from unclip.figures import plots
from unclip.figures.report import Section, write_report
from unclip.figures.strips import denoising_strip, noising_strip
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import grid, save_picture
from unclip.recipes.events import Event, ImageSaved, Note, Stopped
from unclip.recipes.presets import tiny
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages import CLIPRecipe, DecoderRecipe, PriorRecipe
from unclip.runs.folder import RunFolder
from unclip.runs.modules import Stages
from unclip.studies.shown_box import box_pictures, box_sections

AROUND = 1.5
"""Minutes that drawing the world, the gates and the scores take on two CPU cores."""

TITLE = "unclip demo: your own DALL-E 2, in miniature"
TITLES = {
    "one_seen": "one object, colour and shape seen together in training",
    "one_unseen": "one object, colour and shape never seen together",
    "two_seen": "two objects, attributes bound",
    "two_unseen": "two objects, one of a combination never seen",
    "relation": "two objects and how they stand to each other",
    "three_seen": "three objects, more than any training image has",
}


def demo_config(budget: float) -> RunConfig:
    """The tiny recipe at 32 px; scores and images come on top of the budget.

    CLIP has more of the time than elsewhere: until it tells circles from squares nothing behind it can draw them. The
    decoder keeps CLIP's words as they are, which takes a third off its steps.
    """
    base = tiny(32)
    clip, prior, decoder = base.of(CLIPRecipe), base.of(PriorRecipe), base.of(DecoderRecipe)
    narrow = base.using(
        clip=replace(clip, share=0.34),
        prior=replace(prior, share=0.05, sampling=replace(prior.sampling, steps=16)),
        decoder=replace(decoder, share=0.61, network=decoder.network.changed(widths=(32, 48)), text="frozen"),
    )
    return replace(narrow, budget=budget)


def demo_world() -> World:
    """Drawn shapes, one or two in an image; more often one than in `World`, for there a shape is learned soonest."""
    return World(32, counts={1: 0.6, 2: 0.4})


def demo(folder: Path, budget: float, stop: threading.Event, n: int = 100) -> Iterator[Event]:
    """Trains in `folder`, then writes grid.png, the strips, scores.json and report.html there."""
    with RunFolder(folder).writing():
        yield from _demo(folder, budget, stop, n)


def _demo(folder: Path, budget: float, stop: threading.Event, n: int) -> Iterator[Event]:
    for path in box_pictures(folder, [p.text for p in unseen_prompts()]):
        yield ImageSaved("box", path)
    if first := box_sections(folder):
        yield ImageSaved("box", write_report(folder, TITLE, [*first, Section("From nothing, here", text=COMING)]))
    world = demo_world()
    minutes = math.ceil(budget / 60 + AROUND)
    yield Note("demo", f"takes about {minutes} minutes: {budget / 60:.1f} of training, then the scores")
    for event in train_stages(world, folder, demo_config(budget), stop, force=True):
        yield event
        if isinstance(event, Stopped):
            return
    model = TextToImage.load(Stages(RunFolder(folder), machine.device()))
    yield Note("score", f"scores the model on {n} prompts of each kind")
    scores = evaluate_shapes(model, world, n)
    write_atomic(folder / "scores.json", to_json(scores))
    for path in _pictures(model, folder, scores):
        yield ImageSaved("score", path)
        if stop.is_set():
            yield Stopped("score")
            return
    yield ImageSaved("score", _report(folder, scores))


def _pictures(model: TextToImage, folder: Path, scores: dict[str, Any]) -> Iterator[Path]:
    asked = unseen_prompts()
    made = model.generate([p.text for p in asked], n=4)
    rows = [made[i : i + 4] for i in range(0, len(made), 4)]
    save_picture(grid(rows, [p.text for p in asked], zoom=3), folder / "grid.png")
    yield folder / "grid.png"
    noising_strip(_first_picture(folder), folder / "noising.png")
    yield folder / "noising.png"
    denoising_strip(list(model.steps([asked[-1].text], [0])), folder / "denoising.png")
    yield folder / "denoising.png"
    if plots.available():
        plots.bars(scores, folder / "scores.png")
        yield folder / "scores.png"


def unseen_prompts(each: int = 4) -> list[Prompt]:
    """Prompts whose combinations of colour and shape the training images never show."""
    world = demo_world()
    return prompts(world, "one_unseen", each, seed=1) + prompts(world, "two_unseen", each, seed=1)


def _first_picture(folder: Path) -> Images:
    prepared = load_prepared(RunFolder(folder).data)
    two = next(i for i, c in enumerate(prepared.captions) if " and " in c[0])
    return to_tensor(prepared.images[two : two + 1])


def _report(folder: Path, scores: dict[str, Any]) -> Path:
    state = RunFolder(folder).state()
    rows = [["stage", "gate", "why"]]
    rows += [[name, "pass" if s["passed"] else "FAIL", s["why"]] for name, s in state.items()]
    sections = [
        *box_sections(folder),
        Section("Images for combinations it never saw", text=GRID, pictures=[folder / "grid.png"]),
        Section("Exact score", text=SCORE, table=score_table(scores), pictures=_there(folder / "scores.png")),
        Section("Pair by pair", text=PAIRS, table=pair_table(scores)),
        Section("GenEval's six", text=GENEVAL, table=geneval_table(scores)),
        Section("What is not learned yet", text=verdict(scores)),
        Section("Stages", table=rows, pictures=_there(folder / "plots" / "loss.png")),
        Section("Noising: the forward process", text=NOISING, pictures=[folder / "noising.png"]),
        Section("Denoising: from noise to image", text=DENOISING, pictures=[folder / "denoising.png"]),
        Section("Some of the training images", pictures=[folder / "samples" / "data.png"]),
    ]
    return write_report(folder, TITLE, sections)


def _there(path: Path) -> list[Path]:
    return [path] if path.exists() else []


def _categories(scores: dict[str, Any]) -> dict[str, Any]:
    """Of the scores, those of the kinds of prompts."""
    return {category: scores[category] for category in CATEGORIES}


def pair_table(scores: dict[str, Any]) -> list[list[str]]:
    """Rows for people: the pairs never seen, and how many of their scenes are right."""
    found = {c: s["whole"]["by_pair"] for c, s in _categories(scores).items() if "by_pair" in s["whole"]}
    rows = [[TITLES[c], *(f"{rate['fraction']:.0%}" for rate in rates.values())] for c, rates in found.items()]
    return [["whole scene right", *scores["unseen_pairs"]["pairs"]], *rows]


def geneval_table(scores: dict[str, Any]) -> list[list[str]]:
    """Rows for people: GenEval's six and their mean."""
    rows = [[name, f"{r['fraction']:.1%} ± {r['error']:.1%} of {r['n']}"] for name, r in scores["geneval"].items()]
    return [["GenEval's categories", "right"], *rows]


def score_table(scores: dict[str, Any]) -> list[list[str]]:
    """Rows for people: category, whole scene right with its standard error, and the parts."""
    rows = [["prompts", "whole scene right", "count", "colours", "shapes", "sizes", "relation, if objects are right"]]
    for category, s in _categories(scores).items():
        whole, related = s["whole"], s["relation_given_objects"]
        parts = [f"{s[k]['fraction']:.0%}" for k in ("count", "colours", "shapes", "sizes")]
        relation = f"{related['fraction']:.0%} of {related['n']} (chance 25%)" if related["n"] else ""
        pairs = f", {len(whole['by_pair'])} pairs" if "by_pair" in whole else ""
        exact = f"{whole['fraction']:.1%} ± {whole['error']:.1%} of {whole['n']}{pairs}"
        rows.append([TITLES.get(category, category), exact, *parts, relation])
    return rows


def verdict(scores: dict[str, Any]) -> str:
    """What the figures say is still missing, in a sentence a kind."""
    whole = {c: s["whole"]["fraction"] for c, s in _categories(scores).items()}
    weak = [f"{TITLES.get(c, c)}: {fraction:.0%}" for c, fraction in whole.items() if fraction < 0.5]
    if not weak:
        return "Every kind of prompt is right more often than not."
    return "Less than half of the scenes are right for: " + "; ".join(weak) + ". Longer training (--budget) helps."


COMING = "A model of drawn shapes is being trained here; this page will show what it draws, and how much is right."
GRID = (
    "Drawn by the model that was trained here, from nothing; four seeds a prompt. No training image shows these pairs "
    "of colour and shape."
)
SCORE = (
    "Each generated image is read back by a parser into objects with shape, colour, size and place; a scene counts "
    "only when all of it is right. The error is the binomial standard error; for pairs never seen it is that of the "
    "mean over pairs, which differ from each other more than their images do."
)
PAIRS = "Four of 24 pairs of colour and shape were left out of training; each was asked for equally often."
GENEVAL = (
    "The categories of GenEval (Ghosh et al. 2023) in this closed world, read by the parser from the same images; "
    "overall is their mean."
)
NOISING = (
    "One training image under DDPM's linear schedule (T = 1000). Above, each x_t by one jump, "
    "x_t = alpha x_0 + sigma eps; below, by t single steps."
)
DENOISING = "Above the noisy state x_t, below the model's guess of the clean image at that moment."
