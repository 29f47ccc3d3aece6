"""Closed forms of each guidance: on Gaussian data, on made-up estimates, and the names that a person types."""

from dataclasses import replace

import pytest
import torch
from tests.fakes import Function, GaussianData, Recorded, draw

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Denoiser, Prediction
from unclip.diffusion.guidance import (
    APG,
    FORMS,
    Autoguidance,
    ClassifierFree,
    ClassifierGuidance,
    DynamicThreshold,
    Guidance,
    GuidanceInput,
    LimitedInterval,
    NegativePrompt,
    Rescale,
    StaticThreshold,
    Unguided,
    ZeroStar,
    by_name,
    name_of,
)
from unclip.diffusion.guidance.zero_star import best_scale
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.parameterization import EDM, Parameterization, V
from unclip.diffusion.samplers import DDIM
from unclip.diffusion.schedules import Cosine, RectifiedFlow

X, LEVEL = draw(4, 3, 6, 6), torch.tensor(-0.4)
COND, NULL = Condition(vector=torch.ones(4, 1)), Condition(vector=torch.zeros(4, 1))
AWAY = {"blue": Condition(vector=torch.full((4, 1), -0.6))}
"""What a negative prompt is read as."""


def bent(form: Parameterization = EDM()) -> Denoiser:
    """A made-up network whose two branches point in different directions."""

    def network(x: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> torch.Tensor:
        assert cond.vector is not None
        l, c = (t.view(-1, 1, 1, 1) for t in (log_snr, cond.vector))
        return torch.sin(3 * x + l) + c * torch.cos(5 * x) - 0.3 * c

    return Denoiser(Function(network), form)


def student(x: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> Prediction:
    """A distilled network's denoiser: what it says hangs on what it is told of its guidance."""
    assert cond.guidance is not None
    scale, jump = (part.view(-1, 1, 1, 1) for part in cond.guidance.unbind(1))
    return Prediction.from_x0(torch.sin(scale * x) + jump * torch.cos(x), x, log_snr)


def pair(x: torch.Tensor = X, level: torch.Tensor = LEVEL) -> tuple[torch.Tensor, torch.Tensor]:
    return bent()(x, level, COND).x0, bent()(x, level, NULL).x0


def at(guidance: Guidance, *levels: torch.Tensor) -> torch.Tensor:
    """x0 at the last of these levels, one walk."""
    denoise = guidance(bent(), COND, NULL)
    return [denoise(X, level).x0 for level in levels or (LEVEL,)][-1]


def parts(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """<x, y> of each sample."""
    return (x * y).flatten(1).sum(1)


def shifted(cond: float, null: float, std: float = 0.5):
    """Gaussian data whose mean the condition shifts; exact in both branches."""

    def denoiser(x: torch.Tensor, log_snr: torch.Tensor, c: Condition) -> Prediction:
        assert c.vector is not None
        both = [GaussianData(mean, std).denoise(x, log_snr) for mean in (null, cond)]
        x0 = torch.where(c.vector > 0, both[1].x0, both[0].x0)
        return Prediction.from_x0(x0, x, log_snr)

    return denoiser


# Classifier-free guidance


@pytest.mark.parametrize("scale", [0.0, 1.0, 2.5])
def test_on_gaussians_of_equal_spread_it_samples_the_extrapolated_mean(scale: float):
    """p(x|y)^w p(x)^(1-w) of two Gaussians is the Gaussian of the extrapolated mean, at every level."""
    n, mean = 8_000, -0.2 + scale * 0.6
    cond, null = Condition(vector=torch.ones(n, 1)), Condition(vector=torch.zeros(n, 1))
    denoise = ClassifierFree(scale)(shifted(0.4, -0.2), cond, null)
    x, exact = draw(n, 1), GaussianData(mean)
    for level in (-6.0, 0.0, 6.0):
        l = torch.tensor(level)
        assert torch.allclose(denoise(x, l).x0, exact.denoise(x, l).x0, atol=1e-5)
    *_, end = DDIM()(denoise, x, Cosine().grid(60), Noise.shared(0))
    assert end.x.mean().item() == pytest.approx(mean, abs=0.02)
    assert end.x.std().item() == pytest.approx(0.5, rel=0.03)


# Limited interval


def test_outside_the_interval_the_condition_alone_at_the_price_of_one_branch():
    network = Recorded()
    cond, null = (c.map(lambda t: t[:2]) for c in (COND, NULL))
    x, denoiser = draw(2, 5), Denoiser(network, EDM())
    denoise = LimitedInterval(ClassifierFree(3.0), low=-1.0, high=2.0)(denoiser, cond, null)
    found = {level: denoise(x, torch.tensor(level)).x0 for level in (-5.0, -1.001, -1.0, 1.999, 2.0, 9.0)}
    assert [len(x) for x, _, _ in network.calls] == [2, 2, 4, 4, 2, 2]
    for level, x0 in found.items():
        inner = ClassifierFree(3.0) if -1 <= level < 2 else Unguided()
        assert torch.equal(x0, inner(denoiser, cond, null)(x, torch.tensor(level)).x0)


def test_some_inside_some_outside():
    levels = torch.tensor([-5.0, 0.0, 1.0, 5.0])
    found = LimitedInterval(ClassifierFree(3.0), low=-1.0, high=2.0)(bent(), COND, NULL)(X, levels).x0
    inside, outside = (g(bent(), COND, NULL)(X, levels).x0 for g in (ClassifierFree(3.0), Unguided()))
    assert torch.allclose(found[1:3], inside[1:3], atol=1e-6)
    assert torch.allclose(found[[0, 3]], outside[[0, 3]], atol=1e-6)
    assert (inside - outside).flatten(1).abs().amax(1).min() > 0.1


# CFG-Zero*


def velocity(kind: str, p: Prediction, level: torch.Tensor) -> torch.Tensor:
    return alpha(level) * p.eps - sigma(level) * p.x0 if kind == "v" else p.eps - p.x0


@pytest.mark.parametrize("kind", ["v", "flow"])
def test_zero_star_is_the_papers_line_in_its_velocity(kind: str):
    with_cond, without = (velocity(kind, bent()(X, LEVEL, c), LEVEL) for c in (COND, NULL))
    s = (parts(with_cond, without) / parts(without, without)).view(-1, 1, 1, 1)
    found = ZeroStar(3.0, 0, kind)(bent(), COND, NULL)(X, LEVEL)  # pyright: ignore[reportArgumentType]
    expected = (1 - 3) * s * without + 3 * with_cond
    assert torch.allclose(velocity(kind, found, LEVEL), expected, atol=1e-4)


def test_its_scale_leaves_nothing_of_the_null_in_the_difference():
    u, u_null = draw(4, 3, 6, 6, key=1), draw(4, 3, 6, 6, key=2)
    left = u - best_scale(u, u_null) * u_null
    assert parts(left, u_null).abs().max() < 1e-4
    assert torch.isfinite(best_scale(u, torch.zeros_like(u))).all()


def test_a_null_of_wrong_length_does_no_harm():
    """The reason for s: a null velocity that is only too long or too short is no guidance at all."""

    def denoiser(x: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> Prediction:
        assert cond.vector is not None
        v = torch.sin(3 * x) * torch.where(cond.vector > 0, 1.0, 2.7).view(-1, 1, 1, 1)
        c_skip, c_out = V().scalings(log_snr)
        return Prediction.from_x0(c_skip * x + c_out * v, x, log_snr)

    found = ZeroStar(6.0, zero_steps=0)(denoiser, COND, NULL)(X, LEVEL).x0
    assert torch.allclose(found, denoiser(X, LEVEL, COND).x0, atol=1e-4)
    plain = ClassifierFree(6.0)(denoiser, COND, NULL)(X, LEVEL).x0
    assert (plain - found).abs().max() > 1


@pytest.mark.parametrize("kind", ["v", "flow"])
def test_the_first_levels_are_not_moved(kind: str):
    """Two levels, one of them asked for twice as Heun's solver does; the third is guided."""
    denoise = ZeroStar(3.0, 2, kind)(bent(), COND, NULL)  # pyright: ignore[reportArgumentType]
    levels = [torch.tensor(level) for level in (-6.0, -5.0, -5.0, -4.0)]
    still = [velocity(kind, denoise(X, level), level).abs().max().item() for level in levels]
    assert max(still[:3]) < 1e-4
    assert still[3] > 0.1


@pytest.mark.parametrize("kind, schedule", [("v", Cosine()), ("flow", RectifiedFlow())])
def test_a_still_step_leaves_the_state_where_it_is(kind: str, schedule):
    """v = 0: x turns by the step of phi, tan phi = sigma/alpha, no more. flow: its state x/(alpha + sigma) stays."""
    grid = schedule.grid(10)
    denoise = ZeroStar(3.0, 1, kind)(bent(), COND, NULL)  # pyright: ignore[reportArgumentType]
    step = next(DDIM()(denoise, X, grid[:2], Noise.shared(0)))
    if kind == "v":
        turn = torch.atan(torch.exp(-grid[0] / 2)) - torch.atan(torch.exp(-grid[1] / 2))
        assert torch.allclose(step.x, X * torch.cos(turn), atol=1e-4)
    else:
        before, after = (alpha(l) + sigma(l) for l in grid[:2])
        assert torch.allclose(step.x / after, X / before, atol=1e-4)


# Rescale


def test_phi_0_changes_nothing_and_phi_1_gives_the_conditionals_spread():
    with_cond, _ = pair()
    assert torch.allclose(at(Rescale(ClassifierFree(5.0), phi=0.0)), at(ClassifierFree(5.0)), atol=1e-6)
    spread = [x0.flatten(1).std(1) for x0 in (at(ClassifierFree(5.0)), with_cond)]
    assert (spread[0] / spread[1]).min() > 1.2  # else this test could not fail
    assert torch.allclose(at(Rescale(ClassifierFree(5.0), phi=1.0)).flatten(1).std(1), spread[1], rtol=1e-4)
    half = at(Rescale(ClassifierFree(5.0), phi=0.5)).flatten(1).std(1)
    assert torch.allclose(half, (spread[0] + spread[1]) / 2, rtol=1e-4)


def test_a_single_number_has_no_spread_to_rescale():
    x, cond, null = draw(4, 1), COND, NULL
    found, plain = (g(shifted(0.4, -0.2), cond, null)(x, LEVEL).x0 for g in (Rescale(), ClassifierFree()))
    assert torch.equal(found, plain)


# Adaptive projected guidance


def test_apg_without_its_three_parts_is_classifier_free_guidance():
    assert torch.allclose(at(APG(4.0, eta=1.0, norm_threshold=0.0, momentum=0.0)), at(ClassifierFree(4.0)), atol=1e-5)


def test_apg_at_eta_0_goes_at_right_angles_to_the_condition():
    with_cond, without = pair()
    update = at(APG(4.0, norm_threshold=0.0)) - with_cond
    assert parts(update, with_cond).abs().max() < 1e-3
    assert parts(with_cond - without, with_cond).abs().max() > 1
    whole = at(APG(4.0, eta=1.0, norm_threshold=0.0)) - with_cond
    half = at(APG(4.0, eta=0.5, norm_threshold=0.0)) - with_cond
    assert torch.allclose(half, (whole + update) / 2, atol=1e-4)


def test_apg_shortens_long_updates_and_no_others():
    with_cond, without = pair()
    lengths = (with_cond - without).flatten(1).norm(dim=1)
    threshold = lengths.sort().values[1:3].mean().item()
    update = at(APG(2.0, eta=1.0, norm_threshold=threshold, momentum=0.0)) - with_cond
    assert torch.allclose(update.flatten(1).norm(dim=1), lengths.clamp(max=threshold), rtol=1e-4)
    assert {bool(n > threshold) for n in lengths} == {True, False}


def test_apg_remembers_the_updates_before():
    levels = [torch.tensor(level) for level in (-3.0, -1.0, LEVEL.item())]
    d = [a - b for a, b in (pair(level=level) for level in levels)]
    expected = pair()[0] + d[2] - 0.5 * d[1] + 0.25 * d[0]
    assert torch.allclose(at(APG(2.0, 1.0, 0.0, momentum=-0.5), *levels), expected, atol=1e-4)


# Thresholds


def test_static_threshold_cuts():
    plain = at(ClassifierFree(9.0))
    assert plain.abs().max() > 1.5
    assert torch.equal(at(StaticThreshold(ClassifierFree(9.0))), plain.clamp(-1, 1))
    assert torch.equal(at(StaticThreshold(ClassifierFree(9.0), 0.5)), at(ClassifierFree(9.0, limit=0.5)))


@pytest.mark.parametrize("limit", [1.0, 0.5])
def test_dynamic_threshold_scales(limit: float):
    plain = at(ClassifierFree(9.0))
    found = at(DynamicThreshold(ClassifierFree(9.0), 0.9, limit))
    s = torch.quantile(plain.abs().flatten(1), 0.9, dim=1).view(-1, 1, 1, 1)
    assert s.min() > limit
    assert found.abs().max() <= limit * 1.0001
    inner = plain.abs() <= s
    assert torch.allclose(found[inner], (plain / s * limit)[inner], atol=1e-5)
    assert ((found.abs() >= limit * 0.999).float().mean() - 0.1).abs() < 0.02  # what lies beyond the percentile


def test_dynamic_threshold_leaves_small_pictures_alone():
    plain = at(ClassifierFree(1.5))
    wide = plain.abs().max().item() + 0.01
    assert torch.allclose(at(DynamicThreshold(ClassifierFree(1.5), limit=wide)), plain, atol=1e-6)


# Autoguidance


def test_the_same_model_as_the_worse_one_changes_nothing():
    assert torch.allclose(at(Autoguidance(3.0, bent())), pair()[0], atol=1e-5)


def test_an_error_that_is_twice_as_large_in_the_worse_model_is_taken_back():
    """Karras et al. 2024, section 3: with errors e and 2 e in the same direction, scale 2 is exact."""
    truth, good, worse = (shifted(mean, 0.0) for mean in (0.4, 0.5, 0.6))
    x = draw(4, 1)
    found = Autoguidance(2.0, worse)(good, COND, NULL)(x, LEVEL).x0
    assert torch.allclose(found, truth(x, LEVEL, COND).x0, atol=1e-6)


# A negative prompt


def negative(guidance: Guidance) -> Guidance:
    """Led away from a condition of -0.6, in the place of the null."""
    return NegativePrompt(guidance, "blue").using(negative=lambda prompt: AWAY[prompt])


@pytest.mark.parametrize("scale", [0.0, 0.5, 2.0, 7.5])
def test_a_negative_prompt_is_the_second_branch(scale: float):
    """x0 = x0_neg + w (x0_c - x0_neg), by hand."""
    with_cond, away = (bent()(X, LEVEL, cond).x0 for cond in (COND, AWAY["blue"]))
    found = at(negative(ClassifierFree(scale)))
    assert torch.allclose(found, away + scale * (with_cond - away), atol=1e-6)
    assert (found - at(ClassifierFree(scale))).abs().max() > 0.1


@pytest.mark.parametrize("guidance", [APG(4.0), ZeroStar(3.0), Rescale(), LimitedInterval(low=-1.0)], ids=repr)
def test_every_guidance_of_two_branches_can_be_led_away_from_a_prompt(guidance: Guidance):
    found, by_hand = negative(guidance)(bent(), COND, NULL), guidance(bent(), COND, AWAY["blue"])
    for level in map(torch.tensor, (-0.9, -0.4, 5.0)):
        assert torch.equal(found(X, level).x0, by_hand(X, level).x0)


def test_what_is_known_of_an_image_is_known_in_the_negative_branch():
    seen = []

    def recorded(x: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> Prediction:
        seen.append(cond.image)
        return bent()(x, log_snr, replace(cond, image=None))

    cond, null = (replace(c, image=draw(4, 1, 6, 6, key="image")) for c in (COND, NULL))
    negative(ClassifierFree(2.0))(recorded, cond, null)(X, LEVEL)
    assert [torch.equal(image, torch.cat([cond.image, null.image])) for image in seen] == [True]  # pyright: ignore


@pytest.mark.parametrize(
    "guidance",
    [
        Unguided(),
        Autoguidance(2.0),
        GuidanceInput(2.0),
        ClassifierFree(1.0),
        StaticThreshold(APG(1.0)),
        ClassifierGuidance(2.0),
    ],
    ids=repr,
)
def test_what_has_no_null_branch_cannot_be_led_away_from_a_prompt(guidance: Guidance):
    with pytest.raises(ValueError, match=r"negative = 'blue': .* take a scale other than 1 and a form of two branches"):
        NegativePrompt(guidance, "blue")


def test_a_negative_prompt_that_nothing_reads_is_told():
    with pytest.raises(ValueError, match="negative = 'blue': only `generate`, `edit` and `extend` lead away"):
        at(NegativePrompt(prompt="blue"))
    assert NegativePrompt(prompt="blue").missing_models() == {"negative"}


# A distilled network


@pytest.mark.parametrize("scale, jump", [(1.0, False), (2.5, False), (2.5, True)])
def test_a_distilled_network_is_told_its_guidance_and_asked_once_a_step(scale: float, jump: bool):
    asked = []

    def recorded(x: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> Prediction:
        asked.append(cond)
        return student(x, log_snr, cond)

    guidance = GuidanceInput(scale, jump).using(student=recorded)
    assert isinstance(guidance, GuidanceInput) and GuidanceInput().missing_models() == {"student"}
    found = at(guidance)
    [cond] = asked
    assert cond.vector is COND.vector and torch.equal(cond.guidance, torch.tensor([[scale, jump]] * 4))
    assert torch.equal(found, torch.sin(scale * X) + jump * torch.cos(X))


def test_without_a_distilled_network_it_says_what_is_missing():
    with pytest.raises(ValueError, match="no distilled network; `unclip distill RUN` trains one"):
        at(GuidanceInput())


# Wrappers compose


def test_interval_of_rescale_of_classifier_free():
    whole = LimitedInterval(Rescale(ClassifierFree(5.0), phi=1.0), low=-1.0, high=1.0)
    assert torch.equal(at(whole), at(Rescale(ClassifierFree(5.0), phi=1.0)))
    assert torch.equal(at(whole, torch.tensor(1.5)), at(Unguided(), torch.tensor(1.5)))
    with_cond, _ = pair()
    swapped = at(Rescale(LimitedInterval(ClassifierFree(5.0), low=-1.0, high=1.0), phi=1.0))
    assert torch.allclose(swapped, at(whole), atol=1e-5)
    assert torch.allclose(swapped.flatten(1).std(1), with_cond.flatten(1).std(1), rtol=1e-4)


# Names


@pytest.mark.parametrize("limit", [None, 1.0])
@pytest.mark.parametrize("form", FORMS)
def test_every_name_there_and_back(form: str, limit: float | None):
    if form == "dynamic" and limit is None:
        with pytest.raises(ValueError, match="range"):
            by_name(form, 2.0, limit)
        return
    guidance = by_name(form, 2.0, limit)
    assert name_of(guidance) == (form, 2.0)
    assert guidance != by_name(form, 3.0, limit)
    if limit:
        assert (
            at(by_name(form, 9.0, limit).using(worse=bent(), student=student), torch.tensor(-5.0), LEVEL).abs().max()
            <= 1.0001
        )


def test_the_names_mean_different_things():
    named = [by_name(form, 3.0, 1.0).using(worse=bent(), student=student) for form in FORMS if form != "interval"]
    found = [at(guidance, torch.tensor(-5.0), LEVEL) for guidance in named]
    for i, a in enumerate(found):
        assert all((a - b).abs().max() > 0.01 for b in found[:i])


def test_cfg_is_what_guidance_always_meant():
    assert by_name("cfg", 2.0, 1.0) == ClassifierFree(2.0, limit=1.0)


@pytest.mark.parametrize("guidance", [Unguided(), ClassifierGuidance(2.0), Rescale(ClassifierFree(2.0), phi=0.3)])
def test_guidance_without_a_name(guidance: Guidance):
    assert name_of(guidance) is None


@pytest.mark.parametrize(
    "form, scale, words", [("cgf", 2.0, "cfg, interval"), ("cfg", -1.0, "-1"), ("apg", float("nan"), "nan")]
)
def test_bad_names_and_scales_are_refused(form: str, scale: float, words: str):
    with pytest.raises(ValueError, match=words):
        by_name(form, scale, 1.0)
