"""Captions that the emoji data lack, of parts that they have (role x gender x skin tone): are their images right?

    python benchmarks/zoo.py RUN OUT.png [--judge OTHER-RUN] [-n 40] [--each 1] [--seed 0] [--guidance 2] [--json FILE]

Role and gender were seen together in other skin tones, role and tone by another gender. The judge is a CLIP (that of
the run, and of each --judge, whose run may be unfinished) which finds the nearest of all captions, the missing ones
included. Images of people that the run held out tell how well it knows real ones. OUT.png shows every image for the
eye.
"""

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from zero_shot import seeing

import unclip
from unclip.core.typing import Images
from unclip.data.loader import to_tensor
from unclip.data.prepare.write import Prepared, load_prepared
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import grid
from unclip.recipes.settings.run import stored_config
from unclip.recipes.splits import splits_of
from unclip.runs.folder import RunFolder

GENDERS = ("man", "woman", "person")
TONES = ("light", "medium-light", "medium", "medium-dark", "dark")
CAPTION = re.compile(
    rf"({'|'.join(GENDERS)}) ((?:\S+ )*?)({'|'.join(sorted(TONES, key=len, reverse=True))}) skin tone(.*)"
)


@dataclass(frozen=True)
class Person:
    """Who a caption names. role: what stands between gender and tone; looks: what follows (the hair)."""

    gender: str
    role: str
    tone: str
    looks: str

    @classmethod
    def read(cls, caption: str) -> "Person | None":
        """None for a caption of another form."""
        found = CAPTION.fullmatch(caption)
        return cls(*found.groups()) if found else None

    def __str__(self) -> str:
        return f"{self.gender} {self.role}{self.tone} skin tone{self.looks}"


def missing(captions: Sequence[str]) -> list[Person]:
    """Every person whose parts were seen in pairs, and who was not."""
    seen = {p for p in map(Person.read, captions) if p}
    gendered = Counter((p.gender, p.role, p.looks) for p in seen)
    toned = Counter((p.role, p.tone, p.looks) for p in seen)
    everyone = {Person(g, p.role, t, p.looks) for p in seen for g in GENDERS for t in TONES}
    found = [p for p in everyone - seen if gendered[p.gender, p.role, p.looks] > 1 and toned[p.role, p.tone, p.looks]]
    return sorted(found, key=str)


def judged(judge: TextToImage, images: Images, asked: Sequence[Person], captions: Sequence[str]) -> dict[str, float]:
    """Shares of the images whose nearest caption is the right one, is among 5, or has the right part."""
    texts = judge.embed_captions(captions)
    order = (judge.embed_images(images) @ texts.t()).argsort(1, descending=True)
    named = [Person.read(captions[row[0]]) for row in order.tolist()]
    rank = [row.index(captions.index(str(p))) for row, p in zip(order.tolist(), asked, strict=True)]
    parts = {
        part: [
            n is not None and all(getattr(n, x) == getattr(p, x) for x in of) for n, p in zip(named, asked, strict=True)
        ]
        for part, of in {"role": ("role", "looks"), "gender": ("gender",), "tone": ("tone",)}.items()
    }
    hits = {"caption": [r == 0 for r in rank], "caption among 5": [r < 5 for r in rank], **parts}
    return {name: sum(hit) / len(hit) for name, hit in hits.items()}


def held_out(run: Path, prepared: Prepared) -> tuple[Images, list[Person]]:
    """Real images of people that the run was not trained on, and their first captions."""
    rows = splits_of(RunFolder(run), prepared, stored_config(RunFolder(run).settings)).held_out
    people = {row: person for row in rows.tolist() if (person := Person.read(prepared.captions[row][0]))}
    return to_tensor(prepared.images[list(people)]), list(people.values())


def sheet(made: Sequence[Image.Image], asked: Sequence[Person], each: int) -> Image.Image:
    """Four blocks side by side, a caption a line."""
    lines = [made[i * each : (i + 1) * each] for i in range(len(asked))]
    quarter = -(-len(asked) // 4)
    blocks = [
        grid(lines[i : i + quarter], [str(p) for p in asked[i : i + quarter]], zoom=1)
        for i in range(0, len(asked), quarter)
    ]
    whole = Image.new("RGB", (sum(b.width + 12 for b in blocks), max(b.height for b in blocks)), "white")
    for i, block in enumerate(blocks):
        whole.paste(block, (sum(b.width + 12 for b in blocks[:i]), 0))
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--judge", type=Path, action="append", default=[])
    parser.add_argument("-n", type=int, default=40)
    parser.add_argument("--each", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    prepared = load_prepared(RunFolder(args.run).data)
    known = sorted({c for captions in prepared.captions for c in captions})
    unseen = missing(known)
    asked = random.Random(args.seed).sample(unseen, args.n)
    model = unclip.load(args.run)
    settings = Settings(guidance=args.guidance, size=model.size)
    made = model.generate([str(p) for p in asked], args.each, args.seed, settings)
    sheet(made, asked, args.each).save(args.out, optimize=True)
    every = [*known, *map(str, unseen)]
    repeated = [p for p in asked for _ in range(args.each)]
    sets = {
        f"{len(asked)} of {len(unseen)} missing": (to_tensor(np.stack([np.asarray(m) for m in made])), repeated),
        "real, held out": held_out(args.run, prepared),
    }
    metrics = {
        f"{name}, {len(who)} images, judge {run}": judged(seeing(run), images, who, every)
        for run in [args.run, *args.judge]
        for name, (images, who) in sets.items()
    }
    print(f"among {len(every)} captions")
    for name, shares in metrics.items():
        print(f"{name}: " + ", ".join(f"{what} {share:.1%}" for what, share in shares.items()))
    if args.json:
        args.json.write_text(json.dumps(metrics, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
