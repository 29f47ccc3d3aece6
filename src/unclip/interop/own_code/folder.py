"""A model that diffusers has no class for, as a folder of a pipeline with its own code.

    model_index.json  pipeline.py  model/network.py  model/config.json  model/diffusion_pytorch_model.safetensors

network.py holds the networks, the samplers and the guidance by their source here (`bundle`), so the picture is the one
that unclip draws from the same noise.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import unclip
from unclip.core.typing import Tensor
from unclip.core.untyped import floats
from unclip.diffusion.denoiser import Denoiser, within
from unclip.diffusion.process import DiffusionConfig, Sampling, sampling_grid
from unclip.interop import weights
from unclip.interop.ddpm.folder import WEIGHTS, WRITTEN_FOR
from unclip.interop.own_code.bundle import Bundle
from unclip.interop.pipelines import INDEX

NETWORK, PIPELINE = "network.py", "pipeline.py"
HEAD = '''"""{what} that draws as the run does that it was written of.

Written by unclip {version} (Apache-2.0). It needs {needs}, nothing of unclip.
"""

'''
DIFFUSION = '''

import math
from types import SimpleNamespace as Settings

from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config


class Diffusion(nn.Module):
    """A network that denoises, and how a sample is drawn with it."""

    def __init__(self, network, config):
        super().__init__()
        self.config = config
        self.denoiser = Denoiser(network, config.parameterization, config.learned_variance)

    def sample(self, shape, cond, null, noise, how):
        """Yields the steps from noise of this shape to a clean sample."""
        yield from self.walk(noise.normal(shape), cond, null, noise, how)

    def walk(self, x, cond, null, noise, how):
        """Yields the steps from the state x. how.grid: the levels of a picture's steps, as log-SNR, noisy to clean."""
        denoise = within(how.guidance(self.denoiser, cond, null), self.config.limit)
        with torch.no_grad():
            yield from how.sampler(denoise, x, torch.tensor(how.grid, device=x.device), noise)
'''

RETURNS = """        images = (x / 2 + 0.5).clamp(0, 1).float().cpu().permute(0, 2, 3, 1).numpy()
        images = self.numpy_to_pil(images) if output_type == "pil" else images
        return ImagePipelineOutput(images=images) if return_dict else (images,)
"""
"""How every pipeline ends, once it has pictures x in [-1, 1]."""


def head(what: str, needs: str = "torch and diffusers' base classes") -> str:
    """How a file of code begins."""
    return HEAD.format(what=what, version=unclip.__version__, needs=needs)


def check_alone(how: Sampling, of: str = "its") -> None:
    """Raises ValueError for a guidance that needs another model, which the folder would lack."""
    if lacks := ", ".join(sorted(how.guidance.missing_models())):
        raise ValueError(f"{of} guidance needs another model ({lacks}), which the folder would lack")


def process(parts: Bundle, config: DiffusionConfig) -> str:
    """Python that makes what `Diffusion` there is told of a process."""
    for needed in (Denoiser, within):
        parts.add(needed)
    known = parts.settings(config.parameterization)
    return f"Settings(parameterization={known}, limit={config.limit}, learned_variance={config.vlb_weight > 0})"


def sampling(parts: Bundle, config: DiffusionConfig, how: Sampling) -> str:
    """Python that makes the sampling of a process."""
    levels = floats(sampling_grid(config, how))
    grid = ", ".join("math.inf" if math.isinf(level) else repr(level) for level in levels)
    sampler, guidance = (parts.settings(part) for part in (how.sampler, how.guidance))
    return f"Settings(sampler={sampler}, guidance={guidance}, grid=[{grid}])"


def write(
    folder: Path, part: str, code: tuple[str, str], state: Mapping[str, Tensor], settings: Mapping[str, Any]
) -> None:
    """Writes the folder.

    Args:
        folder: where.
        part: what the pipeline calls its model.
        code: network.py, whose class is `Network`, and pipeline.py, whose class is `UnclipPipeline`, as far as its
            pictures x; `RETURNS` follows.
        state: the weights of `Network`.
        settings: with which `Network` is made.
    """
    (folder / part).mkdir(parents=True)
    (folder / part / NETWORK).write_text(code[0], encoding="utf-8")
    (folder / PIPELINE).write_text(code[1] + RETURNS, encoding="utf-8")
    weights.write(state, folder / part / WEIGHTS)
    about = {"_diffusers_version": WRITTEN_FOR}
    weights.write_settings({"_class_name": "Network", **about, **settings}, folder / part / "config.json")
    index = {"_class_name": ["pipeline", "UnclipPipeline"], **about, part: ["network", "Network"]}
    weights.write_settings(index, folder / INDEX)
