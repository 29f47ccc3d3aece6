"""How codes are denoised, by the decoder as by a latent diffusion: they have unit variance and no range."""

from dataclasses import replace

from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.parameterization import EDM
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.diffusion.samplers import DDIM
from unclip.diffusion.schedules import LogNormal
from unclip.diffusion.weighting import EDMWeight
from unclip.nn.autoencoder.coder import CoderConfig
from unclip.nn.backbones.config import ImageNetworkConfig


def latent_diffusion() -> DiffusionConfig:
    """EDM preconditioning of data of unit variance. No limit: codes have no range."""
    return DiffusionConfig(LogNormal(mean=0.3, std=1.4, s_min=0.01, s_max=80.0), EDM(1.0), EDMWeight(1.0))


def latent_sampling() -> Sampling:
    """24 ancestral steps, guidance 2; nothing is clamped."""
    return Sampling(steps=24, sampler=DDIM(eta=1.0), guidance=ClassifierFree(2.0))


def without_range(diffusion: DiffusionConfig, sampling: Sampling) -> tuple[DiffusionConfig, Sampling]:
    """The same without the limits of images: a table of settings cannot say "none" over a default of 1."""
    guidance = sampling.guidance
    if isinstance(guidance, ClassifierFree):
        sampling = replace(sampling, guidance=replace(guidance, limit=None))
    return replace(diffusion, limit=None), sampling


def side_denoised(size: int, coder: CoderConfig | None) -> int:
    """The side of what is denoised where images have `size` px: of their codes, or, without a coder, of themselves."""
    return size // coder.factor if coder else size


def check_codes(size: int, factor: int, network: ImageNetworkConfig) -> None:
    """Raises ValueError where images of `size` px cannot pass through an autoencoder of this factor and the network."""
    cells = factor * network.multiple
    if size < 1 or size % cells:
        raise ValueError(
            f"size = {size}: the side of a code is 1/{factor} of it by the autoencoder's patch, and the network "
            f"of the codes needs multiples of {network.multiple} cells; take a multiple of {cells} px, or another "
            "patch or network"
        )


def check_unlimited(diffusion: DiffusionConfig, name: str = "diffusion") -> None:
    """Raises ValueError where a diffusion of codes has a limit, or learns a variance. name: of its settings."""
    if diffusion.vlb_weight:
        raise ValueError(
            f"{name}.vlb_weight = {diffusion.vlb_weight}: a learned variance needs the likelihood of pixels, which "
            "codes have not; leave it 0"
        )
    if diffusion.limit is not None:
        raise ValueError(f"{name}.limit = {diffusion.limit}: codes have no range; leave it out")
