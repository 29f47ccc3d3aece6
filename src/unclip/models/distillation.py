"""A student that draws in one to four steps what its teacher draws in many, with guidance as an input.

With w the scale of guidance, sigma = sigma_t/alpha_t = exp(-l/2) and D the student's clean estimate:

guide    |D(x, l, w) - (c + (w - 1)(c - n))|^2        c, n: the frozen teacher with the condition, and without
jump     rho(D(x, l, w, jump) - D'(x', l', w, jump)) / c_out(l) / (q (t - r)/t)

Guiding is Meng et al. 2023, section 3.1. Jumping is easy consistency tuning (Geng et al. 2024): x' is x after one step
of the teacher's guided ODE from t = sigma to r(t); D' is the same network without gradient; rho is the pseudo-Huber
norm, c_out EDM's (Karras et al. 2022, table 1), so that an error weighs the same at all levels. (t - r)/t is the
paper's weight 1/(t - r) as a fraction of the level, and q the number of steps that the path is cut into. The student
is told which of the two is wanted, so that one does not unlearn the other.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated

import torch
from torch import Tensor, nn

from unclip.core.condition import Condition
from unclip.core.config.base import Config
from unclip.core.config.ranges import Length, Positive, Range
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import LogSNR, PerSample, State
from unclip.diffusion.denoiser import ConditionalDenoise, Prediction, within
from unclip.diffusion.grids import ends
from unclip.diffusion.guidance.base import branches
from unclip.diffusion.level import alpha, like, noised, resolvable, sigma
from unclip.diffusion.losses import ErrorForm, PseudoHuber
from unclip.diffusion.parameterization import EDM
from unclip.diffusion.process import Diffusion, DiffusionConfig, Sampling
from unclip.diffusion.schedules.base import stratified
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.steered import Steered

Scales = Annotated[tuple[Positive, ...], Length(2, 2)]
"""The least and the largest scale of guidance."""
K, B = 8.0, 1.0
"""Of r(t) (Geng et al. 2024, their CIFAR-10 settings)."""
CLEANEST = 6.0
"""The log-SNR up to which jumps are learned: what they would change beyond it nobody sees."""


@dataclass(frozen=True)
class StudentConfig(Config):
    """A student.

    Args:
        network: its teacher's.
        diffusion: its teacher's process.
        sampling: how it draws unless told otherwise.
        scales: the least and the largest scale of guidance that it has learned.
        teacher: the first digits of the SHA-256 of its teacher's weights; "unsaved": it lies nowhere.
    """

    network: ImageNetworkConfig
    diffusion: DiffusionConfig
    sampling: Sampling
    scales: Scales = (1.0, 4.0)
    teacher: str = "unsaved"


class Student(nn.Module):
    """The teacher's network, told its guidance; what it is conditioned on is what its teacher is conditioned on."""

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.config = config
        network = Steered(config.network.build(), config.network.vector_width)
        self.diffusion = Diffusion(network, config.diffusion)

    @classmethod
    def of(cls, teacher: Diffusion, config: StudentConfig) -> "Student":
        """A student that at first says what its teacher says without guidance."""
        student = cls(config)
        assert isinstance(student.network, Steered)
        student.network.network.load_state_dict(teacher.denoiser.network.state_dict())
        return student

    @property
    def network(self) -> nn.Module:
        """The network with its guidance."""
        return self.diffusion.denoiser.network

    def forward(self, x: State, log_snr: LogSNR, cond: Condition) -> Prediction:
        """The denoiser, as `GuidanceInput` takes it. Raises ValueError for a scale that it has not learned."""
        low, high = self.config.scales
        if cond.guidance is not None and len(x) and not low <= (scale := cond.guidance[0, 0].item()) <= high:
            raise ValueError(
                f"guidance = {scale:g}: the distilled network has learned {low:g} to {high:g}; with --steps 24 the "
                "network that it was distilled from draws with any"
            )
        return self.diffusion.denoiser(x, log_snr, cond)


@dataclass(frozen=True)
class DistillationOptions(Config):
    """How a student is taught.

    Args:
        scales: the least and the largest scale of guidance; training draws between them.
        guide: the fraction of the training in which guidance alone is learned.
        anchor: the fraction of each batch that goes on learning it, so that many steps keep working.
        q: into how many steps the path is cut, one number after the other for as long.
        error: the form of the error of a jump.
    """

    scales: Scales = (1.0, 4.0)
    guide: Annotated[float, Range(0, 1, below=True)] = 0.25
    anchor: Annotated[float, Range(0, 1, below=True)] = 0.25
    q: Annotated[tuple[Annotated[float, Range(1, 1e6, above=True)], ...], Length(1, 32)] = (4.0, 16.0, 64.0)
    error: ErrorForm = field(default_factory=PseudoHuber)

    def __post_init__(self) -> None:
        if self.scales[0] > self.scales[1]:
            raise ValueError(f"scales = {self.scales}: the smaller one first")


def earlier(t: Tensor, q: float) -> Tensor:
    """r(t) = t (1 - (1 + k sigmoid(-b t))/q), 0 at least: where the step from t ends (Geng et al. 2024)."""
    return (t * (1 - (1 + K * torch.sigmoid(-B * t)) / q)).clamp(min=0)


@dataclass(frozen=True)
class Lesson:
    """Clean samples, [b, ...], and what they are conditioned on, b rows.

    null: what guidance leads away from; None: nothing to guide by.
    """

    x0: State
    cond: Condition
    null: Condition | None = None

    def rows(self, some: slice) -> "Lesson":
        """A part of it."""
        cond, null = (c and c.map(lambda part: part[some]) for c in (self.cond, self.null))
        assert cond is not None
        return Lesson(self.x0[some], cond, null)


class Distillation(nn.Module):
    """Teaches a student.

    Args:
        student: what is trained.
        teacher: the frozen denoiser whose guidance and path it learns. A function: it is no part of what is trained.
        lesson: what a batch means to the teacher; called without gradient.
        options: how.
    """

    per_sample = True

    def __init__(
        self,
        student: Student,
        teacher: ConditionalDenoise,
        lesson: Callable[[Batch, Noise], Lesson],
        options: DistillationOptions,
    ) -> None:
        super().__init__()
        self.student, self.teacher, self.lesson, self.options = student, teacher, lesson, options
        self.share = 0.0

    def pace(self, share: float) -> None:
        """How much of the training is behind."""
        self.share = share

    def train(self, mode: bool = True) -> "Distillation":
        """Without dropout: both passes of a jump need the same mask, and so none is the plainest."""
        super().train(mode)
        self.student.eval()
        return self

    @property
    def q(self) -> float:
        """Into how many steps the path is cut now; 0: guidance alone is learned."""
        guide, cuts = self.options.guide, self.options.q
        if self.share < guide:
            return 0.0
        return cuts[min(int((self.share - guide) / (1 - guide) * len(cuts)), len(cuts) - 1)]

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """The mean over the anchor and the jumps of a batch; the first samples of the whole batch are the anchor,
        whoever has them."""
        with torch.no_grad():
            lesson = self.lesson(batch, noise)
        n, q = len(lesson.x0), self.q
        rows = noise.part(n)
        anchors = round((self.options.anchor if q else 1.0) * rows.total)
        if lesson.null is None:  # nothing guides: jumps are all that there is to learn
            anchors, q = 0, q or self.options.q[0]
        first, rest = rows.within(0, anchors), rows.within(anchors, rows.total)
        losses = [lesson.x0.new_zeros(0)]
        if first.count:
            losses.append(self.guide(lesson.rows(slice(first.count)), noise.fork("guide").of(first)))
        if rest.count:
            losses.append(self.jump(lesson.rows(slice(first.count, n)), noise.fork("jump").of(rest), q))
        return Losses(torch.cat(losses).mean())

    def guide(self, lesson: Lesson, noise: Noise) -> PerSample:
        """The loss of guidance as an input, [b]: half at the levels that the teacher was trained at, half at all alike.

        A schedule may hardly ever draw the least noise, and there the jumps would undo what nothing keeps.
        """
        schedule, rows = self.student.config.diffusion.schedule, noise.part(len(lesson.x0))
        cut = rows.total - rows.total // 2
        usual, rest = rows.within(0, cut), rows.within(cut, rows.total)
        anywhere = self._anywhere(rest.count, ends(schedule)[1], noise.fork("anywhere").of(rest))
        level = torch.cat([resolvable(schedule.draw(usual.count, noise.of(usual))), anywhere])
        x, scale = self._noised(lesson, level, noise)
        with torch.no_grad():
            goal = self.taught(lesson, x, level, scale).x0
        return self.student.diffusion.regress(goal, x, level, told(lesson.cond, scale, jump=False))

    def jump(self, lesson: Lesson, noise: Noise, q: float) -> PerSample:
        """The loss of a jump, [b], at levels that are uniform in log-SNR."""
        clean = ends(self.student.config.diffusion.schedule)[1]
        level = self._anywhere(len(lesson.x0), min(clean, CLEANEST), noise)
        x, scale = self._noised(lesson, level, noise)
        cond, t = told(lesson.cond, scale, jump=True), torch.exp(-level / 2)
        r = earlier(t, q)
        r = torch.where(r > math.exp(-clean / 2), r, 0.0)
        with torch.no_grad():
            goal = self.goal(self.taught(lesson, x, level, scale), r, cond)
        error = (self.student.diffusion.denoiser(x, level, cond).x0 - goal) / like(self.units.scalings(level)[1], x)
        return self.options.error(error) * t / (q * (t - r))

    def goal(self, p: Prediction, r: PerSample, cond: Condition) -> State:
        """What the student says one step of the path on, at sigma/alpha = r; at r = 0 that step has ended the path."""
        level = -2 * r.log()
        x = like(alpha(level), p.x0) * p.x0 + like(sigma(level), p.x0) * p.eps
        finite = level.clamp(max=ends(self.student.config.diffusion.schedule)[1])
        says = within(lambda x, log_snr: self.student.diffusion.denoiser(x, log_snr, cond), self.limit)(x, finite).x0
        return torch.where(like(r, says) > 0, says, p.x0)

    def taught(self, lesson: Lesson, x: State, level: PerSample, scale: PerSample) -> Prediction:
        """The teacher's guided prediction within the range of the data.

        Where nothing guides, the clean sample and the noise themselves: then the student learns the path of the data,
        which is what a teacher would say on average (Song et al. 2023, theorem 2).
        """
        if lesson.null is None:
            return Prediction.from_x0(lesson.x0, x, level)
        with_cond, without = branches(self.teacher, lesson.cond, lesson.null)(x, level)
        x0 = without.x0 + like(scale, x) * (with_cond.x0 - without.x0)
        return Prediction.from_x0(x0 if self.limit is None else x0.clamp(-self.limit, self.limit), x, level)

    @property
    def units(self) -> EDM:
        """Whose c_out measures how far two clean estimates differ, whatever the network predicts."""
        own = self.student.config.diffusion.parameterization
        return own if isinstance(own, EDM) else EDM()

    @property
    def limit(self) -> float | None:
        """The range of clean data."""
        return self.student.config.diffusion.limit

    def _anywhere(self, n: int, clean: float, noise: Noise) -> PerSample:
        """Levels that are uniform in log-SNR, from the noisy end to `clean`."""
        noisy = ends(self.student.config.diffusion.schedule)[0]
        return noisy + (clean - noisy) * stratified(n, noise)

    def _noised(self, lesson: Lesson, level: PerSample, noise: Noise) -> tuple[State, PerSample]:
        """States at these levels, and a scale of guidance for each."""
        low, high = self.options.scales
        scale = low + (high - low) * noise.fork("scale").uniform((len(level),))
        return noised(lesson.x0, level, noise.fork("eps").normal(lesson.x0.shape)), scale


def told(cond: Condition, scale: PerSample, jump: bool) -> Condition:
    """The condition with the guidance that a student is told, a scale for each row."""
    return replace(cond, guidance=torch.stack([scale, torch.full_like(scale, float(jump))], dim=1))
