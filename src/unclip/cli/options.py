"""The settings that may be typed after `unclip train`; light, because `--help` shows them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from unclip.data.layouts import Captions


@Parameter(name="*")
@dataclass(frozen=True)
class Read:
    """How data are read; None: not said."""

    captions: Annotated[
        Captions | None,
        Parameter(
            help="Where captions come from: metadata files, text files beside the pictures, folder names, file names, "
            "Parquet or tar shards; by default what is found."
        ),
    ] = None
    caption_column: Annotated[
        str | None, Parameter(help="The column (or key) of the captions, where it is not called text or caption.")
    ] = None


@Parameter(name="*")
@dataclass(frozen=True)
class Given(Read):
    """What a person asked for; None: not said."""

    budget: Annotated[str | None, Parameter(help="Time for the whole run: 90s, 30m, 2h.")] = None
    model: Annotated[
        Literal["unclip", "latent", "ddpm"] | None,
        Parameter(
            help="unclip (text to picture; default), latent (the same as Stable Diffusion does it) or ddpm (pictures "
            "alone, or with --classes)."
        ),
    ] = None
    classes: Annotated[
        bool, Parameter(help="ddpm: learn the class (folder, label or short caption) of each picture.", negative="")
    ] = False
    preset: Annotated[
        str | None,
        Parameter(
            help="unclip: tiny (a CPU, minutes), small (a GPU, an hour), paper (days); latent: latent-tiny; ddpm: "
            "ddpm-fast or ddpm-cifar10."
        ),
    ] = None
    config: Annotated[Path | None, Parameter(help="A settings file, in the form of a run's run.toml.")] = None
    size: Annotated[
        int | None, Parameter(help="Side of the pictures in pixels, 32 or 64; by default what suits the data.")
    ] = None
    seed: Annotated[int | None, Parameter(help="Seed of everything random.")] = None
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"] | None, Parameter(help="By default what this machine is fast at.")
    ] = None
    max_bad: Annotated[
        float | None, Parameter(help="Largest share of unusable pictures or captions to go on without; 0.01.")
    ] = None
    set: Annotated[
        list[str] | None,
        Parameter(
            help="Any other setting, as decoder.train.batch=16; may be repeated.", negative="", consume_multiple=False
        ),
    ] = None
