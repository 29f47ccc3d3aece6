"""200 pictures of another style: what small weights, all weights and random weights make of them in the same steps.

    python benchmarks/lora.py style DATA OUT                  # OUT/learn, OUT/judge: 200 pictures each, as ink drawings
    python benchmarks/lora.py compare OUT RUN [--steps 200] [--rank 8]    # trains OUT/lora, OUT/whole, OUT/random

style: other pictures in each folder, with their captions; dark outlines and hatching on paper, no colour.
compare: RUN is what the first two start from, all three with the same seed and steps. The judge, a feature net that no
run has trained, sees 200 pictures drawn for the captions of OUT/judge beside the true ones there.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter

import unclip
from unclip.box.shipped import find
from unclip.data.images.open import open_image
from unclip.evaluation.sets.kernel import kid_scores
from unclip.judges.shipped import load
from unclip.recipes.settings.run import retrained, stored_config

EACH = 200


def ink(image: Image.Image) -> Image.Image:
    """Edges and three tones of grey, as ink on paper."""
    grey = image.convert("RGBA")
    flat = Image.new("RGBA", grey.size, "white")
    flat.alpha_composite(grey)
    light = np.asarray(flat.convert("L").filter(ImageFilter.GaussianBlur(1)), dtype=np.float32)
    up, across = np.gradient(light)
    edge = np.clip(np.hypot(up, across) * 6, 0, 255)
    tone = 255 - 60 * (2 - np.digitize(light, [85, 170]))
    return Image.fromarray(np.clip(tone - edge, 0, 255).astype(np.uint8)).convert("RGB")


def style(data: Path, out: Path) -> None:
    """Two folders of other pictures, drawn in ink."""
    lines = [json.loads(line) for line in (data / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    chosen = [lines[i * len(lines) // (2 * EACH)] for i in range(2 * EACH)]
    for name, rows in (("learn", chosen[::2]), ("judge", chosen[1::2])):
        (out / name).mkdir(parents=True, exist_ok=True)
        for row in rows:
            with open_image((data / row["file_name"]).read_bytes()) as opened:
                ink(opened.image).save(out / name / row["file_name"])
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (out / name / "metadata.jsonl").write_text(text, encoding="utf-8")
        print(f"{out / name}: {len(rows)} pictures")


def settings(start: unclip.Start | None, run: str, steps: int) -> unclip.RunConfig:
    """Those of RUN's networks, from its weights or from random ones, with so many steps a stage."""
    there = stored_config(find(run) / "run.toml")
    config = start.settings() if start else replace(there, start="", start_hash="", added=(), lora=0)
    config = replace(config, seed=1, precision="float32")
    own = {name: config.recipes[name] for name in config.stages}
    return config.using(**{name: retrained(recipe, steps=steps) for name, recipe in own.items()})


def drawn(model: unclip.TextToImage, captions: list[str]) -> torch.Tensor:
    """A picture a caption, [n, 3, h, w]."""
    batches = (captions[i : i + 50] for i in range(0, len(captions), 50))
    return torch.cat([model.sample_images(b, range(len(b)), unclip.Settings()) for b in batches]).clamp(-1, 1)


def compare(out: Path, run: str, steps: int, rank: int, judged: int) -> None:
    """Prints a row for each way to begin."""
    rows = [json.loads(line) for line in (out / "judge" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    rows, size, judge = rows[:judged], unclip.load(run).size, load("supervised")
    true = torch.cat([unclip.read_image(out / "judge" / row["file_name"], size).images for row in rows])
    real, captions = judge.features(true), [row["text"] for row in rows]
    print(f"{steps} steps a stage | minutes | KID by {judge.name} | new bytes")
    ways = {"as it was": None, "lora": unclip.Start(run, lora=rank), "whole": unclip.Start(run), "random": None}
    for name, start in ways.items():
        began, place = time.monotonic(), out / f"{name}-{steps}"
        if name != "as it was":
            unclip.train(out / "learn", place, config=settings(start, run, steps), force=True)
        took = (time.monotonic() - began) / 60
        model = unclip.load(run if name == "as it was" else place, kind=unclip.TextToImage)
        score = kid_scores(judge.features(drawn(model, captions)), real, seed=1)
        kept = place / "lora" if name == "lora" else place
        count = sum(f.stat().st_size for f in kept.glob("*/*.safetensors"))
        print(f"{name} | {took:.1f} | {score['mean']:.2f} +- {score['error']:.2f} | {count:,}", flush=True)


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("what", choices=("style", "compare"))
    ask.add_argument("first")
    ask.add_argument("second")
    ask.add_argument("--steps", type=int, default=200)
    ask.add_argument("--rank", type=int, default=8)
    ask.add_argument("--judged", type=int, default=EACH, help="how many captions are drawn and judged")
    said = ask.parse_args()
    if said.what == "style":
        style(Path(said.first), Path(said.second))
    else:
        compare(Path(said.first), said.second, said.steps, said.rank, said.judged)
