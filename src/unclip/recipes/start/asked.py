"""What a new run begins with, as it was asked for: weights of another run, or a CLIP that is there already."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from unclip.core.shown import printable
from unclip.recipes.settings.run import RunConfig, merge
from unclip.recipes.start.given import given_settings
from unclip.recipes.start.origin import run_of
from unclip.recipes.start.settings import settings_from
from unclip.runs.folder import RunFolder


@dataclass(frozen=True)
class Start:
    """What a new run begins with.

        unclip.train("icons", "runs/icons", start="box:emoji")                          # all weights are trained on
        unclip.train("icons", "runs/icons", start=unclip.Start("box:emoji", lora=8))    # small ones beside them
        unclip.train("photos", "runs/mine", start=unclip.Start(clip="clip-vit-base-patch32"))

    Args:
        run: a finished run whose trained weights it starts from, as a path or "box:NAME"; sizes and networks are that
            run's. None: random weights.
        lora: the rank of small matrices that are trained beside those weights, which stay; 0: all weights are trained.
        clip: the folder of a CLIP of transformers or open_clip, in the place of one that the run trains.
        finetune_clip: whether that CLIP is trained on.

    Raises:
        ValueError: where these do not go together.
    """

    run: str | Path | None = None
    lora: int = 0
    clip: str | Path | None = None
    finetune_clip: bool = False

    def __post_init__(self) -> None:
        if self.lora and self.run is None:
            raise ValueError(
                f"--lora {self.lora}: small weights stand beside trained ones; say whose: --from RUN, or "
                "--from box:emoji"
            )
        if self.finetune_clip and self.clip is None:
            raise ValueError("--finetune-clip: which one? Add --clip PATH, or leave it out: a run trains its own CLIP")
        if self.clip is not None and self.run is not None:
            raise ValueError(
                f"--clip {printable(str(self.clip))}: the CLIP is that of --from {self.named}; leave one of them out"
            )

    @property
    def named(self) -> str:
        """How the other run was named; "": there is none."""
        return "" if self.run is None else str(self.run)

    @cached_property
    def origin(self) -> RunFolder:
        """The other run, whose files are checked once. Raises ValueError as `run_of` does."""
        return run_of(self.named)

    def settings(self) -> RunConfig:
        """Those of a run that starts from the other one. Raises ValueError as `run_of` does."""
        return settings_from(self.origin, self.named, self.lora)

    def clip_settings(self) -> dict[str, Any]:
        """What the CLIP that is given means for the settings. Raises ValueError as `given_settings` does."""
        return {} if self.clip is None else given_settings(Path(self.clip), self.finetune_clip)

    def with_clip(self, config: RunConfig) -> RunConfig:
        """The settings with the CLIP that is given. Raises ValueError as `given_settings` does."""
        said = self.clip_settings()
        return RunConfig.from_dict(merge(config.to_dict(), said)) if said else config
