"""The plain DDPM: a tiny one paints the class that it is told, over any network; what does not fit is refused."""

from dataclasses import replace

import pytest
import torch
from tests.fakes import awake, built, draw, learn, tiny_unet

from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.diffusion.samplers import DDIM
from unclip.diffusion.schedules import LogNormal
from unclip.models.classes import NO_CLASS
from unclip.models.ddpm import DDPM, DDPMConfig, ddpm_diffusion
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.diffusion_unet import DiffusionUNetConfig
from unclip.nn.backbones.dit import DiTConfig
from unclip.nn.blocks.resblock import ResBlockConfig

PAINT = torch.tensor([(0.9, -0.9, -0.9), (-0.9, 0.8, -0.9), (-0.9, -0.9, 0.9)])
NAMES = ("red", "green", "blue")
NETWORKS: list[ImageNetworkConfig] = [
    tiny_unet(),
    DiffusionUNetConfig(width=16, multipliers=(1, 2), attention=(False, True), head_width=16, block=ResBlockConfig(8)),
    DiTConfig(width=32, layers=2, heads=2, patch=4),
]


def ddpm(network: ImageNetworkConfig | None = None, **changes: object) -> DDPM:
    classes = changes.pop("classes", NAMES)
    assert isinstance(classes, tuple)
    network = replace(network or tiny_unet(), vector_width=len(classes))  # pyright: ignore[reportArgumentType]
    settings = {"diffusion": DiffusionConfig(LogNormal(0.3, 1.5, 0.01), limit=1.0), **changes}
    return built(lambda: DDPM(DDPMConfig(network, size=16, classes=classes, **settings)))  # pyright: ignore[reportArgumentType]


def flat(times: int = 1) -> Batch:
    """The three colours, `times` each."""
    pictures = PAINT.repeat(times, 1)[:, :, None, None].expand(-1, 3, 16, 16).contiguous()
    return Batch(images=pictures, labels=torch.arange(3).repeat(times))


def paint(model: DDPM, labels: list[int], seeds: list[int], how: Sampling | None = None) -> torch.Tensor:
    *_, end = model.sample(torch.tensor(labels), Noise.per_sample(seeds), how)
    return end.x


@pytest.fixture(scope="module")
def painter() -> DDPM:
    """A model that has learnt the three colours by heart."""
    model = ddpm()
    losses = learn(model, flat(4), steps=120, lr=6e-3)
    assert sum(losses[-20:]) < 0.3 * sum(losses[:20])
    return model


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_paints_the_class_that_it_is_told(painter: DDPM, scale: float):
    labels = [0, 1, 2] * 2
    how = Sampling(12, DDIM(eta=1.0), guidance=ClassifierFree(scale, limit=1.0))
    mean = paint(painter, labels, list(range(6)), how).mean((2, 3))
    assert torch.cdist(mean, PAINT).argmin(1).tolist() == labels


def test_without_a_class_it_paints_some_of_them(painter: DDPM):
    pictures = paint(painter, [NO_CLASS] * 16, list(range(16)), Sampling(12, DDIM(eta=1.0), ClassifierFree(1.0)))
    nearest = torch.cdist(pictures.mean((2, 3)), PAINT).min(1)
    assert nearest.values.median() < 0.5
    assert len(set(nearest.indices.tolist())) > 1


def test_same_seed_same_picture_alone_and_in_a_batch(painter: DDPM):
    together = paint(painter, [0, 1, 2, NO_CLASS], [5, 6, 7, 8], how := Sampling(6))
    for row, label in ((1, 1), (3, NO_CLASS)):
        assert (paint(painter, [label], [5 + row], how)[0] - together[row]).abs().max() < 2 / 255
    assert (paint(painter, [1], [99], how)[0] - together[1]).abs().max() > 1e-3


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: type(n).__name__)
@pytest.mark.parametrize("classes", [(), NAMES])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_network_trains_and_draws(network: ImageNetworkConfig, classes: tuple[str, ...], channels: int):
    model = ddpm(replace(network, channels=channels), classes=classes)  # pyright: ignore[reportArgumentType]
    batch = Batch(images=draw(4, channels, 16, 16).clamp(-1, 1), labels=torch.tensor([0, 1, 2, 0]))
    losses = model.loss(batch, Noise.shared(0))
    losses.total.backward()
    assert torch.isfinite(losses.total)
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())
    model.eval()
    assert paint(model, [0, 1], [0, 1], Sampling(2)).shape == (2, channels, 16, 16)
    again = DDPM(DDPMConfig.from_dict(model.config.to_dict()))
    again.load_state_dict(model.state_dict())


@pytest.mark.parametrize("drop, heard", [(0.0, True), (1.0, False)])
def test_hidden_classes_are_not_heard(drop: float, heard: bool):
    model, batch = awake(ddpm(drop_class=drop)), flat(2)
    assert batch.labels is not None
    other = Batch(images=batch.images, labels=batch.labels.flip(0))
    a, b = (model.loss(x, Noise.shared(0)).total for x in (batch, other))  # pyright: ignore[reportCallIssue]
    assert bool((a - b).abs() > 1e-5) is heard


def test_the_share_of_hidden_classes(monkeypatch: pytest.MonkeyPatch):
    model, seen = ddpm(drop_class=0.3), []
    real = model.condition
    monkeypatch.setattr(model, "condition", lambda labels: seen.append(labels) or real(labels))
    model.loss(flat(200), Noise.shared(0))
    [labels] = seen
    hidden = (labels == NO_CLASS).float().mean().item()
    assert hidden == pytest.approx(0.3, abs=0.06)
    assert torch.equal(labels[labels >= 0], flat(200).labels[labels >= 0])  # pyright: ignore[reportOptionalSubscript]


def test_no_class_is_the_zero_vector():
    vector = ddpm().condition(torch.tensor([2, NO_CLASS])).vector
    assert vector is not None and vector.tolist() == [[0, 0, 1], [0, 0, 0]]
    assert ddpm(classes=()).condition(torch.tensor([NO_CLASS])).vector is None


def test_the_variance_is_learned_where_both_are_told():
    diffusion = replace(ddpm_diffusion(), vlb_weight=0.001)
    model = ddpm(tiny_unet(learned_variance=True), diffusion=diffusion)
    assert torch.isfinite(model.loss(flat(2), Noise.shared(0)).total)
    prediction = model.denoiser(torch.tensor([0]))(draw(1, 3, 16, 16), torch.tensor(0.0))
    assert prediction.variance_mix is not None and prediction.variance_mix.shape == (1, 3, 16, 16)
    with pytest.raises(ValueError, match=r"learned_variance = False, diffusion.vlb_weight = 0.001"):
        ddpm(diffusion=diffusion)


@pytest.mark.parametrize(
    "build, why",
    [
        (lambda: DDPMConfig(tiny_unet(), size=18), "size = 18: this network needs a multiple of 4"),
        (
            lambda: DDPMConfig(tiny_unet(), size=16, classes=("a", "b")),
            "vector_width = 0: must be the number of classes, 2",
        ),
        (lambda: DDPMConfig(tiny_unet(vector_width=2), size=16, classes=("a", "a")), "each name once"),
        (lambda: DDPMConfig(tiny_unet(), size=16, drop_class=1.5), "drop_class = 1.5"),
        (lambda: ddpm().loss(Batch(images=draw(2, 3, 32, 32)), Noise.shared(0)), "32 x 32 px with 3 channels: this "),
        (lambda: ddpm().check(draw(2, 1, 16, 16)), "16 x 16 px with 1 channels: this model has 16 x 16 px with 3"),
    ],
)
def test_what_does_not_fit_is_refused(build, why: str):
    with pytest.raises(ValueError, match=why):
        build()
