"""A DDPM whose network or process diffusers has no class for, as a folder with its own code.

    model_index.json  pipeline.py  unet/network.py  unet/config.json  unet/diffusion_pytorch_model.safetensors

unet/network.py holds the network, the sampler and the guidance by their source here (`bundle`), so the picture is the
one that unclip draws from the same noise; it needs torch and diffusers' base classes alone.
"""

import math
from pathlib import Path

import unclip
from unclip.core.condition import Condition
from unclip.core.untyped import floats
from unclip.diffusion.denoiser import Denoiser, within
from unclip.diffusion.guidance import Unguided
from unclip.diffusion.process import sampling_grid
from unclip.generation.ddpm import DDPMPipeline
from unclip.interop import weights
from unclip.interop.ddpm.bundle import Bundle
from unclip.interop.ddpm.folder import INDEX, UNET, WEIGHTS, WRITTEN_FOR

NETWORK, PIPELINE = "network.py", "pipeline.py"
HEAD = '''"""{what}

Written by unclip {version} (Apache-2.0). It needs torch and diffusers' base classes, nothing of unclip.
"""

'''
TAIL = '''

import math

from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config

NETWORK = {network}
PARAMETERIZATION = {parameterization}
SAMPLER = {sampler}
GUIDANCE = {guidance}
LIMIT, LEARNED_VARIANCE = {limit}, {learned}
GRID = {grid}
"""The levels of a picture's steps, as log-SNR, noisy to clean."""
CLASSES = {classes}
SHAPE = {shape}


class Normal:
    """Normal numbers of a generator."""

    def __init__(self, generator, like):
        self.generator, self.like = generator, like

    def normal(self, shape):
        device = self.like.device if self.generator is None else self.generator.device
        return torch.randn(shape, generator=self.generator, device=device).to(self.like)


class Network(ModelMixin, ConfigMixin):
    """The network, and how a picture is drawn with it."""

    @register_to_config
    def __init__(self):
        super().__init__()
        self.denoiser = Denoiser(NETWORK.build(), PARAMETERIZATION, LEARNED_VARIANCE)

    def condition(self, label, n):
        """Of n pictures of a class; None: of no class."""
        if not CLASSES:
            if label is not None:
                raise ValueError("this model knows no classes: leave label out")
            return Condition()
        if label is not None and label not in CLASSES:
            raise ValueError("label = %r: this model knows %s" % (label, ", ".join(CLASSES)))
        vector = torch.zeros(n, len(CLASSES), device=self.device, dtype=self.dtype)
        if label is not None:
            vector[:, CLASSES.index(label)] = 1
        return Condition(vector=vector)

    @torch.no_grad()
    def draw(self, noise, label=None, generator=None):
        """Pictures [n, c, h, w] in [-1, 1] from noise of that shape."""
        cond, null = self.condition(label, len(noise)), self.condition(None, len(noise))
        guidance = GUIDANCE if label is not None else Unguided()
        denoise = within(guidance(self.denoiser, cond, null), LIMIT)
        grid = torch.tensor(GRID, device=noise.device)
        x = noise
        for step in SAMPLER(denoise, x, grid, Normal(generator, noise)):
            x = step.x
        return x.clamp(-1, 1)
'''
CODE = '''import torch
from diffusers import DiffusionPipeline, ImagePipelineOutput


class UnclipPipeline(DiffusionPipeline):
    """pipe(batch_size=4, label="cat").images; label: of a model with classes, one of pipe.unet's."""

    def __init__(self, unet):
        super().__init__()
        self.register_modules(unet=unet)

    @torch.no_grad()
    def __call__(self, batch_size=1, label=None, generator=None, noise=None, output_type="pil", return_dict=True):
        if noise is None:
            device = "cpu" if generator is None else generator.device
            noise = torch.randn((batch_size, *{shape}), generator=generator, device=device)
        x = self.unet.draw(noise.to(self.unet.device, self.unet.dtype), label, generator)
        images = (x / 2 + 0.5).clamp(0, 1).float().cpu().permute(0, 2, 3, 1).numpy()
        images = self.numpy_to_pil(images) if output_type == "pil" else images
        return ImagePipelineOutput(images=images) if return_dict else (images,)
'''


def write(model: DDPMPipeline, folder: Path) -> None:
    """Writes the folder. Raises ValueError for parts of a plugin, and for guidance that needs another model."""
    how = model.sampling
    if lacks := ", ".join(sorted(how.guidance.missing_models())):
        raise ValueError(f"its guidance needs another model ({lacks}), which the folder would lack")
    (folder / UNET).mkdir(parents=True)
    (folder / UNET / NETWORK).write_text(_network(model), encoding="utf-8")
    (folder / PIPELINE).write_text(_head("A pipeline") + CODE.replace("{shape}", repr(model.shape)), encoding="utf-8")
    state = {f"denoiser.{name}": value for name, value in model.model.diffusion.denoiser.state_dict().items()}
    weights.write(state, folder / UNET / WEIGHTS)
    about = {"_diffusers_version": WRITTEN_FOR}
    weights.write_settings({"_class_name": "Network", **about}, folder / UNET / "config.json")
    index = {"_class_name": ["pipeline", "UnclipPipeline"], **about, "unet": ["network", "Network"]}
    weights.write_settings(index, folder / INDEX)


def _head(what: str) -> str:
    return HEAD.format(what=f"{what} that draws as the run does that it was written of.", version=unclip.__version__)


def _network(model: DDPMPipeline) -> str:
    """The code of the network and of everything that a picture takes."""
    config, how, parts = model.model.config, model.sampling, Bundle()
    said = {
        "network": parts.settings(config.network),
        "parameterization": parts.settings(config.diffusion.parameterization),
        "sampler": parts.settings(how.sampler),
        "guidance": parts.settings(how.guidance),
    }
    for needed in (Denoiser, within, Condition, Unguided):
        parts.add(needed)
    levels = floats(sampling_grid(config.diffusion, how))
    grid = ", ".join("math.inf" if math.isinf(level) else repr(level) for level in levels)
    tail = TAIL.format(
        **said,
        limit=config.diffusion.limit,
        learned=config.diffusion.vlb_weight > 0,
        grid=f"[{grid}]",
        classes=config.classes,
        shape=model.shape,
    )
    return _head("A network") + parts.source() + tail
