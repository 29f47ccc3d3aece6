r"""Trains the autoencoder that ships (docs/decoder.md): once, for hours, on images of many kinds.

    python benchmarks/train_autoencoder.py train OUT --images ../shared/data/emoji:128 ../shared/data/cifar10:32 \
        shapes:64 [--hours 2] [--latent 12] [--seed 0]
    python benchmarks/train_autoencoder.py score OUT [--images DATA:SIZE ...]
    python benchmarks/train_autoencoder.py ship OUT

train: every batch holds crops of 32 px, or at every fourth step of 64, from each data set that is named (at a size that
it is prepared at; only the rows that a run would train on) and as many that are drawn on the way: shapes, letters,
textures, gradients. Stopped and called again it goes on. OUT/autoencoder is what `unclip` reads.

score: PSNR on rows that it never saw, at the size of the data, and on drawn images of another seed.

ship: puts it, in float16, where the package has it, and prints the hash that `models/autoencoder/shipped.py` names.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F

from unclip.core.disk import store
from unclip.core.noise import Noise, initial_weights
from unclip.core.task import Batch
from unclip.core.typing import Images
from unclip.data.loader import to_tensor
from unclip.data.prepare.write import Prepared, prepare
from unclip.data.shapes.world import World
from unclip.data.source import open_source
from unclip.evaluation.fidelity.reconstruction import score_reconstruction
from unclip.judges.own_images import trained_on
from unclip.judges.procedural import scenes
from unclip.models.autoencoder import shipped
from unclip.models.autoencoder.model import Autoencoder
from unclip.models.autoencoder.training import AutoencoderLoss, AutoencoderTraining
from unclip.nn.autoencoder.coder import CoderConfig
from unclip.training.checkpoint import load_checkpoint, save_checkpoint
from unclip.training.optim import OptimConfig
from unclip.training.plan import Plan
from unclip.training.trainer import TrainConfig, Trainer

BATCH, SIDE, LARGE, EVERY = 32, 32, 64, 4
DRAWN = 128
"""Images that are drawn at once."""
MINUTES = 5
"""Between two checkpoints."""


@dataclass(frozen=True)
class Views:
    """Crops of a data set's training images at random scales."""

    prepared: Prepared
    place: Path

    @cached_property
    def rows(self) -> torch.Tensor:
        return torch.from_numpy(trained_on(self.place, self.prepared))

    def __call__(self, n: int, side: int, noise: Noise) -> Images:
        size = self.prepared.size
        rows = self.rows[noise.integers(len(self.rows), (n,))]
        x = to_tensor(self.prepared.images[rows.numpy()])
        scales = [s for s in (32, 48, 64, 96, 128) if side <= s <= size]
        scale = scales[int(noise.integers(len(scales), (1,)))]
        x = x if scale == size else F.interpolate(x, scale, mode="area")
        top, left = (int(noise.integers(scale - side + 1, (1,))) for _ in range(2))
        return x[:, :, top : top + side, left : left + side]


class Mix:
    """step -> a batch of equal parts of every data set and of drawn scenes; colours are swapped, sides turned."""

    def __init__(self, sets: Sequence[Views], seed: int) -> None:
        self.sets, self.seed = sets, seed
        self.drawn = lru_cache(maxsize=4)(self._drawn)

    def __call__(self, step: int) -> Batch:
        side = LARGE if step % EVERY == EVERY - 1 else SIDE
        large, noise = side == LARGE, Noise.shared(self.seed, "mix", step)
        views = [v for v in self.sets if v.prepared.size >= side]
        many = BATCH // 4 if large else BATCH
        each = many // (len(views) + 1)
        parts = [v(each, side, noise.fork(f"set {i}")) for i, v in enumerate(views)]
        count = many - each * len(views)
        turn = step // EVERY if large else step - step // EVERY
        chunk, place = divmod(turn * count, DRAWN - DRAWN % count)
        parts.append(self.drawn(side, chunk)[place : place + count])
        return Batch(images=recoloured(torch.cat(parts), noise.fork("colours")))

    def _drawn(self, side: int, number: int) -> Images:
        return scenes.draw(DRAWN, side, Noise.shared(self.seed, "scenes", side, number), faulty=0.0).images


def recoloured(x: Images, noise: Noise) -> Images:
    """Half of the images mirrored; a third with their channels in another order; a tenth as their negatives."""
    fate = noise.uniform((4, len(x), 1, 1, 1))
    x = torch.where(fate[0] < 0.5, x.flip(-1), x)
    x = torch.where(fate[1] < 1 / 3, torch.where(fate[2] < 0.5, x.roll(1, 1), x.flip(1)), x)
    return torch.where(fate[3] < 0.1, -x, x)


def opened(out: Path, names: Sequence[str]) -> list[Views]:
    """Each DATA:SIZE, prepared below OUT/data."""
    found = []
    for name in names:
        data, size = name.rsplit(":", 1)
        place = out / "data" / f"{Path(data).name}-{size}"
        source = World(int(size)) if data == "shapes" else open_source(Path(data), captioned=False)
        found.append(Views(prepare(source, place, int(size), captioned=False), place))
    return found


def train(asked: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    coder = CoderConfig(latent=asked.latent, widths=(32, 96), blocks=1, attention=False, norm="position")
    loss = AutoencoderLoss(kl=3e-3, perceptual=0, critic_from=1, equivariance=0.5)
    with initial_weights(asked.seed, "autoencoder"):
        task = AutoencoderTraining(coder, loss).to(memory_format=torch.channels_last)
    config = TrainConfig(BATCH, OptimConfig(lr=2e-3, muon_lr=3e-3, warmup=200))
    trainer = Trainer(task, Mix(opened(asked.out, asked.images), asked.seed), config,
                      Plan(seconds=3600 * asked.hours), asked.seed, "float32")  # fmt: skip
    places = asked.out / "checkpoint", asked.out / "before"
    for line in load_checkpoint(places, trainer):
        print(line, flush=True)
    kept, mean = trainer.elapsed, 0.0
    for report in trainer.steps():
        mean += (report.parts["pixels"] - mean) / 50
        if report.step % 100 == 0:
            parts = " ".join(f"{name} {value:.4f}" for name, value in report.parts.items())
            print(
                f"{report.step} {report.elapsed:.0f}s {report.images_per_s:.0f}/s mean {mean:.4f} {parts}", flush=True
            )
        if trainer.elapsed - kept > 60 * MINUTES:
            save_checkpoint(places, trainer)
            keep(asked, trainer)
            kept = trainer.elapsed
    trainer.check()
    save_checkpoint(places, trainer)
    keep(asked, trainer)


def keep(asked: argparse.Namespace, trainer: Trainer) -> None:
    """The averaged weights so far, as the stage of a run."""
    name, average = "autoencoder.", trainer.ema.average
    weights = {key[len(name) :]: value for key, value in average.items() if key.startswith(name)}
    about = {"steps": trainer.step, "seconds": round(trainer.elapsed), "seed": asked.seed, "images": asked.images}
    assert isinstance(trainer.task, AutoencoderTraining)
    store.save(asked.out / "autoencoder", shipped.KIND, trainer.task.autoencoder.config.to_dict(), weights, about)


def ship(asked: argparse.Namespace) -> None:
    stored = store.load(asked.out / "autoencoder", shipped.KIND)
    halves = {name: value.half() for name, value in stored.tensors.items()}
    about = {**stored.extra, "images": [Path(name).name for name in stored.extra["images"]]}
    store.save(shipped.FOLDER, shipped.KIND, stored.config, halves, about)
    print(store.load(shipped.FOLDER, shipped.KIND).identity)


def score(asked: argparse.Namespace) -> None:
    stored = store.load(asked.out / "autoencoder", shipped.KIND)
    model = Autoencoder(CoderConfig.from_dict(stored.config))
    model.load_state_dict({k: v.float() for k, v in stored.tensors.items()})
    model.eval().requires_grad_(False)
    print(f"{stored.identity[:12]} {stored.extra}\n\n| images | px | PSNR, dB | roughness |\n|---|---|---|---|")
    for found, name in zip(opened(asked.out, asked.images), asked.images, strict=True):
        rows = sorted(set(range(len(found.prepared))) - set(found.rows.tolist()))[:256]
        told(name, to_tensor(found.prepared.images[rows]), model)
    for side in (32, 64, 128):
        told("drawn scenes", scenes.draw(64, side, Noise.shared(99, "unseen"), faulty=0.0).images, model)


def told(name: str, images: Images, model: Autoencoder) -> None:
    parts = images.split(32)
    metrics = score_reconstruction(model.reconstruct, images)
    each = [(model.reconstruct(part) - part).square().mean((1, 2, 3)) for part in parts]
    worst = -10 * math.log10(float(torch.cat(each).max()) / 4)
    print(f"| {name} | {images.shape[-1]} | {metrics['psnr']:.1f} (worst {worst:.1f}) | {metrics['roughness']:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["train", "score", "ship"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", nargs="+", default=[])
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--latent", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    {"train": train, "score": score, "ship": ship}[asked.what](asked)


if __name__ == "__main__":
    main()
