"""A DDPM that diffusers has no class for, written with its own code, draws there what it draws here."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.fakes import tiny_unet
from tests.interop.test_ddpm_folder import ADM_NET, model

os.environ.setdefault("HF_HUB_OFFLINE", "1")
diffusers = pytest.importorskip("diffusers")

from unclip.core.noise import Noise  # noqa: E402
from unclip.core.watching import last_of  # noqa: E402
from unclip.diffusion.guidance import Autoguidance, ClassifierFree  # noqa: E402
from unclip.diffusion.parameterization import EDM, V  # noqa: E402
from unclip.diffusion.process import Sampling  # noqa: E402
from unclip.diffusion.samplers import DDIM, DPMSolverPP2M  # noqa: E402
from unclip.diffusion.schedules import Cosine, LogNormal  # noqa: E402
from unclip.generation.ddpm import DDPMPipeline  # noqa: E402
from unclip.interop.own_code.ddpm import write_ddpm  # noqa: E402
from unclip.nn.backbones.dit import DiTConfig  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
DIT = DiTConfig(patch=4, width=32, layers=2, heads=2)
CASES = {
    "hourglass, EDM, solver": (tiny_unet(), LogNormal(), EDM(), Sampling(6, DPMSolverPP2M())),
    "hourglass of the fast recipe's norm": (tiny_unet(norm="position"), Cosine(), V(), Sampling(5, DDIM())),
    "DiT of two classes, guided": (
        replace(DIT, vector_width=2),
        Cosine(),
        V(),
        Sampling(5, DDIM(), ClassifierFree(2.0, limit=1.0)),
    ),
    "diffusers' network, EDM": (ADM_NET, LogNormal(), EDM(), Sampling(4, DDIM())),
}


def drawn(ours: DDPMPipeline, start: torch.Tensor, label: str) -> torch.Tensor:
    cond, null = (ours.model.condition(ours.labels([one] * len(start))) for one in (label, ""))
    how = ours.sampling if label else replace(ours.sampling, guidance=Sampling().guidance)
    last = last_of(ours.model.diffusion.walk(start, cond, null, Noise.shared("none"), how))
    return last.x.clamp(-1, 1)


@pytest.mark.parametrize("case", CASES)
def test_it_draws_the_same_picture(case: str, tmp_path: Path) -> None:
    network, schedule, predicts, how = CASES[case]
    ours = model(network, schedule, predicts, how)
    write_ddpm(ours, tmp_path / "out")
    place = str(tmp_path / "out")
    pipe = diffusers.DiffusionPipeline.from_pretrained(place, custom_pipeline=place, trust_remote_code=True)
    start = Noise.per_sample([3, 4]).normal((2, 3, 16, 16))
    label = "dog" if ours.classes else ""
    theirs = pipe(noise=start, label=label or None, output_type="np").images
    found = torch.from_numpy(theirs).permute(0, 3, 1, 2) * 2 - 1
    assert (found - drawn(ours, start, label)).abs().max() < 1e-4
    if label:
        assert (found - drawn(ours, start, "")).abs().max() > 1e-3
        with pytest.raises(ValueError, match="this model knows cat, dog"):
            pipe(label="cow")
    image = pipe(generator=torch.Generator().manual_seed(0)).images[0]
    again = pipe(generator=torch.Generator().manual_seed(0)).images[0]
    assert image.size == (16, 16) and list(image.getdata()) == list(again.getdata())


def test_its_code_stands_alone(tmp_path: Path) -> None:
    write_ddpm(model(tiny_unet(), LogNormal(), EDM(), Sampling(4, DDIM())), tmp_path / "out")
    code = (
        "import sys, importlib.util as u\n"
        "spec = u.spec_from_file_location('network', sys.argv[1])\n"
        "module = u.module_from_spec(spec); sys.modules['network'] = module; spec.loader.exec_module(module)\n"
        "net = module.Network(); import torch\n"
        "print(net.draw(torch.zeros(1, *module.SHAPE)).shape, 'unclip' in sys.modules)\n"
    )
    words = [sys.executable, "-I", "-c", code, str(tmp_path / "out" / "unet" / "network.py")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.split()[-1] == "False"


def test_what_the_folder_would_lack_is_refused(tmp_path: Path) -> None:
    ours = model(tiny_unet(), LogNormal(), EDM(), Sampling(4, DDIM(), Autoguidance(2.0)))
    with pytest.raises(ValueError, match="its guidance needs another model"):
        write_ddpm(ours, tmp_path / "out")
