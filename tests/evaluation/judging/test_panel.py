"""Generated images by judges: between floor and noise, copies, classes; with a judge that needs no weights."""

import torch
import torch.nn.functional as F

from unclip.core.noise import Noise
from unclip.evaluation.judging.compared import Compared
from unclip.evaluation.judging.copies import UNKNOWN, closest_pairs, score_copies
from unclip.evaluation.judging.panel import coloured_noise, score_sets, way
from unclip.evaluation.judging.probe import class_accuracy
from unclip.judges.judge import Judge


def described(x: torch.Tensor) -> torch.Tensor:
    """Colours of 4 x 4 cells, and how much neighbours differ in them."""
    rough = F.pad(x.diff(dim=-1).abs(), (0, 1))
    return torch.cat([F.adaptive_avg_pool2d(part, 4).flatten(1) for part in (x, 3 * rough)], dim=1)


PIXELS = Judge("cells", "0" * 64, (16, 256), described)


def blobs(n: int, seed: int, blur: int = 5) -> torch.Tensor:
    """Smooth images [n, 3, 16, 16] with structure."""
    x = Noise.shared(seed, "blobs").normal((n, 3, 16, 16))
    return F.avg_pool2d(F.pad(x, (blur // 2,) * 4, mode="replicate"), blur, 1).mul(3).clamp(-1, 1)


def test_the_data_themselves_are_at_the_floor_and_noise_is_far():
    found = score_sets(Compared(blobs(200, 1), blobs(200, 2), blobs(400, 3), [PIXELS]), 0)
    own = found[PIXELS.name]
    assert abs(own["kid"]["mean"]) < 4 * own["kid"]["error"] and own["way"] > 0.7
    assert own["kid_noise"]["mean"] > 3 * own["kid_noise"]["error"] > 0
    assert own["frechet"]["infinite"]["low"] < 0.2 < own["precision"]["mean"]
    assert abs(found["spectrum"]["grain"]["mean"] - 1) < 0.1 and abs(found["spectrum"]["blur"]["mean"] - 1) < 0.1
    noise = score_sets(
        Compared(coloured_noise(blobs(200, 2), Noise.shared(5)), blobs(200, 2), blobs(400, 3), [PIXELS]), 0
    )
    assert noise[PIXELS.name]["way"] < 0.1 and noise["spectrum"]["grain"]["mean"] > 2


def test_way_is_between_its_ends():
    assert way(4.0, 0.0, 16.0) == 0.5 and way(99.0, 0.0, 16.0) == 0.0 and way(-1.0, 0.0, 16.0) == 1.0


def test_coloured_noise_has_the_colours_of_the_images_and_nothing_else():
    real = blobs(64, 0) * torch.tensor([0.5, 0.2, 0.1])[:, None, None] + torch.tensor([0.3, 0.0, -0.3])[:, None, None]
    real[:, 1] = real[:, 0] * 0.5
    drawn = coloured_noise(real, Noise.shared(0))
    a, b = (x.permute(0, 2, 3, 1).reshape(-1, 3) for x in (real, drawn))
    assert torch.allclose(a.mean(0), b.mean(0), atol=0.02) and torch.allclose(a.T.cov(), b.T.cov(), atol=0.02)
    assert (drawn[..., 1:] * drawn[..., :-1]).mean() < (real[..., 1:] * real[..., :-1]).mean()


def test_a_model_that_copies_is_found_and_one_that_does_not_is_not():
    train, held = blobs(300, 0), blobs(200, 1)
    copied = torch.cat([train[:60] + 0.01 * torch.randn(60, 3, 16, 16), blobs(140, 2)]).clamp(-1, 1)
    for made, least, most in ((copied, 0.25, 0.4), (blobs(200, 3), 0.0, 0.06)):
        for name, found in score_copies(Compared(made, held, train, [PIXELS]).spaces).items():
            assert least <= found["near_copies"]["mean"] <= most, (name, found)
    pairs = closest_pairs(Compared(copied, held, train, []).spaces["pixels"], 40)
    assert (pairs.made == pairs.train).sum() >= 38, "the copies come first"
    assert score_copies(Compared(copied[:3], held, train, [PIXELS]).spaces) == {"near_copies": UNKNOWN}


def test_without_training_images_there_is_neither_floor_nor_copies():
    found = score_sets(Compared(blobs(20, 1), blobs(20, 2), blobs(1, 3)[:0], [PIXELS]), 0)
    assert "kid_floor" not in found[PIXELS.name] and found["copies"] == {"near_copies": UNKNOWN}
    assert set(found[PIXELS.name]) >= {"kid", "kid_noise", "precision"} and "frechet" not in found[PIXELS.name]


def test_class_accuracy_is_of_the_classes():
    names = ["dark", "light"] * 40
    images = torch.stack([torch.full((3, 16, 16), -0.5 if n == "dark" else 0.5) for n in names]) + 0.1 * blobs(80, 0)
    features, opposite = PIXELS.features(images), PIXELS.features(-images)
    sets = {"generated": (opposite, names), "real": (features, names)}
    found = class_accuracy(sets, (features, names))
    assert found["real"]["mean"] == 1 and found["generated"]["mean"] == 0 and found["chance"] == 0.5
    assert class_accuracy(sets, (features, [str(i) for i in range(80)])) == {}
