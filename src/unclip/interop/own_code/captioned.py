"""A text-to-image run, unCLIP or latent diffusion, as a folder with its own code: diffusers has no such networks.

Each part of the model is there by its own source without what trains it, so a prompt and a seed give the image that
`unclip generate` draws. The tokenizer stands in the model's config.json. Upsamplers stay behind.
"""

from pathlib import Path
from typing import Any

from unclip.clip.model import CLIP
from unclip.core.config.base import Config
from unclip.core.noise import Noise
from unclip.core.typing import Tensor
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.generation.captioned import CaptionedModel
from unclip.generation.latent_diffusion import LatentPipeline
from unclip.generation.require import require
from unclip.generation.text_to_image import TextToImage
from unclip.interop.own_code.bundle import Bundle
from unclip.interop.own_code.folder import DIFFUSION, check_alone, head, process, sampling, write
from unclip.models.autoencoder.model import Autoencoder
from unclip.models.decoder import Decoder
from unclip.models.latent import LatentDiffusion
from unclip.models.priors.diffusion import Prior
from unclip.text.tokenizer import Tokenizer

PART = "model"
DRAWS = {
    "Tokenizer": ("__init__", "of", "_number", "__call__", "rows", "padded", "_encoded"),
    "CLIP": ("embed_text",),
    "Prior": ("__init__", "candidates", "sample", "_drawn"),
    "Decoder": ("__init__", "shape", "condition", "conditions", "sample"),
    "Sketched": ("__init__", "forward", "guess", "made_small", "_squares", "_told"),
    "PixelSpace": ("__init__", "decode", "seen"),
    "CodeSpace": ("__init__", "decode", "seen"),
    "Autoencoder": ("__init__", "decode"),
    "LatentDiffusion": ("__init__", "shape", "codes", "condition", "sample"),
    "Scaling": ("__init__", "forward", "inverse"),
    "Standardize": ("__init__", "forward", "inverse"),
    "StandardizeCodes": ("forward", "inverse"),
}
"""What of each class takes part in a picture."""
TAIL = '''
CONTEXT = {context}
{settings}


class Network(ModelMixin, ConfigMixin):
    """The networks, and how pictures are drawn with them. words: the tokenizer, as its own library writes it."""

    @register_to_config
    def __init__(self, words=""):
        super().__init__()
        self.tokenizer = Tokenizer.of(words, CONTEXT)
{parts}

    @torch.no_grad()
    def draw(self, prompts, seeds):
        """Pictures [n, c, h, w] in [-1, 1] of n prompts, each from a seed of its own."""
        ids, mask = (t.to(self.device) for t in self.tokenizer(prompts))
        noise = Noise.per_sample(seeds, self.device)
{draws}
'''
UNCLIP = {
    "parts": """
        self.clip, self.prior, self.decoder = TextSide(), Prior(PRIOR), Decoder(DECODER)
""",
    "draws": """
        text, tokens = self.clip.embed_text(ids, mask)
        candidates = [noise.fork("prior%d" % i) for i in range(self.prior.candidates)]
        z = self.prior.sample(text, tokens, mask, candidates)
        *_, last = self.decoder.sample(z, ids, mask, noise.fork("decoder"))
        return last.x.float().clamp(-1, 1)
""",
}
TEXT_SIDE = '''

class TextSide(CLIP):
    """CLIP's text tower and projection."""

    def __init__(self):
        super().__init__()
        self.text = TEXT.build()
        self.text_projection = nn.Linear(TEXT.width, WIDTH, bias=False)
'''
LATENT = {
    "parts": """
        self.autoencoder, self.latent = Autoencoder(AUTOENCODER), LatentDiffusion(LATENT)
""",
    "draws": """
        *_, last = self.latent.sample(ids, mask, noise.fork("latent"))
        return self.autoencoder.decode(self.latent.codes(last.x)).float().clamp(-1, 1)
""",
}
CODE = '''import torch
from diffusers import DiffusionPipeline, ImagePipelineOutput


class UnclipPipeline(DiffusionPipeline):
    """pipe("a red heart").images; the same prompt and seed always give the same picture.

    prompt: a text, or several. num_images_per_prompt: of each; picture i has seed + i. seed: None: of the generator.
    """

    def __init__(self, model):
        super().__init__()
        self.register_modules(model=model)

    @torch.no_grad()
    def __call__(
        self, prompt, num_images_per_prompt=1, seed=None, generator=None, output_type="pil", return_dict=True
    ):
        if seed is None:
            seed = int(torch.randint(2**62, (), generator=generator))
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        if not prompts or not all(p.strip() for p in prompts):
            raise ValueError("prompt = %r: write what the picture shows, in words" % (prompt,))
        wanted = [(p, seed + i) for p in prompts for i in range(num_images_per_prompt)]
        x = self.model.draw([p for p, _ in wanted], [s for _, s in wanted])
'''


def write_captioned(model: CaptionedModel, folder: Path) -> None:
    """Writes the folder.

    Raises ValueError for parts of a plugin, for guidance that needs another model, for a model of another kind, and
    for another prior than the diffusion's.
    """
    parts = Bundle(DRAWS)
    for needed in (Tokenizer, Noise):
        parts.add(needed)
    if isinstance(model, TextToImage):
        settings, texts, state = _unclip(model, parts)
    elif isinstance(model, LatentPipeline):
        settings, texts, state = _latent(model, parts)
    else:
        raise ValueError(f"a {type(model).__name__} has no form that diffusers loads; `unclip push` hands on the run")
    texts = {name: text.strip("\n") for name, text in texts.items()}
    tail = TAIL.format(context=model.tokenizer.context, settings=settings, **texts)
    needs = "torch, tokenizers and diffusers' base classes"
    code = head("A model", needs) + parts.source() + DIFFUSION + tail, head("A pipeline", needs) + CODE
    write(folder, PART, code, state, {"words": model.tokenizer.backend.to_str()})


def _unclip(model: TextToImage, parts: Bundle) -> tuple[str, dict[str, str], dict[str, Tensor]]:
    decoder, prior, clip = require(model.decoder, "decoder"), model.prior, model.clip
    if not isinstance(prior, Prior):
        raise ValueError(f"prior = {model.prior_name!r}: the folder draws with the diffusion prior; export that")
    for kind in (CLIP, Prior, Decoder):
        parts.add(kind)
    told = {name: getattr(decoder.config, name) for name in ("image_tokens", "caption_width", "size", "side")}
    told |= {"embedding_width": clip.config.width, "text": decoder.config.text, "coder": decoder.config.coder}
    known = {"candidates": prior.candidates, "scaling": prior.config.scaling, "lengths": prior.config.lengths}
    settings = "\n".join(
        (
            f"TEXT, WIDTH = {parts.settings(clip.config.text)}, {clip.config.width}",
            f"PRIOR = {_settings(parts, prior, known)}",
            f"DECODER = {_settings(parts, decoder, told)}",
            TEXT_SIDE.rstrip("\n"),
        )
    )
    text = {name: t for name, t in clip.state_dict().items() if name.startswith("text")}
    return settings, UNCLIP, _joined(clip=text, prior=prior.state_dict(), decoder=decoder.state_dict())


def _latent(model: LatentPipeline, parts: Bundle) -> tuple[str, dict[str, str], dict[str, Tensor]]:
    latent, autoencoder = require(model.latent, "latent"), model.autoencoder
    for kind in (Autoencoder, LatentDiffusion):
        parts.add(kind)
    told = {name: getattr(latent.config, name) for name in ("side", "text", "padding")}
    settings = f"AUTOENCODER = {parts.settings(autoencoder.config)}\nLATENT = {_settings(parts, latent, told)}"
    return settings, LATENT, _joined(autoencoder=autoencoder.state_dict(), latent=latent.state_dict())


def _settings(parts: Bundle, module: Any, told: dict[str, object]) -> str:
    """Python that makes what a part is built of, with its process and how it is drawn with."""
    config: DiffusionConfig = module.config.diffusion
    how: Sampling = module.config.sampling
    check_alone(how)
    said = {name: parts.settings(value) if isinstance(value, Config) else repr(value) for name, value in told.items()}
    said |= {"network": parts.settings(module.config.network), "diffusion": process(parts, config)}
    said["sampling"] = sampling(parts, config, how)
    return "Settings(" + ", ".join(f"{name}={value}" for name, value in said.items()) + ")"


def _joined(**states: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{part}.{name}": tensor for part, state in states.items() for name, tensor in state.items()}
