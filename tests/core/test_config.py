"""Every settings class survives to_dict -> JSON -> from_dict, and wrong files are refused by place and value."""

import importlib
import json
import pkgutil
import re
from dataclasses import MISSING, dataclass, field, fields
from inspect import isabstract
from typing import Literal

import pytest
from tests.fakes import tiny_unet

import unclip
from unclip.clip.model import CLIPConfig
from unclip.clip.noisy import NoisyCLIPConfig
from unclip.clip.text import TextConfig
from unclip.clip.vision import VisionConfig, ViTConfig
from unclip.clip.vision.absent import NoTowerConfig
from unclip.clip.vision.scaled import ScaledConfig
from unclip.core.config.base import Config
from unclip.core.plugins.noted import PluginNote
from unclip.diffusion.grids import FixedLevels
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.diffusion.samplers import AnalyticDPM, Ancestral, Sampler
from unclip.diffusion.schedules import Cosine, LogNormal, Schedule
from unclip.models.classifier import ClassifierConfig
from unclip.models.ddpm import DDPMConfig, DDPMOptions
from unclip.models.decoder import DecoderConfig, DecoderOptions, decoder_diffusion, decoder_sampling
from unclip.models.distillation import StudentConfig
from unclip.models.families.base import OnePassConfig
from unclip.models.families.code import CodeConfig
from unclip.models.families.flow import FlowConfig
from unclip.models.families.gan import GANConfig, GANLoss
from unclip.models.families.vae import VAEConfig
from unclip.models.inpainter import InpainterConfig
from unclip.models.latent import LatentConfig, LatentOptions
from unclip.models.priors.autoregressive import AutoregressivePriorConfig
from unclip.models.priors.contrastive import ContrastivePriorConfig
from unclip.models.priors.diffusion import PriorConfig
from unclip.models.sketch import SketchedConfig
from unclip.models.upsampler import UpsamplerConfig
from unclip.nn.backbones.experts import ExpertsConfig
from unclip.nn.generators.vector import VectorCoderConfig
from unclip.nn.prior.prior_net import PriorNetConfig

ROOMS = ("core", "diffusion", "nn", "text", "clip", "models", "train")
TEXT, VISION, NET = TextConfig(300, 9), VisionConfig(16, stem=(8, 16)), PriorNetConfig(8, 16, 9)
VIT = ViTConfig(16)
NEEDY = {  # settings without a full set of defaults
    c.__class__.__name__: c
    for c in (
        TEXT,
        VISION,
        VIT,
        NET,
        CLIPConfig(TEXT, VISION),
        PriorConfig(network=NET),
        DecoderConfig(tiny_unet(vector_width=136, token_width=128), size=16, embedding_width=8, text=TEXT),
        DDPMConfig(tiny_unet(), size=16),
    )
}
NEEDY |= {kind.__name__: kind(tiny_unet()) for kind in (DecoderOptions, DDPMOptions, LatentOptions)}
NEEDY["NoisyCLIPConfig"] = NoisyCLIPConfig(CLIPConfig(TEXT, VISION))
NEEDY["AutoregressivePriorConfig"] = AutoregressivePriorConfig(network=NET, dims=4)
NEEDY["ContrastivePriorConfig"] = ContrastivePriorConfig(network=NET, scale=10.0)
NEEDY["InpainterConfig"] = InpainterConfig.of(
    DecoderConfig(tiny_unet(vector_width=136, token_width=128), size=16, embedding_width=8, text=TEXT)
)
NEEDY["LatentConfig"] = LatentConfig(tiny_unet(vector_width=128, token_width=128), side=16, text=TEXT)
NEEDY["StudentConfig"] = StudentConfig(tiny_unet(vector_width=8), decoder_diffusion(), decoder_sampling())
NEEDY["SketchedConfig"] = SketchedConfig(tiny_unet(token_width=8, image_channels=3), 16, 8, vocabulary=9, context=9)
NEEDY["UpsamplerConfig"] = UpsamplerConfig(low=16, size=32, crop=16)
NEEDY["ScaledConfig"] = ScaledConfig(size=32, tower=VIT)
NEEDY["OnePassConfig"], NEEDY["CodeConfig"] = OnePassConfig(size=16), CodeConfig(size=16)
NEEDY["VAEConfig"], NEEDY["FlowConfig"], NEEDY["GANConfig"] = (
    VAEConfig(size=16),
    FlowConfig(size=16),
    GANConfig(size=16),
)
NEEDY["GANLoss"] = GANLoss(VectorCoderConfig(), gamma=10.0, augment=True)
NEEDY["ClassifierConfig"] = ClassifierConfig(classes=3)
NEEDY["PluginNote"] = PluginNote("mine.py", "9f2c", kinds=("Midpoint",))
NEEDY["ExpertsConfig"], NEEDY["NoTowerConfig"] = ExpertsConfig(tiny_unet()), NoTowerConfig(size=16)
NEEDY["FixedLevels"] = FixedLevels((-5.0, 0.0, 5.0))
NEEDY["AnalyticDPM"] = AnalyticDPM((-5.0, 5.0), (0.9, 0.1))


def descendants(cls: type) -> set[type]:
    return {s for sub in cls.__subclasses__() for s in {sub} | descendants(sub)}


def all_configs() -> list[type[Config]]:
    for module in pkgutil.walk_packages(unclip.__path__, "unclip."):
        if module.name.split(".")[1] in ROOMS:
            importlib.import_module(module.name)
    ours = {c for c in descendants(Config) if c.__module__.split(".")[:2] in [["unclip", room] for room in ROOMS]}
    return sorted((c for c in ours if not isabstract(c)), key=lambda c: c.__name__)


def example(cls: type[Config]) -> Config:
    open_fields = [f for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]  # pyright: ignore
    return NEEDY[cls.__name__] if open_fields else cls()


@pytest.mark.parametrize("cls", all_configs(), ids=lambda c: c.__name__)
def test_round_trip_through_json(cls: type[Config]):
    config = example(cls)
    assert cls.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize("cls", all_configs(), ids=lambda c: c.__name__)
def test_unknown_key_is_refused_by_every_class(cls: type[Config]):
    with pytest.raises(ValueError, match="here: unknown setting 'tpyo'"):
        cls.from_dict({**example(cls).to_dict(), "tpyo": 1}, "here")


@dataclass(frozen=True)
class Inner(Config):
    size: int
    rate: float = 0.5
    flag: bool = False


@dataclass(frozen=True)
class Outer(Config):
    inner: Inner
    form: Literal["a", "b"] = "a"
    widths: tuple[int, ...] = (1, 2)
    pair: tuple[int, str] = (1, "x")
    schedule: Schedule = field(default_factory=Cosine)
    limit: float | None = None


def test_none_is_left_out_and_comes_back():
    assert "limit" not in Outer(Inner(1)).to_dict()
    assert Outer.from_dict({"inner": {"size": 1}}).limit is None
    assert Outer.from_dict(Outer(Inner(1), limit=2.0).to_dict()).limit == 2.0


def test_whole_numbers_become_floats_where_floats_are_asked_for():
    rate = Inner.from_dict({"size": 1, "rate": 2}).rate
    assert isinstance(rate, float)
    assert rate == 2.0


def test_nested_kinds_come_back_as_their_class():
    how = Sampling(sampler=Ancestral("beta_tilde"), schedule=LogNormal(s_max=40.0))
    assert Sampling.from_dict(how.to_dict()) == how
    assert how.to_dict()["sampler"] == {"kind": "Ancestral", "variance": "beta_tilde"}


@pytest.mark.parametrize(
    "data, words",
    [
        ({}, ["settings:", "'inner'", "missing"]),
        ({"inner": 3}, ["settings: inner", "3"]),
        ({"inner": {"size": 1, "sise": 2}}, ["settings: inner", "'sise'", "size"]),
        ({"inner": {"size": "7"}}, ["settings: inner.size", "'7'", "whole number"]),
        ({"inner": {"size": True}}, ["settings: inner.size", "True", "whole number"]),
        ({"inner": {"size": 1.0}}, ["settings: inner.size", "1.0", "whole number"]),
        ({"inner": {"size": None}}, ["settings: inner.size", "None", "whole number"]),
        ({"inner": {"size": 1, "flag": 1}}, ["settings: inner.flag", "1", "bool"]),
        ({"inner": {"size": 1, "rate": True}}, ["settings: inner.rate", "True", "a number"]),
        ({"inner": {"size": 1}, "form": "c"}, ["settings: form", "'c'", "a, b"]),
        ({"inner": {"size": 1}, "widths": 3}, ["settings: widths", "3", "list"]),
        ({"inner": {"size": 1}, "widths": [3, "x"]}, ["settings: widths", "'x'", "whole number"]),
        ({"inner": {"size": 1}, "pair": [1]}, ["settings: pair", "[1]", "2 values"]),
        (
            {"inner": {"size": 1}, "schedule": {"kind": "Cosin"}},
            ["settings: schedule", "'Cosin'", "did you mean 'Cosine'? known are Cosine, "],
        ),
        ({"inner": {"size": 1}, "schedule": {"kind": ["Cosine"]}}, ["settings: schedule", "['Cosine']"]),
        ({"inner": {"size": 1}, "schedule": {"kind": "DDIM"}}, ["settings: schedule", "'DDIM'"]),
    ],
)
def test_refusals_name_place_value_and_what_was_expected(data: dict, words: list[str]):
    with pytest.raises(ValueError, match=re.escape(words[0])) as error:
        Outer.from_dict(data)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_member_refuses_another_members_file():
    with pytest.raises(ValueError, match="unknown kind 'LogNormal'"):
        Cosine.from_dict(LogNormal().to_dict())


def test_from_dict_leaves_its_argument_alone():
    data = DiffusionConfig().to_dict()
    before = json.dumps(data)
    DiffusionConfig.from_dict(data)
    assert json.dumps(data) == before


def test_a_file_cannot_name_code_to_run():
    with pytest.raises(ValueError, match="unknown kind 'os.system'"):
        Sampler.from_dict({"kind": "os.system"})
