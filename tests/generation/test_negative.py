"""A negative prompt: what leads away from it, what draws as before without it, what an image says, and who refuses."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from tests.fakes import awake, built, tiny_unet
from tests.half import COLOURS, TEXT, TOKENIZER, newborn

from unclip.cli.provenance import picture_lines
from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.core.typing import State
from unclip.diffusion.guidance import ClassifierFree, NegativePrompt
from unclip.diffusion.process import Diffusion, Sampling, sampling_grid
from unclip.diffusion.samplers import DDIM
from unclip.editing.edit import edit
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.distilled import drawing
from unclip.generation.latent_diffusion import LatentPipeline
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import KEY
from unclip.latents.invert import invert
from unclip.models.autoencoder.model import Autoencoder
from unclip.models.ddpm import DDPM, DDPMConfig
from unclip.models.decoder import Decoder, decoder_diffusion
from unclip.models.distillation import Student, StudentConfig
from unclip.models.latent import LatentConfig, LatentDiffusion
from unclip.models.priors.untrained import ConstantPrior
from unclip.nn.autoencoder.coder import CoderConfig

PROMPTS, SEEDS, SCALE = list(COLOURS)[:2], [3, 4], 2.5
AWAY = "blue"
"""Of fewer tokens than the prompts."""
HOW = Settings(steps=3, sampler="ddim", guidance=SCALE)
AGAINST = Settings(steps=3, sampler="ddim", guidance=SCALE, negative=AWAY)
SAMPLING = Sampling(3, DDIM(0.0), ClassifierFree(SCALE, limit=1.0))


@pytest.fixture(scope="module")
def model() -> TextToImage:
    model = newborn()
    for part in (model.clip, model.prior, model.decoder):
        assert part is not None
        awake(part)
    return model


@pytest.fixture(scope="module")
def latent(model: TextToImage) -> LatentPipeline:
    sizes = {"patch": 1, "widths": (16,), "blocks": (1,), "attention": (True,), "vector_width": 16, "token_width": 16}
    config = LatentConfig(tiny_unet(channels=4, **sizes), side=4, text=TEXT)
    made = built(lambda: LatentDiffusion(config))
    awake(made)
    autoencoder = built(lambda: Autoencoder(CoderConfig(widths=(8, 8)))).eval()
    return LatentPipeline(tokenizer=TOKENIZER, clip=model.clip, autoencoder=autoencoder, latent=made)


def decoder_of(model: TextToImage) -> Decoder:
    assert model.decoder is not None
    return model.decoder


def told(model: TextToImage, prompts: list[str]) -> Condition:
    """All that a decoder is told: the prior's embedding, for each image's seed, and the caption."""
    return decoder_of(model).conditions(model.embed_prompts(prompts, SEEDS), *TOKENIZER(prompts))[0]


def drawn(model: TextToImage | LatentPipeline, settings: Settings) -> torch.Tensor:
    *_, last = model.steps(PROMPTS, SEEDS, settings)
    return last.x


def first(diffusion: Diffusion, x: State, cond: Condition, away: Condition) -> torch.Tensor:
    """x0 = x0_neg + w (x0_c - x0_neg) at the noisy end, each branch evaluated alone."""
    level = sampling_grid(diffusion.config, SAMPLING)[0]
    with torch.no_grad():
        c, n = (diffusion.denoiser(x, level, branch).x0 for branch in (cond, away))
    return n + SCALE * (c - n)


def test_the_decoder_is_led_away_from_the_prompts_embedding_and_caption(model: TextToImage):
    decoder, cond, away = decoder_of(model), told(model, PROMPTS), told(model, [AWAY] * 2)
    x = Noise.per_sample(SEEDS).fork("decoder").normal((2, *decoder.shape))
    step = next(model.steps(PROMPTS, SEEDS, AGAINST))
    assert torch.allclose(step.x0, first(decoder.diffusion, x, cond, away).clamp(-1, 1), atol=1e-5)
    noise = Noise.per_sample(SEEDS).fork("decoder")
    *_, last = decoder.diffusion.sample((2, *decoder.shape), cond, away, noise, SAMPLING)
    assert torch.equal(drawn(model, AGAINST), last.x)
    assert (last.x - drawn(model, HOW)).abs().max() > 0.05


def test_codes_are_led_away_from_the_caption(latent: LatentPipeline):
    diffusion = latent.latent
    assert diffusion is not None
    with torch.no_grad():
        cond, away = (diffusion.condition(*TOKENIZER(texts)) for texts in (PROMPTS, [AWAY] * 2))
    x = Noise.per_sample(SEEDS).fork("latent").normal((2, *diffusion.shape))
    found = next(latent.steps(PROMPTS, SEEDS, AGAINST)).x0
    assert torch.allclose(found, latent.decode(first(diffusion.diffusion, x, cond, away)), atol=1e-5)
    assert (drawn(latent, AGAINST) - drawn(latent, HOW)).abs().max() > 0.01


def test_another_prior_embeds_the_negative_prompt_too(model: TextToImage):
    z = torch.nn.functional.normalize(torch.ones(8), dim=0)
    other = TextToImage(tokenizer=TOKENIZER, clip=model.clip, prior=ConstantPrior(z, z), decoder=model.decoder)
    cond, away = told(other, PROMPTS), told(other, [AWAY] * 2)
    noise = Noise.per_sample(SEEDS).fork("decoder")
    *_, last = decoder_of(other).diffusion.sample((2, *decoder_of(other).shape), cond, away, noise, SAMPLING)
    assert torch.equal(drawn(other, AGAINST), last.x)


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_without_one_every_bit_is_as_before(model: TextToImage, latent: LatentPipeline, nothing: str | None):
    settings = Settings(steps=3, sampler="ddim", guidance=SCALE, negative=nothing)
    assert settings == HOW and settings.to_dict() == HOW.to_dict()
    decoder, ids = decoder_of(model), TOKENIZER(PROMPTS)
    z, noise = model.embed_prompts(PROMPTS, SEEDS), Noise.per_sample(SEEDS).fork("decoder")
    *_, last = decoder.sample(z, *ids, noise, SAMPLING)
    assert torch.equal(drawn(model, settings), last.x)
    assert "negative" not in str(model.generate(PROMPTS[:1], settings=settings)[0].info[KEY]).lower()
    assert torch.equal(drawn(latent, settings), drawn(latent, HOW))


def test_an_image_does_not_depend_on_its_neighbours(model: TextToImage):
    *_, alone = model.steps(PROMPTS[1:], SEEDS[1:], AGAINST)
    assert torch.allclose(alone.x, drawn(model, AGAINST)[1:], atol=1e-4)


def test_an_image_says_what_it_was_led_away_from_and_is_made_again(model: TextToImage, latent: LatentPipeline):
    for drawer in (model, latent):
        [picture] = drawer.generate(PROMPTS[:1], seed=3, settings=AGAINST)
        about = picture.info[KEY]
        by = about["sampling"]["guidance"]
        assert (by["kind"], by["prompt"]) == ("NegativePrompt", AWAY)
        assert Sampling.from_dict(about["sampling"]).guidance == NegativePrompt(
            ClassifierFree(SCALE, drawer.limit), AWAY
        )
        assert f"--negative {AWAY} --guidance {SCALE} --sampler ddim" in picture_lines(about, Path("nowhere"))[-1]
    assert Settings.from_dict(AGAINST.to_dict()) == AGAINST


def test_on_top_of_guidance_by_clip():
    how = Settings(guidance=2.0, clip=1.5, negative="-5 cats").apply(Sampling())
    about = {"prompt": "a cup", "seed": 3, "sampling": how.to_dict(), "model": "abc123"}
    told = picture_lines(about, Path("nowhere"))[-1]
    assert "'--negative=-5 cats' --clip-guidance 1.5 --guidance 2.0" in told


def test_the_decoder_draws_what_a_student_cannot():
    own = Sampling(24, DDIM(1.0), ClassifierFree(2.0, limit=1.0))
    student = built(lambda: Student(StudentConfig(tiny_unet(vector_width=4), decoder_diffusion(), Sampling(4))))
    assert drawing(own, Settings(negative=AWAY), student) is own
    assert drawing(own, Settings(negative=""), student) is student.config.sampling


@pytest.mark.parametrize(
    "settings",
    [
        Settings(guidance=1.0, negative=AWAY),
        Settings(form="auto", negative=AWAY),
        Settings(form="input", negative=AWAY),
        Settings(guidance=1.0, clip=2.0, negative=AWAY),
    ],
    ids=["no guidance", "auto", "input", "clip"],
)
def test_guidance_without_a_null_branch_refuses_it(model: TextToImage, settings: Settings):
    with pytest.raises(ValueError, match=r"negative = 'blue': .* --guidance 2 --guidance-form cfg"):
        model.draw(PROMPTS, settings=settings)


@pytest.mark.parametrize("classes", [(), ("red", "blue")])
def test_a_ddpm_refuses_it(classes: tuple[str, ...]):
    network = tiny_unet(vector_width=len(classes))
    ddpm = DDPMPipeline(model=built(lambda: DDPM(DDPMConfig(network, size=8, classes=classes))))
    with pytest.raises(ValueError, match="negative = 'blue': a ddpm reads no captions .*; leave it out"):
        ddpm.generate(classes[:1], settings=Settings(guidance=2.0 if classes else None, negative=AWAY))


def test_what_is_not_drawn_from_a_prompt_alone_refuses_it(model: TextToImage):
    [picture] = model.generate(PROMPTS[:1], settings=HOW)
    with pytest.raises(ValueError, match="negative = 'blue': only `generate`, `edit` and `extend`"):
        invert(model, picture, settings=Settings(steps=2, guidance=2.0, negative=AWAY))


def test_an_edit_leads_away_from_it_and_its_image_says_so(model: TextToImage):
    [picture] = model.generate(PROMPTS[:1], settings=HOW)
    mask = Image.new("L", picture.size)
    mask.paste(255, (0, 0, 8, 16))
    plain, away, null = (
        edit(model, picture, mask, PROMPTS[0], 2, settings=Settings(steps=2, guidance=2.0, negative=negative))
        for negative in (None, AWAY, "")
    )
    assert all(a.tobytes() == b.tobytes() for a, b in zip(plain, null, strict=True))
    assert not any(a.tobytes() == b.tobytes() for a, b in zip(plain, away, strict=True))
    assert "negative" not in plain[0].info[KEY]["made"]["options"]
    assert away[0].info[KEY]["made"]["options"]["negative"] == AWAY
    [alone] = edit(model, picture, mask, PROMPTS[0], 1, 1, Settings(steps=2, guidance=2.0, negative=AWAY))
    assert alone.tobytes() == away[1].tobytes()
