"""Where things lie in a run folder, and which stages of it are finished.

run.toml  state.json  tokenizer.json  clip/  prior/  decoder/    what a text-to-image model is made of
run.toml  state.json  tokenizer.json  clip/  autoencoder/  latent/    of a latent diffusion
run.toml  state.json  ddpm/                                      what a plain DDPM is made of
classifier/  ...                                                 what `unclip add` put beside it (`ADDED`)
early/                                                           the stage that draws, after 1/16 of its training
data-128/  ...                                                   its pictures at another size, for upsamplers
data/  checkpoints/  logs/  samples/  plots/                     what its training left
priors/                                                          what `unclip compare-priors` found
"""

import json
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unclip.core.shown import typed
from unclip.core.store import write_atomic

MODELS: dict[str, tuple[str, ...]] = {
    "unclip": ("tokenizer", "clip", "prior", "decoder"),
    "latent": ("tokenizer", "clip", "autoencoder", "latent"),
    "ddpm": ("ddpm",),
}
"""Model -> what is learned for it, in this order."""
TRAINED: dict[str, tuple[str, ...]] = {m: tuple(s for s in MODELS[m] if s != "tokenizer") for m in MODELS}
"""Model -> its stages that are networks, each a model folder of its own."""
DRAWS: dict[str, str] = {m: stages[-1] for m, stages in MODELS.items()}
"""Model -> the stage that draws its pictures; its early weights are kept, too, for autoguidance."""
UPSAMPLERS = ("upsampler", "upsampler2")
"""The stages that a picture passes after the decoder, in this order, where they were added."""
INPAINTING = {"upsampler": "inpaint_upsampler", "upsampler2": "inpaint_upsampler2"}
"""Upsampler -> the stage that takes its place where a part of the larger picture is known."""
ADDED: dict[str, tuple[str, ...]] = {
    "unclip": (*UPSAMPLERS, "inpaint", *INPAINTING.values(), "noisy_clip", "autoregressive_prior", "contrastive_prior"),
    "latent": (),
    "ddpm": ("classifier",),
}
"""Model -> the stages that `unclip add` can train on a finished run, each a model folder of its own."""
BUILDS_ON = {"upsampler2": "upsampler"} | {stage: of for of, stage in INPAINTING.items()}
"""Added stage -> the other added one that it starts from."""

FOLDERS = frozenset(
    ("data", "clip", "prior", "decoder", "ddpm", "early", "checkpoints", "logs", "samples", "plots", "priors")
)
"""What a run's folders are called, each a name of `RunFolder`'s, too."""


@dataclass(frozen=True)
class RunFolder:
    """Paths below a run's root."""

    root: Path

    def __getattr__(self, name: str) -> Path:
        if name in FOLDERS:
            return self.root / name
        raise AttributeError(name)

    @property
    def settings(self) -> Path:
        """The resolved settings."""
        return self.root / "run.toml"

    @property
    def tokenizer(self) -> Path:
        """The tokenizer's file."""
        return self.root / "tokenizer.json"

    @property
    def model(self) -> str:
        """What the run trains: a key of `MODELS`. Raises ValueError where its settings are damaged."""
        if not self.settings.exists():
            return "unclip"
        try:
            model = tomllib.loads(self.settings.read_text(encoding="utf-8")).get(
                "model", "unclip"
            )  # 0.1 had only this one
        except ValueError as error:
            raise ValueError(f"{self.settings}: not readable ({error}); restore it, or train again") from error
        if model not in MODELS:
            raise ValueError(f"{self.settings}: model = {model!r}: known are {', '.join(MODELS)}")
        return model

    def state(self) -> dict[str, Any]:
        """Stage -> {"passed": bool, "why": str, "figures": {...}, ...} for each stage that ended.

        Raises ValueError where the file is damaged.
        """
        path = self.root / "state.json"
        if not path.exists():
            return {}
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: not readable ({error}); delete it to train the stages again") from error

    def finish(self, stage: str, record: dict[str, Any]) -> None:
        """Notes how a stage ended."""
        write_atomic(self.root / "state.json", json.dumps({**self.state(), stage: record}, indent=1))

    def forget(self, stage: str) -> None:
        """Takes the note of a stage's end back, and its checkpoint, so that it can be trained anew."""
        write_atomic(
            self.root / "state.json", json.dumps({k: v for k, v in self.state().items() if k != stage}, indent=1)
        )
        shutil.rmtree(self.checkpoints / stage, ignore_errors=True)

    def require(self) -> None:
        """Raises ValueError that says which stage is missing, for whoever wants to generate."""
        if not self.root.is_dir():
            raise ValueError(
                f"{self.root}: no such run; train one with `{typed('unclip', 'train', 'DATA', '--out', self.root)}`"
            )
        state = self.state()
        missing = [s for s in MODELS[self.model] if s not in state]
        if missing:
            raise ValueError(
                f"{self.root}: unfinished, the stage {missing[0]!r} is missing; "
                "run the same `unclip train` command again and it continues"
            )
