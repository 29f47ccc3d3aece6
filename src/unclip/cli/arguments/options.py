"""The settings that may be typed after `unclip train`; light, because `--help` shows them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from unclip.data.layouts.kinds import Captions, Fit

FIRST_SEED = "Seed of the first image; each further one takes the next whole number. Example: --seed 7"
NEGATIVE = 'A prompt that guidance leads away from. Example: --negative "blue"'
SEED = "Seed of everything random, a whole number: the same seed gives the same result. Example: --seed 7"
SPLIT = "Which part of the data, where it has parts: train, validation or test. Example: --split validation"

FeatureNets = Annotated[
    tuple[str, ...],
    Parameter(
        help="A judge of images: supervised, self-supervised, random, or a path. May be repeated. Default: all three.",
        negative="",
        show_default=False,
    ),
]
JudgeRuns = Annotated[
    tuple[Path, ...],
    Parameter(
        help="Another run, whose CLIP judges how images fit their captions. May be repeated.",
        negative="",
        show_default=False,
    ),
]


@Parameter(name="*")
@dataclass(frozen=True)
class ReadOptions:
    """How data are read; None: not said."""

    captions: Annotated[
        Captions | None,
        Parameter(
            help="Where captions come from: metadata files, text files beside the images, folder names, file names, "
            "Parquet or tar shards; by default what is found."
        ),
    ] = None
    caption_column: Annotated[
        str | None, Parameter(help="The column (or key) of the captions, where it is not called text or caption.")
    ] = None


@Parameter(name="*")
@dataclass(frozen=True)
class TrainOptions(ReadOptions):
    """What a person asked for; None: not said."""

    budget: Annotated[
        str | None, Parameter(help="Time for the whole run, with its unit: 90s, 30m, 2h. Example: --budget 30m")
    ] = None
    model: Annotated[
        Literal["unclip", "latent", "ddpm", "vae", "flow", "gan"] | None,
        Parameter(
            help="unclip (text to image; default), latent (the same as Stable Diffusion does it); of images alone, or "
            "with --classes: ddpm, or another family beside it: vae, flow, gan."
        ),
    ] = None
    classes: Annotated[
        bool,
        Parameter(
            help="ddpm, vae, flow, gan: learn the class (folder, label or short caption) of each image.",
            negative="",
            show_default=False,
        ),
    ] = False
    preset: Annotated[
        str | None,
        Parameter(
            help="unclip: tiny (a CPU, minutes), small (a GPU, an hour), paper (days); latent: latent-tiny; ddpm: "
            "ddpm-fast or ddpm-cifar10; vae-fast, flow-fast, gan-fast. Example: --preset small"
        ),
    ] = None
    config: Annotated[
        Path | None,
        Parameter(help="A settings file, in the form of a run's run.toml. Example: --config runs/mine/run.toml"),
    ] = None
    size: Annotated[
        int | None,
        Parameter(
            help="Side of the images in pixels. unclip draws 32 or 64, and `unclip add upsampler` leads to 128 and "
            "more; the others take other sides, too. By default what suits the data. Example: --size 64"
        ),
    ] = None
    seed: Annotated[
        int | None, Parameter(help="Seed of everything random, a whole number from 0. Example: --seed 1")
    ] = None
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"] | None, Parameter(help="By default what this machine is fast at.")
    ] = None
    shard: Annotated[
        bool,
        Parameter(
            help="With torchrun: the processes share out the weights, too, each a part of every tensor (FSDP2).",
            negative="",
            show_default=False,
        ),
    ] = False
    background: Annotated[
        str | None,
        Parameter(help="Colour behind images that are transparent, as black or '#808080'; by default white."),
    ] = None
    fit: Annotated[
        Fit | None,
        Parameter(
            help="Images that are not square: crop takes their middle (default); pad takes all of them, on the colour "
            "of their border. The run sees every later image in the same way."
        ),
    ] = None
    max_bad: Annotated[
        float | None,
        Parameter(
            help="Go on where no more than this fraction of the images or captions is unusable; 0.01 by "
            "default. Example: --max-bad 0.05"
        ),
    ] = None
    T: Annotated[
        int | None,
        Parameter(
            name="--T",
            help="ddpm: the steps of its chain, as in DDPM's code. This or one of the next two makes it a DDPM with a "
            "table of betas. Example: --T 1000 --beta-schedule linear --predict eps",
        ),
    ] = None
    beta_schedule: Annotated[
        Literal["linear", "quadratic", "scaled-linear", "sigmoid", "cosine"] | None,
        Parameter(
            help="ddpm: how the betas rise. linear is DDPM's (1e-4 to 0.02 for T = 1000, scaled by 1000 / T for "
            "another T), cosine is iDDPM's. Example: --beta-schedule cosine"
        ),
    ] = None
    predict: Annotated[
        Literal["eps", "x0", "v"] | None,
        Parameter(help="ddpm: what the network predicts; its plain squared error is the loss. Example: --predict v"),
    ] = None
    set: Annotated[
        list[str] | None,
        Parameter(
            help="Any other setting by its path in run.toml; may be repeated, in any order. Example: "
            "--set decoder.train.batch=16",
            negative="",
            show_default=False,
            consume_multiple=False,
        ),
    ] = None
