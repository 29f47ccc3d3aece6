"""What a new run begins with, as it is typed."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from unclip.cli.arguments.settings import SettingsLayer
    from unclip.recipes.start.asked import Start


@Parameter(name="*")
@dataclass(frozen=True)
class Beginning:
    """Trained weights to start from, and a CLIP that is there already."""

    start: Annotated[
        str | None,
        Parameter(
            name="--from",
            help="A finished run whose trained weights it starts from; sizes and networks are that run's. "
            "Example: --from runs/other",
        ),
    ] = None
    lora: Annotated[
        int,
        Parameter(
            help="Leave those weights as they are and train small matrices of this rank beside them. Example: --lora 8"
        ),
    ] = 0
    clip: Annotated[
        Path | None,
        Parameter(
            help="A CLIP that is there already, as transformers or open_clip keep one; prior and decoder are trained "
            "on it. Example: --clip clip-vit-base-patch32"
        ),
    ] = None
    finetune_clip: Annotated[bool, Parameter(help="Train that CLIP on; by default its weights stay.", negative="")] = (
        False
    )

    @property
    def asked(self) -> "Start":
        """As `recipes` takes it. Raises ValueError where these do not go together."""
        from unclip.recipes.start.asked import Start

        return Start(self.start, self.lora, self.clip, self.finetune_clip)

    def layers(self) -> "list[SettingsLayer]":
        """What was said of them as settings. Raises ValueError where nothing can be made of it."""
        from unclip.cli.arguments.settings import FILE, SettingsLayer

        asked = self.asked
        said = [SettingsLayer(f"--clip {self.clip}", asked.clip_settings(), FILE)] if self.clip is not None else []
        return said + ([SettingsLayer(f"--lora {self.lora}", {"lora": self.lora})] if self.lora else [])
