"""A model asks for more of its run when it needs it: autoguidance of the decoder, and embeddings that do not fit."""

import pytest
import torch
import torch.nn.functional as F
from tests.fakes import awake, built, draw
from tests.half import COLOURS, CONFIG, D, whole

from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.models.decoder import Decoder
from unclip.runs.modules import Stages


def born(key: str) -> Decoder:
    made = awake(built(lambda: Decoder(CONFIG), key))
    assert isinstance(made, Decoder)
    return made


def picture(model: TextToImage, form: str, scale: float) -> torch.Tensor:
    """The clean estimate of the first step."""
    how = Settings(form=form, guidance=scale, sampler="ddim", steps=1)
    return next(model.steps(list(COLOURS)[:2], [3, 4], how)).x0


def test_the_early_decoder_reads_the_caption_by_its_own_tower():
    good, early = born("good"), born("early")
    model, worse = whole(good), whole(early)
    model.stages = Stages.of(**{"early/decoder": early})
    a, b = picture(model, "cfg", 1.0), picture(worse, "cfg", 1.0)
    assert (a - b).abs().max() > 0.1 and max(a.abs().max(), b.abs().max()) <= 1
    assert torch.allclose(picture(model, "auto", 0.5), b + 0.5 * (a - b), atol=1e-5)
    assert torch.allclose(picture(model, "auto", 1.0), a, atol=1e-5)


def test_without_a_run_folder_there_are_no_early_weights():
    with pytest.raises(ValueError, match="early weights: this model was not loaded from a run folder"):
        picture(whole(born("good")), "auto", 2.0)


def test_embeddings_of_another_clip_are_refused():
    model = whole(born("good"))
    z = F.normalize(draw(1, D + 3), dim=1)
    with pytest.raises(ValueError, match=f"z: embeddings of width {D + 3}, this model's CLIP has {D}"):
        next(model.decode(z, ["a red picture"], [0], model.sampling))


def test_a_guidance_says_which_models_it_lacks():
    how = Settings(form="auto", clip=2.0).apply(CONFIG.sampling).guidance
    assert how.missing_models() == {"worse", "log_p"}
    assert how.using(worse=born("early").diffusion.denoiser).missing_models() == {"log_p"}
    assert CONFIG.sampling.guidance.missing_models() == set()


def test_what_a_prompt_is_cut_to_and_what_is_lost():
    model, long = whole(born("good")), "a red image " * 30
    [(read, lost)] = model.truncated([long, "a red picture"]).values()
    assert read and lost and f"{read}{lost}".replace(" ", "") == long.replace(" ", "")  # perhaps within a word
