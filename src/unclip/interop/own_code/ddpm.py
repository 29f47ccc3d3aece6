"""A DDPM whose network or process diffusers has no class for, as a folder with its own code."""

from pathlib import Path

from unclip.core.condition import Condition
from unclip.core.typing import Tensor
from unclip.diffusion.guidance import Unguided
from unclip.generation.ddpm import DDPMPipeline
from unclip.interop.own_code.bundle import Bundle
from unclip.interop.own_code.folder import DIFFUSION, check_alone, head, process, sampling, write

PART = "unet"
TAIL = '''
NETWORK = {network}
PROCESS = {process}
SAMPLING = {sampling}
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
        self.diffusion = Diffusion(NETWORK.build(), PROCESS)

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
        guidance = SAMPLING.guidance if label is not None else Unguided()
        how = Settings(sampler=SAMPLING.sampler, guidance=guidance, grid=SAMPLING.grid)
        *_, last = self.diffusion.walk(noise, cond, null, Normal(generator, noise), how)
        return last.x.clamp(-1, 1)
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
'''


def write_ddpm(model: DDPMPipeline, folder: Path) -> None:
    """Writes the folder. Raises ValueError for parts of a plugin, and for guidance that needs another model."""
    check_alone(model.sampling)
    code = head("A pipeline") + CODE.replace("{shape}", repr(model.shape))
    write(folder, PART, (_network(model), code), _state(model), {})


def _state(model: DDPMPipeline) -> dict[str, Tensor]:
    denoiser = model.model.diffusion.denoiser
    return {f"diffusion.denoiser.{name}": value for name, value in denoiser.state_dict().items()}


def _network(model: DDPMPipeline) -> str:
    """The code of the network and of everything that a picture takes."""
    config, parts = model.model.config, Bundle()
    said = {
        "network": parts.settings(config.network),
        "process": process(parts, config.diffusion),
        "sampling": sampling(parts, config.diffusion, model.sampling),
    }
    for needed in (Condition, Unguided):
        parts.add(needed)
    tail = TAIL.format(**said, classes=config.classes, shape=model.shape)
    return head("A network") + parts.source() + DIFFUSION + tail
