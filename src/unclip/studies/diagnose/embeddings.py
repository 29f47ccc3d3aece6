"""What prior, decoder and latent diffusion store of the vectors that they were trained on, against the run's own."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from unclip.evaluation.alignment import matched_against_shuffled
from unclip.models.priors.diffusion import Prior
from unclip.recipes.stages.batches import assembled
from unclip.studies.diagnose.check import Check, Fault, above, compared, unknown, worst
from unclip.studies.diagnose.subject import Subject
from unclip.studies.diagnose.words import fell, loaded_clip

APART = (0.3, 0.7)
"""Distance of the stored mean from the run's, in its standard deviations, rms over dimensions. Sound: 0.03 to 0.1."""
SPREAD = 0.15, 0.5
"""|log| of the ratio of standard deviations, median over dimensions. Sound: below 0.05."""
PAIRS = 64


def statistics_check(run: Subject, name: str) -> Check:
    """Mean and standard deviation that a stage stores, against those of the run's own training images."""
    try:
        stage, weights = run.stage(name), run.weights(name)
        own = stage.kept(stage.module).state_dict()
        mean, std = own["statistics.mean"], own.get("statistics.std")
    except (ValueError, KeyError) as error:
        return unknown(name, "normalisation", error)
    scale = std if std is not None else run.ctx().embeddings.std(0)
    apart = ((weights["statistics.mean"] - mean) / scale).square().mean().sqrt().item()
    ratio = 0.0 if std is None else (weights["statistics.std"] / std).log().abs().median().item()
    verdict = worst(above(apart, *APART), above(ratio, *SPREAD))
    other = name == "prior"
    fault = Fault(
        "it is the prior of another CLIP" if other else "its normalisation is wrong",
        f"The statistics that the {name} stores are not those of this run's training images: it was trained on other "
        "vectors.",
        run.say("train", "DATA", "--out", "ANOTHER"),
    )
    figure = f"mean {apart:.2f} standard deviations off, scale off by {ratio:.0%}"
    return compared(name, "normalisation", (figure, f"below {APART[0]} and {SPREAD[0]:.0%}"), verdict, fault)


def prior_checks(run: Subject) -> Iterator[Check]:
    """Cosine of the prior's embeddings to the truth, to another caption's, and between two seeds."""
    try:
        model, ctx = loaded_clip(run), run.ctx()
        prior = ctx.finished("prior", Prior)
    except ValueError as error:
        yield unknown("prior", "embeddings", error)
        return
    rows = ctx.splits.train[:PAIRS]
    captions, true = ctx.first_captions(rows), ctx.embeddings[torch.from_numpy(rows)]
    asked = assembled(ctx, clip=model.clip, prior=prior)
    first, second = (asked.embed_prompts(captions, range(s, s + len(rows))).cpu() for s in (0, 1_000_000))
    mean = ctx.embeddings.mean(0)
    made, again, real = (F.normalize(z - mean, dim=-1) for z in (first, second, true))
    score = matched_against_shuffled(made, real, captions)
    repeat = (made * again).sum(1).mean().item()
    figure = f"cosine to the truth {score['matched']:.2f}, to another's {score['shuffled']:.2f}, repeat {repeat:.2f}"
    bad = not score["gap"] > max(0.02, 3 * score["error"])
    fault = Fault(
        "it is the prior of another CLIP" if fell(run.log("prior")) else "the prior does not follow its captions",
        "Its embeddings are no nearer to the image of their caption than to another's.",
        run.say("train", "DATA", "--out", run.run.root, "--more", "30m"),
    )
    expected = "above another's; repeat is equal in a calibrated prior"
    yield compared("prior", "embeddings", (figure, expected), "broken" if bad else "good", fault)
