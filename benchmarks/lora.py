"""200 pictures of another style: what small weights, all weights and random weights make of them in the same steps.

    python benchmarks/lora.py style DATA OUT                  # OUT/learn, OUT/judge: 200 pictures each, as ink drawings
    python benchmarks/lora.py compare OUT RUN [--steps 200] [--rank 8]    # trains OUT/lora, OUT/whole, OUT/random
    python benchmarks/lora.py show OUT RUN    # OUT/pictures.png: what each draws for the first captions of OUT/judge

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
from unclip.images.files import grid, save_picture, to_pictures
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


WAYS = ("as it was", "lora", "whole", "random")


def place(out: Path, name: str, steps: int) -> Path:
    return out / f"{name}-{steps}"


def asked_for(out: Path, judged: int) -> tuple[list[str], list[Path]]:
    """The first captions of OUT/judge, and the true pictures beside them."""
    rows = [json.loads(line) for line in (out / "judge" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    return [row["text"] for row in rows[:judged]], [out / "judge" / row["file_name"] for row in rows[:judged]]


def truth(paths: list[Path], size: int) -> torch.Tensor:
    return torch.cat([unclip.read_image(path, size).images for path in paths])


def compare(out: Path, run: str, steps: int, rank: int, judged: int) -> None:
    """Prints a row for each way to begin."""
    judge = load("supervised")
    captions, paths = asked_for(out, judged)
    real = judge.features(truth(paths, unclip.load(run).size))
    print(f"{steps} steps a stage | minutes | KID by {judge.name} | new bytes")
    for name in WAYS:
        began, there = time.monotonic(), place(out, name, steps)
        if name != "as it was":
            start = None if name == "random" else unclip.Start(run, lora=rank if name == "lora" else 0)
            unclip.train(out / "learn", there, config=settings(start, run, steps), force=True)
        took = (time.monotonic() - began) / 60
        model = unclip.load(run if name == "as it was" else there, kind=unclip.TextToImage)
        score = kid_scores(judge.features(drawn(model, captions)), real, seed=1)
        kept = there / "lora" if name == "lora" else there
        count = sum(f.stat().st_size for f in kept.glob("*/*.safetensors"))
        print(f"{name} | {took:.1f} | {score['mean']:.2f} +- {score['error']:.2f} | {count:,}", flush=True)


def show(out: Path, run: str, steps: int, shown: int) -> None:
    """OUT/pictures.png: a row a way, a column a caption, the truth below."""
    captions, paths = asked_for(out, EACH)
    captions, paths = captions[:: EACH // shown], paths[:: EACH // shown]
    runs = [run if name == "as it was" else place(out, name, steps) for name in WAYS]
    models = [unclip.load(one, kind=unclip.TextToImage) for one in runs]
    rows = [drawn(model, captions) for model in models] + [truth(paths, models[0].size)]
    save_picture(grid([to_pictures(row) for row in rows], [*WAYS, "the truth"], heads=captions), out / "pictures.png")


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("what", choices=("style", "compare", "show"))
    ask.add_argument("first")
    ask.add_argument("second")
    ask.add_argument("--steps", type=int, default=200)
    ask.add_argument("--rank", type=int, default=8)
    ask.add_argument("--judged", type=int, default=EACH, help="how many captions are drawn and judged")
    said = ask.parse_args()
    if said.what == "style":
        style(Path(said.first), Path(said.second))
    elif said.what == "show":
        show(Path(said.first), said.second, said.steps, 8)
    else:
        compare(Path(said.first), said.second, said.steps, said.rank, said.judged)
