"""The settings of a run that starts from another: those of the networks are the other's, all else is new."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from unclip.clip.vision import NoTowerConfig
from unclip.core.config.ranges import quote
from unclip.core.shown import printable
from unclip.recipes.settings.changes import leaves
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig, retrained, stored_config
from unclip.recipes.stages.clip import CLIPRecipe
from unclip.runs.folder import RunFolder
from unclip.runs.modules import model_hash

GENTLE = 0.3
"""Trained weights are stepped at so much of the rate that random ones were (docs/finetune.md has the measurement)."""
SMALL_RATE = 2e-3
"""Of AdamW for small matrices, whose first half starts at zero and needs more than whole weights do."""
OWN = ("share", "flip", "candidates", "drop_text", "drop_embedding", "drop_caption", "drop_class")
OWN_TABLES = ("train", "sampling", "loss")
"""Settings of a stage that weights do not depend on: how it is trained, and drawn with."""
ANYWHERE = ("vocabulary", "context", "s_last")
"""The same, in whatever table: sizes that grow with the captions, and the level of the last step of drawing."""


def settings_from(run: RunFolder, shown: str, lora: int = 0) -> RunConfig:
    """The settings of a new run that starts from the weights of `run`; shown: how that was named; lora: the rank of
    small matrices that are trained in their place.

    Its networks and sizes; each stage ended by the budget, at `GENTLE` of its rates, small matrices at `SMALL_RATE`;
    room in the vocabulary for as many tokens again, but for none with small matrices, beside which tables of words
    stay. Budget, seed and how data are read are the defaults.
    """
    there = stored_config(run.settings)
    clip = there.recipes.get(CLIPRecipe.name)
    blind = isinstance(clip, CLIPRecipe) and isinstance(clip.image_encoder, NoTowerConfig)
    if blind and there.model != "latent":
        raise ValueError(
            f"--from {printable(shown)}: its CLIP has no image tower, as the folder that it was imported from had "
            "none; training has to look at images; draw with it, or train a run of your own"
        )
    return RunConfig(
        model=there.model,
        size=there.size,
        vocabulary=there.vocabulary if lora else 2 * there.vocabulary,
        longest_caption=there.longest_caption,
        start=shown,
        start_hash=model_hash(run),
        lora=lora,
        recipes={name: _gentle(there.recipes[name], lora) for name in there.stages},
    ).timed()


def _gentle(recipe: Recipe, lora: int) -> Recipe:
    optim = recipe.train.optim
    if lora:
        return retrained(recipe, optim=replace(optim, lr=SMALL_RATE, muon_lr=0.0))
    lr, muon_lr = (float(f"{GENTLE * rate:.3g}") for rate in (optim.lr, optim.muon_lr))
    return retrained(recipe, optim=replace(optim, lr=lr, muon_lr=muon_lr))


def check_weights_fit(config: RunConfig, there: RunConfig) -> None:
    """Raises ValueError where the networks of a run are not those of the run that it starts from, `there`."""
    check_kind(there, config.start, model=config.model, size=config.size)
    for stage in config.stages:
        check_alike(stage, config.recipes[stage].to_dict(), there.recipes[stage].to_dict(), config.start)


def check_kind(there: RunConfig, start: str, **wanted: Any) -> None:
    """Raises ValueError where another model or size is wanted than that of the run that is started from; None: nothing
    was said of it."""
    for name, value in wanted.items():
        if value not in (None, has := getattr(there, name)):
            raise ValueError(_unlike(name, value, has, start))


def check_alike(stage: str, wanted: Mapping[str, Any], has: Mapping[str, Any], start: str) -> None:
    """Raises ValueError for the first setting that weights depend on and that is not the same."""
    before, now = dict(_fixed(has)), dict(_fixed(wanted))
    for path in sorted([*now, *before], key=lambda name: name != "classes"):  # whose number other settings follow
        if now.get(path) != before.get(path):
            raise ValueError(_unlike(f"{stage}.{path}", now.get(path), before.get(path), start))


def _fixed(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for path, value in leaves(table):
        free = path in OWN or path.partition(".")[0] in OWN_TABLES or path.rpartition(".")[2] in ANYWHERE
        if not free:
            yield path, value


def _unlike(path: str, wanted: Any, has: Any, start: str) -> str:
    return (
        f"{path} = {quote(wanted)}: the weights of {printable(start)} were trained with {path} = {quote(has)} and fit "
        "nothing else; take that, or train without --from"
    )
