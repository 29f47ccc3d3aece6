"""What torchrun starts in tests and benchmarks: every process trains the same tiny runs together, one of each kind.

    torchrun --nproc-per-node 2 -m tests.processes DATA OUT STEPS [STAGE:STEP] [poison:STEPS] [shard]

STAGE:STEP: where the last process is killed, once, in the training of `unclip`. poison:3,4: the steps in which the last
process, alone, sees an image that is not finite, in the training of `ddpm`. shard: the weights are shared out, too.
"""

import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from tests.cli.test_families import config as family
from tests.cli.test_latent import config as latent
from tests.paint import folder
from tests.short import short

from unclip.core import processes
from unclip.core.task import Batch
from unclip.data.layouts.pack import pack
from unclip.data.shapes.world import World
from unclip.data.source import Source, open_source
from unclip.diffusion.losses.sampling import LossAware
from unclip.nn.backbones.diffusion_unet import DiffusionUNetConfig
from unclip.nn.blocks.resblock import ResBlockConfig
from unclip.recipes.events import Note
from unclip.recipes.feed import PictureFeed
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig, retrained
from unclip.recipes.stages import DDPMRecipe
from unclip.recipes.together import follow, leading
from unclip.runs.folder import RunFolder
from unclip.training.trainer import Trainer

SLOW = 1e-9
"""A learning rate at which rounding stays rounding. At a usual one a few small networks here make 1e-7 ten times as
much with each step: Muon gives all directions of a gradient the same length, and in one of low rank most are
rounding."""


def painted(root: Path, each: int = 24) -> Path:
    """The data of `runs`: images in root/data, which is returned, and the same as shards beside it."""
    pack(open_source(folder(root / "data", each=each)), root / "shards", per_shard=8)
    return root / "data"


def runs(data: Path, steps: int) -> dict[str, tuple[Source, RunConfig]]:
    """Name -> data and settings. The batches of all can be shared by four."""
    colours, words = open_source(data, captioned=False), open_source(data)
    return {
        "unclip": (World(32, scenes=64), replace(short(steps), workers=1)),
        "parts": (World(32, scenes=64), in_parts(replace(short(steps), workers=1))),
        "stream": (open_source(data.parent / "shards"), slowly(streamed(replace(short(steps), workers=1)))),
        "latent": (words, slowly(latent(steps, steps, steps))),
        "ddpm": (colours, family("ddpm", steps)),
        "vae": (colours, family("vae", steps)),
        "flow": (colours, slowly(family("flow", steps))),
        "gan": (colours, slowly(family("gan", steps))),
        "dropout": (colours, slowly(dropping(family("ddpm", steps)))),
        "loss-aware": (colours, slowly(aware(family("ddpm", steps)))),
    }


def slowly(config: RunConfig) -> RunConfig:
    recipes = {
        name: retrained(recipe, optim=replace(recipe.train.optim, lr=SLOW, muon_lr=SLOW))
        for name, recipe in config.recipes.items()
    }
    return config.using(**recipes)


def streamed(config: RunConfig) -> RunConfig:
    return replace(config, stream="always")


def in_parts(config: RunConfig) -> RunConfig:
    less = {"batch": 8, "accumulate": 2, "activation_checkpointing": True}
    return config.using(**{name: retrained(recipe, **less) for name, recipe in config.recipes.items()})


def dropping(config: RunConfig) -> RunConfig:
    block = ResBlockConfig(groups=8, dropout=0.1)
    network = DiffusionUNetConfig(width=16, multipliers=(1,), attention=(False,), block=block)
    return config.using(ddpm=replace(config.of(DDPMRecipe), network=network))


def aware(config: RunConfig) -> RunConfig:
    recipe = config.of(DDPMRecipe)
    return config.using(ddpm=replace(recipe, diffusion=replace(recipe.diffusion, levels=LossAware(bins=2, keep=2))))


def train(source: Source, out: Path, config: RunConfig) -> None:
    """One of them, as `unclip train` does."""
    if processes.leads():
        with leading():
            events = train_stages(source, out, config, threading.Event(), force=True)
            notes = (event.text for event in events if isinstance(event, Note))
            out.parent.mkdir(parents=True, exist_ok=True)
            with out.with_suffix(".notes").open("a", encoding="utf-8") as file:
                file.writelines(f"{note}\n" for note in notes)
    else:
        follow(RunFolder(out))


def die_once(out: Path, at: str) -> None:
    """The last process kills itself in the middle of that step, where it has not done so before."""
    stage, step = at.split(":")
    flag, one = out / "killed", Trainer._one  # pyright: ignore[reportPrivateUsage]

    def deadly(trainer: Trainer, *given: object) -> object:
        last = processes.rank() == processes.count() - 1 and not flag.exists()
        if last and trainer.step == int(step) and RunFolder(out / "unclip").state().keys() == before(stage):
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return one(trainer, *given)  # pyright: ignore[reportArgumentType]

    Trainer._one = deadly  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]


def poison(steps: list[int]) -> None:
    """In these steps the last process has an image that is not finite, the second of its own."""
    feed = PictureFeed.__call__

    def poisoned(batches: PictureFeed, step: int) -> Batch:
        batch = feed(batches, step)
        assert batch.images is not None
        if processes.rank() == processes.count() - 1 and step in steps:
            batch.images[1, 0, 0, 0] = float("nan")
        return batch

    PictureFeed.__call__ = poisoned  # pyright: ignore[reportAttributeAccessIssue]


def before(stage: str) -> set[str]:
    """What of the run is finished while this stage trains."""
    order = ("data", "tokenizer", "clip", "prior", "decoder")
    return set(order[: order.index(stage)])


def main(data: Path, out: Path, steps: int, *how: str) -> None:
    chosen = runs(data, steps)
    for word in how:
        if word == "shard":
            chosen = {name: (source, replace(config, shard=True)) for name, (source, config) in chosen.items()}
        elif word.startswith("poison:"):
            poison([int(step) for step in word.partition(":")[2].split(",")])
            chosen = {"ddpm": chosen["ddpm"]}
        else:
            die_once(out, word)
            chosen = {"unclip": chosen["unclip"]}
    for name, (source, config) in chosen.items():
        train(source, out / name, config)


def check_alone() -> None:
    """No thread of torch's group of processes is left: Python must not end under one."""
    threads = [task.joinpath("comm").read_text() for task in Path("/proc/self/task").glob("*")]
    left = [name.strip() for name in threads if "gloo" in name]
    assert not left, f"threads are left: {left}"


if __name__ == "__main__":
    with processes.joined():
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
    check_alone()
