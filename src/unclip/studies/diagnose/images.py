"""What a stage that draws makes of noise: its error by level, and its images against the data's."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, State, Tensor
from unclip.diffusion.process import Diffusion
from unclip.evaluation.alignment import matched_against_shuffled
from unclip.evaluation.fidelity.texture import roughness
from unclip.evaluation.levels import LevelError, error_by_level
from unclip.generation.base import ImageModel
from unclip.generation.captioned import CaptionedModel
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.latent_diffusion import LatentPipeline
from unclip.generation.one_pass import ONE_PASS, OnePassModel
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.models.autoencoder.model import Autoencoder, Posterior
from unclip.models.classes import NO_CLASS
from unclip.models.ddpm import DDPM
from unclip.models.decoder import Decoder
from unclip.models.latent import LatentDiffusion
from unclip.models.priors.diffusion import Prior
from unclip.recipes.stages.batches import assembled
from unclip.studies.diagnose.check import Check, Fault, above, compared, unknown, worst
from unclip.studies.diagnose.subject import Subject
from unclip.studies.diagnose.words import loaded_clip

BATCH = 64
COUNT = 32
LEVELS = (-4.0, -2.0, 0.0, 2.0, 4.0)
BAND = (0.85, 0.97)
"""Error as a multiple of the best that a single pixel allows, geometric mean over LEVELS. Sound: 0.25 to 0.75."""
BRIGHT = (0.25, 0.5)
"""Mean brightness of the samples less the data's, in [-1, 1]."""
CONTRAST = (0.4, 0.65)
"""|log| of the ratio of the standard deviations of all numbers."""
ROUGH = (2.0, 3.5)
QUICK = Settings(steps=20)


def level_check(run: Subject, name: str) -> Check:
    """Error by noise level against the best guess from one pixel and the mean image alone.

        band(l) = v / (1 + v exp(l)),    v: variance of each pixel over the training images

    is the least squared error of a linear guess of x0 from that pixel of x. A denoiser that has learned neighbours,
    shapes or captions is below it at each level, whatever the data.
    """
    try:
        diffusion, x0, every, cond = denoising(run, name)
    except ValueError as error:
        return unknown(name, "error by level", error)
    noise = Noise.shared("diagnose", "levels", device=x0.device)
    found = error_by_level(diffusion, x0, cond, list(LEVELS), noise)
    ratios = torch.tensor([ratio(error, x0, every) for error in found])
    typical = ratios.log().mean().exp().item()
    figure = f"{typical:.2f} times the band (" + ", ".join(
        f"{r:.2f} at {l:+.0f}" for r, l in zip(ratios.tolist(), LEVELS, strict=True)) + ")"  # fmt: skip
    fault = Fault(
        "it does not denoise",
        "It knows no more of an image than each pixel tells by itself.",
        run.say("train", "DATA", "--out", run.run.root, "--more", "30m"),
    )
    return compared(name, "error by level", (figure, f"below {BAND[0]}"), above(typical, *BAND), fault)


def ratio(found: LevelError, x0: State, every: State) -> float:
    """Error as a multiple of the band's at its level."""
    variance, snr = every.var(0), torch.tensor(found.log_snr).exp().item()
    off = (x0 - every.mean(0)).square()
    shrink = variance * snr / (1 + variance * snr)
    best = (1 - shrink).square() * off + shrink.square() / snr
    return found.x0.mean / max(best.mean().item(), 1e-9)


def denoising(run: Subject, name: str) -> tuple[Diffusion, State, State, Condition]:
    """(the diffusion, some clean samples, all of them, what they are conditioned on)."""
    ctx = run.ctx()
    rows = torch.from_numpy(ctx.splits.train[:64])
    every = ctx.images[torch.from_numpy(ctx.splits.train)].to(ctx.device)
    if name == "ddpm":
        model = ctx.finished(name, DDPM)
        cond = model.condition(torch.full((len(rows),), NO_CLASS, device=ctx.device))
        return model.diffusion, every[rows], every, cond
    ids, mask = (t.to(ctx.device) for t in ctx.tokenizer(ctx.first_captions(rows.numpy())))
    if name == "latent":
        latent = ctx.finished(name, LatentDiffusion)
        with torch.no_grad():
            codes = latent.standardized(Posterior.of(ctx.latents).mean.to(ctx.device))
            return latent.diffusion, codes[rows], codes, latent.condition(ids, mask)
    decoder = ctx.finished(name, Decoder)
    z = ctx.embeddings[rows].to(ctx.device)
    every = torch.cat([decoder.space.encode(part) for part in every.split(BATCH)])
    return decoder.diffusion, every[rows], every, decoder.conditions(z, ids, mask)[0]


def opened(run: Subject, name: str) -> ImageModel:
    """The model as far as this stage needs it; a decoder gets true embeddings, so it needs no prior."""
    ctx = run.ctx()
    if name == "ddpm":
        return DDPMPipeline(ctx.finished(name, DDPM), device=ctx.device)
    if name in ONE_PASS:
        return ONE_PASS[name].around(ctx.finished(name, ONE_PASS[name].KIND), ctx.device)
    clip = loaded_clip(run).clip
    if name == "latent":
        coder, latent = ctx.finished("autoencoder", Autoencoder), ctx.finished("latent", LatentDiffusion)
        return LatentPipeline(ctx.tokenizer, clip, coder, latent, device=ctx.device)
    return assembled(ctx, clip=clip, decoder=ctx.finished(name, Decoder))


def drawn(run: Subject, model: ImageModel, captions: Sequence[str], scale: float | None = None) -> Images:
    """Images for the first training rows: of a decoder from their true embeddings."""
    quick = Settings() if isinstance(model, OnePassModel) else QUICK
    how = model.resolved(replace(quick, guidance=scale) if scale is not None else quick)
    seeds = range(len(captions))
    if isinstance(model, TextToImage):
        *_, last = model.decode(run.ctx().embeddings[: len(captions)], captions, seeds, how)
    else:
        prompts = captions if isinstance(model, CaptionedModel) else [""] * len(captions)
        *_, last = model.steps(prompts, seeds, quick)
    return last.x.float().clamp(-1, 1).cpu()


def sample_checks(run: Subject, name: str) -> Iterator[Check]:
    """Brightness, contrast and roughness of samples; a decoder draws from true embeddings."""
    try:
        model, ctx = opened(run, name), run.ctx()
        captions = ctx.first_captions(ctx.splits.train[:COUNT])
        made = drawn(run, model, captions)
    except ValueError as error:
        yield unknown(name, "samples", error)
        return
    real = ctx.images[: len(ctx.splits.train)]
    yield colours(run, name, made, real)
    rough = roughness(made) / max(roughness(real), 1e-6)
    fault = Fault(
        "it draws noise",
        "Neighbouring pixels differ several times as much as the data's.",
        run.say("train", "DATA", "--out", run.run.root, "--more", "30m"),
    )
    found = (f"{rough:.2f} times the data's", f"below {ROUGH[0]}")
    yield compared(name, "roughness", found, above(rough, *ROUGH), fault)
    if isinstance(model, TextToImage):
        yield from use_checks(run, model, captions, made)


def colours(run: Subject, name: str, made: Images, real: Float[Tensor, "m c h w"]) -> Check:
    """Mean and standard deviation of the samples' pixels, in [-1, 1]."""
    off = (made.mean() - real.mean()).item()
    contrast = (made.std() / real.std()).item()
    scale = abs(torch.tensor(max(contrast, 1e-6)).log().item())
    verdict = worst(above(abs(off), *BRIGHT), above(scale, *CONTRAST))
    figure = f"brightness {off:+.2f} from the data's, contrast {contrast:.2f} times"
    fault = Fault(
        "its normalisation is wrong",
        "It draws with another range of brightness than its data have, as one does that saw [0, 1] for [-1, 1].",
        run.say("data", "DATA"),
    )
    expected = f"within {BRIGHT[0]}, 0.67 to 1.5 times"
    return compared(name, "brightness and contrast", (figure, expected), verdict, fault)


def use_checks(run: Subject, model: TextToImage, captions: Sequence[str], made: Images) -> Iterator[Check]:
    """Whether the decoder follows its embedding; beside it the prior's embedding, none of the caption, guidance."""
    ctx = run.ctx()
    texts = model.embed_captions(captions)

    def score(images: Images) -> dict[str, float]:
        return matched_against_shuffled(model.embed_images(images), texts, captions)

    own = score(made)
    figure = f"CLIP score {own['matched']:.2f}, with other captions {own['shuffled']:.2f}"
    fault = Fault(
        "the decoder ignores what it is told",
        "With true embeddings its images fit their captions no better than others'.",
        run.say("train", "DATA", "--out", run.run.root, "--more", "30m"),
    )
    verdict = "good" if own["gap"] > 3 * own["error"] else "broken"
    yield compared("decoder", "true embedding and caption", (figure, "above others"), verdict, fault)
    yield report("embedding alone", f"CLIP score {score(drawn(run, model, [''] * len(captions)))['matched']:.2f}")
    sweep = (f"{scale:g}: {score(drawn(run, model, captions, scale))['matched']:.2f}" for scale in (1, 4))
    yield report("guidance", f"CLIP score by scale {', '.join(sweep)}")
    try:
        whole = replace(model, prior=ctx.finished("prior", Prior))
    except ValueError as error:
        yield unknown("decoder", "prior's embedding", error)
        return
    z: Float[Tensor, "n d"] = whole.embed_prompts(captions, range(len(captions)))
    *_, last = model.decode(z, captions, range(len(captions)), model.resolved(QUICK))
    yield report("prior's embedding", f"CLIP score {score(last.x.float().clamp(-1, 1).cpu())['matched']:.2f}")


def report(name: str, figure: str) -> Check:
    """A figure of the decoder that is no fault by itself."""
    return Check("decoder", name, "good", figure, "beside the one above")
