"""Distillation where everything is known: exact denoisers, r(t) by hand, and where the gradient goes."""

from dataclasses import replace

import pytest
import torch
from tests.fakes import Function, awake, built, draw, tiny_unet
from torch import Tensor, nn

from unclip.core.condition import Condition
from unclip.core.noise import Noise, Rows
from unclip.core.task import Batch
from unclip.diffusion.denoiser import Denoiser, Prediction
from unclip.diffusion.empirical import Empirical
from unclip.diffusion.guidance import ClassifierFree, GuidanceInput
from unclip.diffusion.level import noised
from unclip.diffusion.losses import Squared
from unclip.diffusion.parameterization import X0
from unclip.diffusion.process import Diffusion, Sampling
from unclip.diffusion.samplers import DDIM
from unclip.models.decoder import decoder_diffusion
from unclip.models.distillation import Distillation, DistillationOptions, Lesson, Student, StudentConfig, earlier, told

SHAPE = (3, 8, 8)
POINTS = {"with": 0.6 * draw(5, *SHAPE, key="with"), "without": 0.6 * draw(9, *SHAPE, key="without")}
COND, NULL = Condition(vector=torch.ones(6, 4)), Condition(vector=torch.zeros(6, 4))
LESSON = Lesson(POINTS["with"][torch.tensor([0, 1, 2, 3, 4, 0])], COND, NULL)
CONFIG = StudentConfig(tiny_unet(vector_width=4), decoder_diffusion(), Sampling())


def teacher(x: Tensor, log_snr: Tensor, cond: Condition) -> Prediction:
    """The exact denoisers of two sets of points, by the condition."""
    assert cond.vector is not None
    levels = log_snr.expand(len(x))
    with_cond, without = (Empirical(POINTS[name])(x, levels).x0 for name in ("with", "without"))
    return Prediction.from_x0(torch.where(cond.vector[:, :1, None, None] > 0, with_cond, without), x, log_snr)


def guided(scale: Tensor, x: Tensor, log_snr: Tensor) -> Tensor:
    """The formula of guidance, c + (w - 1)(c - n), within [-1, 1]."""
    c, n = (teacher(x, log_snr, cond).x0 for cond in (COND, NULL))
    return (c + (scale.view(-1, 1, 1, 1) - 1) * (c - n)).clamp(-1, 1)


def exact(x: Tensor, log_snr: Tensor, cond: Condition) -> Tensor:
    """A network of clean samples that has learned guidance as an input without any error."""
    assert cond.guidance is not None
    return guided(cond.guidance[:, 0], x, log_snr)


def student(network: nn.Module) -> Student:
    """A student whose network predicts the clean sample itself."""
    model = Student(replace(CONFIG, diffusion=replace(decoder_diffusion(), parameterization=X0())))
    model.diffusion.denoiser.network = network
    return model


def task(model: Student, lesson: Lesson = LESSON, **options: object) -> Distillation:
    return Distillation(model, teacher, lambda batch, noise: lesson, replace(DistillationOptions(), **options))  # pyright: ignore


def test_where_a_step_ends():
    """r(t) = t (1 - (1 + 8 sigmoid(-t))/q), by hand: sigmoid(-1) = 0.268941, sigmoid(-2) = 0.119203."""
    assert earlier(torch.tensor(1.0), 4.0).item() == pytest.approx(0.212117, abs=1e-5)
    assert earlier(torch.tensor(2.0), 16.0).item() == pytest.approx(1.755797, abs=1e-5)
    assert earlier(torch.tensor(80.0), 64.0).item() == pytest.approx(78.75, abs=1e-4)
    assert earlier(torch.tensor(0.1), 4.0).item() == 0.0  # 1 + 8 sigmoid(-0.1) = 4.8 is more than q: to the end


@pytest.mark.parametrize("scale", [1.0, 2.0, 4.0])
def test_an_exact_student_draws_as_its_teacher_guided(scale: float):
    """One evaluation a step, and the images of classifier-free guidance at two."""
    process = Diffusion(nn.Identity(), decoder_diffusion())
    process.denoiser = Denoiser(Function(lambda x, log_snr, cond: teacher(x, log_snr, cond).x0), X0())
    by = GuidanceInput(scale).using(student=student(Function(exact)))
    drawn = [
        list(process.sample((6, *SHAPE), COND, NULL, Noise.shared(0), Sampling(8, DDIM(1.0), guidance)))[-1].x
        for guidance in (ClassifierFree(scale, limit=1.0), by)
    ]
    assert torch.allclose(*drawn, atol=1e-4)
    assert drawn[0].std() > 0.1


def test_what_is_taught_is_guidance_within_the_range():
    x, level, scale = draw(6, *SHAPE), torch.tensor([-3.0, -2.0, -1.0, 0.0, 1.0, 3.0]), torch.linspace(1, 4, 6)
    found = task(Student(CONFIG)).taught(LESSON, x, level, scale)
    assert torch.allclose(found.x0, guided(scale, x, level), atol=1e-5)
    assert torch.allclose(noised(found.x0, level, found.eps), x, atol=1e-5)
    assert task(student(Function(exact))).guide(LESSON, Noise.shared(0)).max() < 1e-8  # nothing is left to learn


def test_it_starts_as_its_teacher_whatever_it_is_told():
    source = awake(built(lambda: Diffusion(CONFIG.network.build(), CONFIG.diffusion)))
    assert isinstance(source, Diffusion)
    model = built(lambda: Student.of(source, CONFIG)).eval()
    x, level = draw(6, *SHAPE), torch.linspace(-6, 6, 6)
    with torch.no_grad():
        plain = source.denoiser(x, level, COND).x0
        for jump in (False, True):
            assert torch.equal(model(x, level, told(COND, torch.linspace(1, 4, 6), jump)).x0, plain)
    awake(model)
    a, b, c = (
        model(x, level, told(COND, torch.full((6,), scale), jump)).x0
        for scale, jump in ((1.0, False), (3.0, False), (1.0, True))
    )
    assert (a - b).abs().max() > 1e-4 and (a - c).abs().max() > 1e-4


def test_at_the_clean_end_it_changes_nothing():
    """The boundary condition of consistency models, by the preconditioning alone: D(x, sigma -> 0) = x."""
    model = awake(built(lambda: Student(CONFIG)))
    x0 = 0.5 * draw(6, *SHAPE)
    level = torch.full((6,), 30.0)
    x = noised(x0, level, draw(6, *SHAPE, key="eps"))
    assert torch.allclose(model(x, level, told(COND, torch.ones(6), True)).x0, x0, atol=1e-5)  # pyright: ignore


def test_a_step_that_reaches_the_clean_end_is_taught_by_the_teacher_itself():
    model = task(student(Function(lambda x, log_snr, cond: torch.full_like(x, 7.0))))
    x, level = draw(6, *SHAPE), torch.zeros(6)
    p = Prediction.from_x0(teacher(x, level, COND).x0, x, level)
    goal = model.goal(p, torch.tensor([0.0, 0.5, 0.0, 0.5, 0.0, 0.5]), COND)
    assert torch.equal(goal[::2], p.x0[::2])
    assert (goal[1::2] == 1.0).all()  # what the student says, within the range of the data


def test_the_gradient_passes_through_the_first_pass_alone():
    """With D = a x the loss is that of the error a x - a' x', a' held: its slope in a is what the formula gives."""
    passes = []

    class Line(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Parameter(torch.tensor(0.3))

        def forward(self, x: Tensor, log_snr: Tensor, cond: Condition) -> Tensor:
            passes.append((torch.is_grad_enabled(), x.detach()))
            return self.a * x

    line = Line()
    model = task(student(line), error=Squared())
    loss = model.jump(LESSON, Noise.shared(0), 64.0).sum()
    assert [with_grad for with_grad, _ in passes] == [False, True]
    loss.backward()
    assert line.a.grad is not None
    found, step = line.a.grad.clone(), 1e-3

    def held(a: float) -> float:
        """The same loss with the goal computed at 0.3."""
        goals = iter([0.3, a])
        line.forward = lambda x, log_snr, cond: next(goals) * x  # pyright: ignore
        return model.jump(LESSON, Noise.shared(0), 64.0).sum().item()

    slope = (held(0.3 + step) - held(0.3 - step)) / (2 * step)
    assert found.item() == pytest.approx(slope, rel=1e-2)


def test_one_point_is_jumped_to_without_error():
    """All paths lead straight to it: the exact jump is the point, and its loss is 0 however long the steps are."""
    point = POINTS["with"][:1].clamp(-1, 1)
    lesson = Lesson(point.expand(6, -1, -1, -1), COND)
    model = task(student(Function(lambda x, log_snr, cond: point.expand(len(x), -1, -1, -1))), lesson)
    for q in (4.0, 64.0):
        assert model.jump(lesson, Noise.shared(0), q).abs().max() < 1e-4


def test_without_guidance_the_path_is_that_of_the_data():
    model = task(Student(CONFIG))
    x, level = noised(LESSON.x0, torch.zeros(6), draw(6, *SHAPE)), torch.zeros(6)
    found = model.taught(Lesson(LESSON.x0, COND), x, level, torch.ones(6))
    assert torch.equal(found.x0, LESSON.x0) and torch.allclose(found.eps, draw(6, *SHAPE), atol=1e-5)


def test_first_guidance_then_ever_shorter_steps():
    model = task(student(Function(exact)), guide=0.25)
    seen = []
    for share in (0.0, 0.24, 0.25, 0.49, 0.51, 0.74, 0.76, 1.0):
        model.pace(share)
        seen.append(model.q)
    assert seen == [0, 0, 4, 4, 16, 16, 64, 64]


def test_a_part_of_each_batch_goes_on_learning_guidance(monkeypatch: pytest.MonkeyPatch):
    model, rows = task(student(Function(exact)), anchor=0.5), []

    def count(name: str, lesson: Lesson) -> Tensor:
        rows.append((name, len(lesson.x0)))
        return lesson.x0.flatten(1).mean(1)

    for name in ("guide", "jump"):
        monkeypatch.setattr(model, name, lambda lesson, *rest, name=name: count(name, lesson))
    for share in (0.0, 0.5):
        model.pace(share)
        model.loss(Batch(), Noise.shared(0))
    assert rows == [("guide", 6), ("guide", 3), ("jump", 3)]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("parts", [2, 3, 6])
@pytest.mark.parametrize("anchor", [0.0, 0.25, 0.5, 0.9])
def test_the_loss_of_a_batch_is_the_mean_of_those_of_its_parts(share: float, parts: int, anchor: float):
    """Whoever has which rows: what is anchor and what is a jump is a matter of the whole batch."""
    net = Function(lambda x, level, cond: 0.1 * x * cond.guidance.sum(1).view(-1, 1, 1, 1))
    model, few = task(student(net), anchor=anchor), 6 // parts
    model.pace(share)
    whole = model.loss(Batch(), Noise.shared(0)).total
    found = list[Tensor]()
    for first in range(0, 6, few):
        model.lesson = lambda batch, noise, first=first: LESSON.rows(slice(first, first + few))
        found.append(model.loss(Batch(), Noise.shared(0).of(Rows(first, few, 6))).total)
    assert len({loss.item() for loss in found}) == parts
    assert torch.stack(found).mean().item() == pytest.approx(whole.item(), rel=1e-5)


def test_nothing_is_dropped_out_in_either_pass():
    model = task(Student(CONFIG)).train()
    assert model.training and not model.student.training


def test_a_scale_that_was_never_learned_is_refused():
    with pytest.raises(ValueError, match=r"guidance = 5: the distilled network has learned 1 to 4; with --steps 24"):
        Student(CONFIG)(draw(6, *SHAPE), torch.zeros(6), told(COND, torch.full((6,), 5.0), False))


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"scales": (4.0, 1.0)}, r"scales = \(4.0, 1.0\): the smaller one first"),
        ({"q": (1.0,)}, r"q\[0\] = 1.0: expected a number above 1"),
        ({"anchor": 1.0}, "anchor = 1.0"),
        ({"guide": 1.0}, "guide = 1.0"),
    ],
)
def test_impossible_options_are_refused(changes: dict[str, object], words: str):
    with pytest.raises(ValueError, match=words):
        replace(DistillationOptions(), **changes)  # pyright: ignore
