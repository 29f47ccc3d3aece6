"""Unit 7: the prior and the decoder."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from unclip.core.noise import Noise
from unclip.core.slerp import slerp as ours
from unclip.course.answers import Exercise, choice, near
from unclip.diffusion.level import noised


def _units(n: int, name: str, width: int = 12) -> Tensor:
    return F.normalize(Noise.shared(7, name).normal((n, width)), dim=1)


def better(candidates: Tensor, text: Tensor) -> int:
    """For unit vectors the dot product is the cosine."""
    return int((candidates @ text).argmax())


def _better(answer: Callable[[Tensor, Tensor], int]) -> str:
    [text, *candidates] = _units(6, "course 7.1")
    for order in ([0, 1], [1, 0], [4, 2, 3, 0, 1]):
        given = torch.stack([candidates[i] for i in order])
        fits = [float(torch.dot(each, text)) for each in given]
        if wrong := near(answer(given, text), fits.index(max(fits)), 0.0, "the number"):
            return f"{wrong}: the dot products are {', '.join(f'{fit:.2f}' for fit in fits)}"
    return ""


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """The angle between two unit vectors is the arc cosine of their product."""
    w = torch.acos((a * b).sum().clamp(-1, 1))
    return (torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / torch.sin(w)


def _slerp(answer: Callable[[Tensor, Tensor, float], Tensor]) -> str:
    a, b = _units(2, "course 7.2")
    for t in (0.0, 0.3, 1.0):
        if wrong := near(answer(a, b, t), ours(a[None], b[None], torch.tensor([t]))[0], what=f"slerp at t = {t}"):
            return wrong
    return ""


def turned(z_i: Tensor, z_to: Tensor, z_from: Tensor, theta: float) -> Tensor:
    """The difference of two unit vectors is none; it is made one, and then is a place on the sphere."""
    gap = z_to - z_from
    z_d = gap / gap.norm()
    w = torch.acos((z_i * z_d).sum().clamp(-1, 1))
    return (torch.sin((1 - theta) * w) * z_i + torch.sin(theta * w) * z_d) / torch.sin(w)


def _turned(answer: Callable[[Tensor, Tensor, Tensor, float], Tensor]) -> str:
    z_i, z_to, z_from = _units(3, "course 7.3")
    z_d = F.normalize(z_to - z_from, dim=0)
    for theta in (0.0, 0.25, 0.5):
        right = ours(z_i[None], z_d[None], torch.tensor([theta]))[0]
        if wrong := near(answer(z_i, z_to, z_from, theta), right, what=f"z at theta = {theta}"):
            return wrong
    return ""


def put_back(x_t: Tensor, x_0: Tensor, mask: Tensor, alpha_bar: float, eps: Tensor) -> Tensor:
    """In the hole the model's state; outside, the known image with the noise of this level (Eq. 4)."""
    known = alpha_bar**0.5 * x_0 + (1 - alpha_bar) ** 0.5 * eps
    return mask * x_t + (1 - mask) * known


def _put_back(answer: Callable[[Tensor, Tensor, Tensor, float, Tensor], Tensor]) -> str:
    noise = Noise.shared(7, "course 7.4")
    x_t, x_0, eps = (noise.normal((1, 3, 4, 4)) for _ in range(3))
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 2:] = 1
    for alpha_bar in (0.8, 0.1):
        known = noised(x_0, torch.tensor([alpha_bar]).logit(), eps)
        right = torch.where(mask.bool(), x_t, known)
        if wrong := near(answer(x_t, x_0, mask, alpha_bar, eps), right, what=f"the state at alpha-bar = {alpha_bar}"):
            return wrong
    return ""


def stage() -> str:
    """The embedding was wrong before the decoder saw it, and the CLIP that read it is right about what it shows."""
    return "prior"


EXERCISES = (
    Exercise(_better, better),
    Exercise(_slerp, slerp),
    Exercise(_turned, turned),
    Exercise(_put_back, put_back),
    Exercise(choice("prior", "who made the embedding, and who only read it?"), stage, value=True),
)
