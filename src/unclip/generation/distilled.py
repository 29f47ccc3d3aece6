"""When the distilled network of a run draws: unless more steps are asked for than it is made for, or another way."""

from unclip.core.shown import shell_command
from unclip.diffusion.denoiser import ConditionalDenoise
from unclip.diffusion.guidance import Guidance
from unclip.diffusion.process import Sampling
from unclip.generation.settings import Settings
from unclip.models.distillation import Student
from unclip.runs.modules import Stages

STAGE = "distilled"
MOST = 8
"""More steps than this are those of the stage that the network was distilled from: jumps gain nothing by them."""


def drawing(own: Sampling, settings: Settings, student: Student | None) -> Sampling:
    """How new images are drawn with these settings on top: as the student does, or as its teacher (`own`).

    The teacher draws where there is no student, where more than `MOST` steps are asked for, and where a sampler, a
    grid, a form of guidance, a guidance of one's own, guidance by another model, or a negative prompt is.
    """
    said = (settings.sampler, settings.grid, settings.form, settings.clip, settings.classifier, settings.negative)
    other = any(part is not None for part in said) or isinstance(settings.guidance, Guidance)
    if student is None or other or (settings.steps or 0) > MOST:
        return own
    return student.config.sampling


def usable(stages: Stages, teacher: str) -> Student | None:
    """The student of a run that draws unless it is told otherwise: it passed its gate, and the teacher is its own."""
    student, folder = stages.added(STAGE, Student), stages.folder
    if student is None or not fits(student, stages, teacher):
        return None
    return student if folder is None or folder.state()[STAGE]["passed"] else None


def fits(student: Student, stages: Stages, teacher: str) -> bool:
    """Whether it was distilled from the stage `teacher` as that is now."""
    return stages.folder is None or student.config.teacher == stages.hashes([teacher])[teacher]


def required(stages: Stages, teacher: str) -> ConditionalDenoise:
    """The denoiser of the run's student, for a guidance that lacks it.

    Raises ValueError where the run has none, or one that was distilled from other weights.
    """
    student, root = stages.added(STAGE, Student), "RUN" if stages.folder is None else stages.folder.root
    if student is None:
        raise ValueError(
            "guidance form input or jump: this run has no distilled network; train one: "
            f"{shell_command('unclip', 'distill', root)}"
        )
    if not fits(student, stages, teacher):
        raise ValueError(
            f"{root}/{STAGE}: was distilled from another {teacher} than the run has now; distil it again: "
            f"{shell_command('unclip', 'distill', root, '--restart')}"
        )
    return student
