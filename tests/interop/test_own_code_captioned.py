"""A text-to-image run as a pipeline of diffusers with its own code draws there what it draws here."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.cli.conftest import Call, call  # noqa: F401  # a fixture
from tests.fakes import awake, built, tiny_unet
from tests.half import COLOURS, TEXT, TOKENIZER, newborn

os.environ.setdefault("HF_HUB_OFFLINE", "1")
diffusers = pytest.importorskip("diffusers")

import unclip  # noqa: E402
from unclip.diffusion.guidance import Autoguidance  # noqa: E402
from unclip.generation.captioned import CaptionedModel  # noqa: E402
from unclip.generation.latent_diffusion import LatentPipeline  # noqa: E402
from unclip.generation.priors import with_prior  # noqa: E402
from unclip.generation.settings import Settings  # noqa: E402
from unclip.generation.text_to_image import TextToImage  # noqa: E402
from unclip.interop.own_code.captioned import write_captioned  # noqa: E402
from unclip.models.autoencoder.model import Autoencoder  # noqa: E402
from unclip.models.decoder import Decoder  # noqa: E402
from unclip.models.latent import LatentConfig, LatentDiffusion  # noqa: E402
from unclip.models.sketch import SketchedConfig  # noqa: E402
from unclip.nn.autoencoder.coder import CoderConfig  # noqa: E402
from unclip.recipes.start.imported import import_run  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
EMOJI = ["a red heart", "blue circle"]


def loaded(place: Path) -> object:
    return diffusers.DiffusionPipeline.from_pretrained(str(place), custom_pipeline=str(place), trust_remote_code=True)


def check_same(model: CaptionedModel, prompts: list[str], place: Path, size: int | None = None) -> None:
    """Two pictures of each prompt, from seeds 3 and 4."""
    write_captioned(model, place)
    pipe = loaded(place)
    theirs = pipe(prompts, num_images_per_prompt=2, seed=3, output_type="np").images
    found = torch.from_numpy(theirs).permute(0, 3, 1, 2) * 2 - 1
    repeated = [prompt for prompt in prompts for _ in range(2)]
    expected = model.sample_images(repeated, [3, 4] * len(prompts), Settings(size=size))
    assert (found - expected.clamp(-1, 1)).abs().max() < 1e-4
    assert expected.std() > 0.05 and (expected[0] - expected[1]).abs().max() > 0.01
    image = pipe(prompts[0], generator=torch.Generator().manual_seed(0)).images[0]
    again = pipe(prompts[0], generator=torch.Generator().manual_seed(0)).images[0]
    assert list(image.getdata()) == list(again.getdata())
    with pytest.raises(ValueError, match="write what the picture shows"):
        pipe(" ")


def latent() -> LatentPipeline:
    sizes = {"patch": 1, "widths": (16,), "blocks": (1,), "attention": (True,), "vector_width": 16, "token_width": 16}
    config = LatentConfig(tiny_unet(channels=4, **sizes), side=4, text=TEXT)
    made, autoencoder = built(lambda: LatentDiffusion(config)), built(lambda: Autoencoder(CoderConfig(widths=(8, 8))))
    awake(made)
    return LatentPipeline(tokenizer=TOKENIZER, clip=newborn().clip, autoencoder=autoencoder.eval(), latent=made)


@pytest.mark.usefixtures("in_float32")
def test_what_ships_draws_the_same_picture(call: Call, tmp_path: Path) -> None:  # noqa: F811
    done = call("export", "box:emoji", "--to", "diffusers", "--out", tmp_path / "typed")
    assert (done.code, done.err) == (0, "")
    assert 'trust_remote_code=True)("a red heart", seed=0).images[0]' in done.out.replace("\n", "")
    check_same(unclip.load("box:emoji", kind=TextToImage), EMOJI, tmp_path / "out")


def test_a_decoder_with_a_sketch_draws_the_same_picture(tmp_path: Path) -> None:
    model = newborn()
    assert model.decoder is not None
    of = model.decoder.config
    network = of.network.changed(image_channels=of.network.channels)
    words = of.text.vocabulary, of.text.context
    config = replace(of, network=SketchedConfig(network, of.side, of.side // 2, *words, of.diffusion.parameterization))
    made = awake(built(lambda: Decoder(config)))
    assert isinstance(made, Decoder)
    model.decoder = made.eval()
    check_same(model, list(COLOURS)[:2], tmp_path / "out")


def test_a_latent_diffusion_draws_the_same_picture(tmp_path: Path) -> None:
    check_same(latent(), list(COLOURS)[:2], tmp_path / "out")


@pytest.mark.usefixtures("in_float32")
def test_karlo_taken_in_and_handed_on_draws_the_same_picture(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from tests.interop.karlos import SIDE, karlo

    karlo(tmp_path / "words").save_pretrained(tmp_path / "theirs")
    import_run(tmp_path / "theirs", tmp_path / "run")
    model = unclip.load(tmp_path / "run", kind=TextToImage)
    check_same(model, ["a red heart", "the sun"], tmp_path / "out", SIDE)


def test_its_code_stands_alone(tmp_path: Path) -> None:
    write_captioned(latent(), tmp_path / "out")
    code = (
        "import sys, json, importlib.util as u\n"
        "spec = u.spec_from_file_location('network', sys.argv[1] + '/network.py')\n"
        "module = u.module_from_spec(spec); sys.modules['network'] = module; spec.loader.exec_module(module)\n"
        "net = module.Network(json.load(open(sys.argv[1] + '/config.json', encoding='utf-8'))['words'])\n"
        "print(net.draw(['a red square'], [2**40]).shape, 'unclip' in sys.modules)\n"
    )
    words = [sys.executable, "-I", "-c", code, str(tmp_path / "out" / "model")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.split()[-1] == "False"


def test_what_the_folder_would_lack_is_refused(tmp_path: Path) -> None:
    made = latent()
    assert made.latent is not None
    sampling = replace(made.sampling, guidance=Autoguidance(2.0))
    made.latent.config = replace(made.latent.config, sampling=sampling)
    with pytest.raises(ValueError, match="guidance needs another model"):
        write_captioned(made, tmp_path / "out")
    text = with_prior(unclip.load("box:emoji", kind=TextToImage), "text")
    with pytest.raises(ValueError, match="prior = 'text': the folder draws with the diffusion prior"):
        write_captioned(text, tmp_path / "out")
