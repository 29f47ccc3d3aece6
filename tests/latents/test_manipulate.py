"""Images there and back, varied, blended and changed, with a decoder that is known in closed form."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.latents.gaussian import STD, gaussian, mean, picture

import unclip
from unclip.core.slerp import slerp
from unclip.diffusion.process import sampling_grid
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import KEY
from unclip.latents.invert import Start, embed_source, exact_sampling, paint, read_source
from unclip.latents.inverted import Inverted
from unclip.latents.manipulate import direction

FEW = Settings(steps=20)


@pytest.fixture(scope="module")
def model() -> TextToImage:
    return gaussian()


def far(a: Image.Image, b: Image.Image) -> int:
    """The largest difference of two images, of 255 shades."""
    return int(np.abs(np.asarray(a, dtype=int) - np.asarray(b, dtype=int)).max())


@pytest.mark.parametrize("steps", [20, 50])
def test_there_and_back(model: TextToImage, steps: int):
    latent = unclip.invert(model, picture(), settings=Settings(steps=steps))
    again = unclip.reconstruct(model, latent)
    assert again.info[KEY]["error"]["psnr"] > 40
    assert far(again, picture()) <= 2


def test_the_noise_is_the_flow_s(model: TextToImage):
    """Of a Gaussian the flow keeps the standardised state: x_T = (x_0 - m) / STD at the noisy end, alpha m added."""
    latent = unclip.invert(model, picture(), settings=Settings(steps=150))
    assert model.decoder is not None
    ids, mask = model.tokenizer([""])
    m = mean(model.decoder.conditions(latent.z, ids, mask)[0])
    assert (latent.x - (latent.images - m) / STD).abs().max() < 0.15


def test_an_image_is_walked_back_from_the_clean_end(model: TextToImage):
    assert model.decoder is not None
    config = model.decoder.diffusion.config
    drawn, back = (sampling_grid(config, how)[-2] for how in (model.sampling, exact_sampling(model)))
    assert torch.exp(-torch.stack([drawn, back]) / 2).tolist() == pytest.approx([0.1, 0.01])


def test_guidance_is_inverted_with_itself(model: TextToImage):
    again = unclip.reconstruct(model, unclip.invert(model, picture(), settings=Settings(steps=50, guidance=2.0)))
    assert again.info[KEY]["error"]["psnr"] > 35
    latent = unclip.invert(model, picture(), settings=FEW)
    drifted = unclip.reconstruct(model, replace(latent, how=exact_sampling(model, Settings(guidance=3.0), latent.how)))
    assert drifted.info[KEY]["error"]["psnr"] < unclip.reconstruct(model, latent).info[KEY]["error"]["psnr"] - 10


def test_a_caption_is_part_of_the_latent(model: TextToImage):
    plain, told = (unclip.invert(model, picture(), prompt, FEW) for prompt in ("", "a red heart"))
    assert told.captions == ("a red heart",)
    assert torch.equal(plain.z, told.z)
    assert unclip.reconstruct(model, told).info[KEY]["prompt"] == "a red heart"


def test_latents_are_kept(model: TextToImage, tmp_path: Path):
    latent = unclip.invert(model, picture(), settings=FEW)
    latent.save(tmp_path / "latent")
    kept = Inverted.load(tmp_path / "latent")
    assert far(unclip.reconstruct(model, kept), unclip.reconstruct(model, latent)) == 0
    assert kept.how == latent.how
    again = unclip.vary(model, str(tmp_path / "latent"), n=1, eta=0.0)[0]  # with the latent's own steps
    assert far(again, unclip.reconstruct(model, latent)) == 0
    assert again.info[KEY]["made"]["options"]["steps"] == 20
    replace(latent, model="another").save(tmp_path / "other")
    with pytest.raises(ValueError, match="inverted by the model another, this one is unsaved"):
        unclip.diff(model, tmp_path / "other", "", "a red heart")


def test_variations(model: TextToImage):
    latent = unclip.invert(model, picture(), settings=FEW)
    same = unclip.vary(model, latent, n=2, eta=0.0)
    assert all(far(p, unclip.reconstruct(model, latent)) <= 1 for p in same)
    spread = [
        np.std([np.asarray(p, float) for p in unclip.vary(model, latent, n=6, eta=eta)], 0).mean() for eta in (0.3, 1.0)
    ]
    assert 1 < spread[0] < spread[1]
    fresh = unclip.vary(model, latent, n=2, eta=0.0, fresh=True, settings=FEW)
    assert far(*fresh) > 10


@pytest.mark.parametrize("fresh", [False, True])
def test_a_seed_means_the_same_variation_in_any_batch(model: TextToImage, fresh: bool):
    latent = unclip.invert(model, picture(), settings=FEW)
    many = unclip.vary(model, latent, n=6, seed=3, fresh=fresh, settings=FEW)  # two batches
    assert [p.info[KEY]["seed"] for p in many] == [3, 4, 5, 6, 7, 8]
    assert far(unclip.vary(model, latent, n=1, seed=7, fresh=fresh, settings=FEW)[0], many[4]) <= 1
    assert far(many[0], many[4]) > 3


def test_ends_of_a_blend_are_the_pictures(model: TextToImage):
    a, b = (unclip.invert(model, picture(key), settings=FEW) for key in (0, 1))
    way = unclip.blend(model, picture(0), b, n=5, settings=FEW)
    assert far(way[0], unclip.reconstruct(model, a)) <= 1
    assert far(way[-1], unclip.reconstruct(model, b)) <= 1
    half = Start(slerp(a.z, b.z, 0.5), slerp(a.x, b.x, 0.5), [""])
    middle = paint(model, half, a.how, [0])
    shown = torch.from_numpy(np.asarray(way[2]).copy()).permute(2, 0, 1) / 127.5 - 1
    assert (shown - middle[0]).abs().max() < 0.01
    assert [p.info[KEY]["shown"] for p in way] == ["0.00", "0.25", "0.50", "0.75", "1.00"]


def test_a_blend_with_fixed_noise_goes_by_its_seed(model: TextToImage):
    one, two = (unclip.blend(model, picture(0), picture(1), n=3, noise="fixed", seed=seed) for seed in (0, 1))
    assert far(one[0], two[0]) > 10
    ends = unclip.vary(model, picture(1), n=1, seed=0, eta=0.0, fresh=True)
    assert far(one[-1], ends[0]) <= 1
    assert one[0].info[KEY]["sampling"]["steps"] == model.sampling.steps


def test_a_text_diff_starts_at_the_picture_and_turns_to_the_words(model: TextToImage):
    latent = unclip.invert(model, picture(), settings=FEW)
    way = unclip.diff(model, latent, "a red heart", "a blue heart", n=4, until=0.6)
    assert far(way[0], unclip.reconstruct(model, latent)) <= 1
    towards = direction(model, "a red heart", "a blue heart")
    assert torch.allclose(towards, -direction(model, "a blue heart", "a red heart"))
    assert model.decoder is not None
    ids, mask = model.tokenizer([""])
    turned = slerp(latent.z, towards, 0.6)
    shift = mean(model.decoder.conditions(turned, ids, mask)[0]) - mean(
        model.decoder.conditions(latent.z, ids, mask)[0]
    )
    colours = [np.asarray(p, float).mean((0, 1)) for p in (way[0], way[-1])]  # x_T stays: the mean moves as m does
    assert np.allclose(colours[1] - colours[0], shift.flatten() * 127.5, atol=2)


@pytest.mark.parametrize(
    "call, why",
    [
        (lambda m: unclip.diff(m, picture(), "A red heart ", "a red heart"), "both mean the same"),
        (lambda m: unclip.diff(m, picture(), "a red heart", " "), "to: an empty caption"),
        (lambda m: unclip.diff(m, picture(), "", "a red heart", until=1.5), "until = 1.5"),
        (lambda m: unclip.diff(m, picture(), "", "a red heart", n=1), "n = 1"),
        (lambda m: unclip.vary(m, picture(), n=0), "n = 0"),
        (lambda m: unclip.vary(m, picture(), eta=1.5), "eta = 1.5"),
        (lambda m: unclip.blend(m, picture(), picture(), n=1), "n = 1"),
        (
            lambda m: unclip.blend(m, picture(), picture(), noise="white"),
            "noise = 'white': expected one of 'slerp', 'fixed'",
        ),
        (lambda m: unclip.invert(m, picture(), settings=Settings(sampler="heun")), "only ddim can be walked backwards"),
        (lambda m: unclip.invert(m, picture(), settings=Settings(steps=0)), "steps = 0"),
        (lambda m: unclip.invert(m, picture(side=3)), "is 3 x 3 pixels, too small for a model of 16 x 16"),
        (lambda m: unclip.invert(m, "nothing.png"), "nothing.png: no such image"),
        (lambda m: unclip.probe(m, picture()), "the run's prepared images are gone"),
    ],
)
def test_what_cannot_be_done_is_said(model: TextToImage, call, why: str):
    with pytest.raises(ValueError, match=why):
        call(model)


def test_opposite_embeddings_and_other_captions_cannot_be_blended(model: TextToImage):
    latent = unclip.invert(model, picture(), settings=FEW)
    with pytest.raises(ValueError, match="opposite"):
        unclip.blend(model, latent, replace(latent, z=-latent.z))
    with pytest.raises(ValueError, match="with different settings"):
        unclip.blend(model, latent, unclip.invert(model, picture(), settings=Settings(steps=10)))
    with pytest.raises(ValueError, match="latents of different captions"):
        unclip.blend(model, latent, replace(latent, captions=("a red heart",)))


def test_small_pictures_are_enlarged_and_transparent_ones_lie_on_white(model: TextToImage):
    small = read_source(model, picture(side=8))
    assert small.images.shape == (1, 3, 16, 16)
    assert getattr(small, "enlarged")  # noqa: B009
    clear = picture().convert("RGBA")
    clear.putalpha(0)
    assert torch.equal(read_source(model, clear).images, torch.ones(1, 3, 16, 16))
    assert torch.allclose(embed_source(model, small).norm(dim=1), torch.ones(1), atol=1e-6)
