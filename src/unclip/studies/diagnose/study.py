"""`unclip diagnose`: all checks of a run, in the order in which its stages follow each other."""

from collections.abc import Iterator
from pathlib import Path

from unclip.core.disk import store
from unclip.generation.one_pass import ONE_PASS
from unclip.studies.diagnose.check import Check, Fault, compared, first_cause, unknown
from unclip.studies.diagnose.embeddings import prior_checks, statistics_check
from unclip.studies.diagnose.images import level_check, sample_checks
from unclip.studies.diagnose.subject import Subject, open_subject
from unclip.studies.diagnose.training import training_checks
from unclip.studies.diagnose.words import caption_checks, clip_checks

DENOISING = ("decoder", "latent", "ddpm")
FILES = "files"
TOLD = ("prior", "decoder", "latent")
"""Stages with statistics of what they were trained on."""


def diagnose(root: Path) -> Iterator[Check]:
    """Checks as they are made. A stage whose forerunner is broken is not accused of what follows from that;
    damaged files hide what is behind them, and nothing more.

    Raises ValueError for a folder that holds no run, or one whose settings are damaged.
    """
    run, broken = open_subject(root), ""
    for stage in ("data", *run.config.stages):
        if broken:
            yield unknown(stage, "all", f"{broken} is broken, and what follows from that would be told of {stage}")
            continue
        for check in stage_checks(run, stage):
            yield check
            if check.verdict == "broken" and check.name != FILES:
                broken = stage
                break


def stage_checks(run: Subject, name: str) -> Iterator[Check]:
    """All checks of one stage; the first ones tell causes, the later ones what comes of them."""
    if name == "data":
        yield from caption_checks(run)
        return
    damage = whole(run, name)
    yield damage
    if damage.verdict != "good":
        yield from training_checks(run, name)
        return
    if name in TOLD:
        yield statistics_check(run, name)
    if name == "gan":
        yield unknown(name, "loss", "what one player of a GAN gains the other loses: its loss tells nothing of it")
    else:
        yield from training_checks(run, name)
    if name == "clip":
        yield from clip_checks(run)
    if name == "prior":
        yield from prior_checks(run)
    if name in DENOISING:
        yield level_check(run, name)
    if name in DENOISING or name in ONE_PASS:
        yield from sample_checks(run, name)


def whole(run: Subject, name: str) -> Check:
    """Whether the files of a stage are there and whole."""
    place = run.run.root / name
    if not store.exists(place):
        return unknown(name, FILES, f"{place}: not there: the stage is not finished")
    try:
        store.check(place)
    except ValueError as error:
        command = run.say("train", "DATA", "--out", run.run.root)
        return compared(
            name, FILES, ("damaged", "whole"), "broken", Fault("its files are damaged", str(error), command)
        )
    return Check(name, FILES, "good", "whole", "whole")


def verdict(checks: list[Check]) -> str:
    """The first cause in one line."""
    cause = first_cause(checks)
    if cause is None:
        unmade = sum(check.verdict == "unknown" for check in checks)
        return "nothing is wrong" + (
            f" in what could be looked at; {unmade} checks could not be made" if unmade else ""
        )
    return f"{cause.stage}: {cause.cause} ({cause.name}: {cause.figure})"
