"""A CLIP that was trained elsewhere, in the place of one that the run would train.

Its folder, as transformers or open_clip keep one, is read before anything of the run is trained, and kept in our
form in RUN/checkpoints/given/clip: from then on the run needs it no more, and a change there changes nothing here.
"""

from pathlib import Path
from typing import Any

from torch import nn

from unclip.clip.model import CLIP
from unclip.clip.vision import ScaledConfig
from unclip.core.config.ranges import quote
from unclip.core.disk import store
from unclip.core.shown import printable
from unclip.interop.clip.read import read
from unclip.recipes.context import Context
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.base import Stage
from unclip.recipes.stages.clip import CLIPRecipe
from unclip.runs.folder import RunFolder
from unclip.runs.modules import check_finite
from unclip.text.tokenizer import Tokenizer

KEPT, KIND = Path("given", "clip"), "clip"
"""Below checkpoints/, two folders deep: a checkpoint is one deep, and begins the run; what that model folder is of."""
TUNED_RATE = 1e-5
"""At which a CLIP that is trained already is trained on: the rate of OpenCLIP's fine-tuning."""


def given_settings(path: Path, tuned: bool) -> dict[str, Any]:
    """The settings of a run whose CLIP is that of this folder: towers, width, loss, and as many tokens as it reads.

    tuned: whether it is trained on; else its weights stay. Raises ValueError as `interop.clip.read.read` does.
    """
    clip, words = read(path)
    optim = {"lr": TUNED_RATE, "muon_lr": 0.0}
    recipe = {
        "given": str(path),
        "frozen": not tuned,
        "width": clip.config.width,
        "form": clip.config.form,
        "text_encoder": clip.config.text.to_dict(),
        "image_encoder": {"kind": ScaledConfig.__name__, "size": 64, "tower": _plain(clip)},
        "train": {"optim": optim},
    }
    return {"vocabulary": words.size, "longest_caption": words.context, "clip": recipe}


def _plain(clip: CLIP) -> dict[str, Any]:
    return {name: value for name, value in clip.config.vision.to_dict().items() if name != "kind"}


def keep_given(run: RunFolder, config: RunConfig) -> None:
    """Reads the CLIP that the run is to take and keeps it. Raises ValueError as `interop.clip.read.read` does."""
    recipe, place = _recipe(config), run.checkpoints / KEPT
    if recipe is None or not recipe.given or (place / store.HEAD).exists():
        return
    try:
        clip, words = read(Path(recipe.given))
    except ValueError as error:
        raise ValueError(f"clip.given = {printable(recipe.given)}: {error}") from error
    found = (clip.config.text, clip.config.width)
    if found != (recipe.text_encoder, recipe.width):
        raise ValueError(
            f"clip.given = {quote(recipe.given)}: holds another CLIP than these settings; say --clip again, which "
            "writes them"
        )
    extra = {"words": words.backend.to_str()}
    store.save(place, KIND, clip.config.to_dict(), clip.state_dict(), extra)


def given_tokenizer(run: RunFolder, config: RunConfig) -> Tokenizer | None:
    """The tokenizer of the CLIP that the run takes; None where it trains its own."""
    recipe = _recipe(config)
    if recipe is None or not recipe.given or recipe.text_encoder is None:
        return None
    words = store.read_extra(run.checkpoints / KEPT)["words"]
    return Tokenizer.of(words, recipe.text_encoder.context)


def take_given(ctx: Context, stage: Stage[nn.Module]) -> str:
    """Gives the CLIP stage the weights of the one that the run takes; returns what to tell."""
    place = ctx.folder.checkpoints / KEPT
    stored = store.load(place, KIND)
    check_finite(place, stored.tensors)
    tensors = {name.replace("vision.", "vision.tower.", 1) if name.startswith("vision.") else name: tensor
               for name, tensor in stored.tensors.items()}  # fmt: skip
    clip = stage.kept(stage.module)
    assert isinstance(clip, CLIP)
    clip.load_state_dict(tensors)
    recipe = ctx.config.of(CLIPRecipe)
    return f"takes the CLIP of {printable(recipe.given)}" + (", whose weights stay" if recipe.frozen else "")


def _recipe(config: RunConfig) -> CLIPRecipe | None:
    recipe = config.recipes.get(CLIPRecipe.name)
    return recipe if isinstance(recipe, CLIPRecipe) else None
