"""Unit 5: the families."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from unclip.core.noise import Noise
from unclip.course.answers import Exercise, choice, near

Network = Callable[[Tensor], tuple[Tensor, Tensor]]


def draw_z(mu: Tensor, log_variance: Tensor, eps: Tensor) -> Tensor:
    """The standard deviation is exp(log s^2 / 2)."""
    return mu + (0.5 * log_variance).exp() * eps


def _draw(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    noise = Noise.shared(5, "course 5.1")
    mu, variance, eps = noise.normal((2, 6)), noise.uniform((2, 6)) + 0.1, noise.normal((2, 6))
    return near(answer(mu, variance.log(), eps), mu + variance.sqrt() * eps, what="z")


def rate(mu: Tensor, log_variance: Tensor) -> Tensor:
    """3.4 with n = 0 and w = 1, summed over the dimensions."""
    return 0.5 * (log_variance.exp() + mu.square() - 1 - log_variance).sum(1)


def _rate(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    from torch.distributions import Normal, kl_divergence

    noise = Noise.shared(5, "course 5.2")
    mu, log_variance = noise.normal((3, 6)), noise.normal((3, 6))
    right = kl_divergence(Normal(mu, (0.5 * log_variance).exp()), Normal(torch.zeros(()), torch.ones(()))).sum(1)
    return near(answer(mu, log_variance), right, what="a divergence")


def coupling_back(y_1: Tensor, y_2: Tensor, network: Network) -> tuple[Tensor, Tensor]:
    """y_1 is x_1, so the network says the same s and t as on the way forward."""
    s, t = network(y_1)
    return y_1, (y_2 - t) * (-s).exp()


def _halves(half: Tensor) -> tuple[Tensor, Tensor]:
    return half.sin(), half.square()


def _coupling(answer: Callable[[Tensor, Tensor, Network], tuple[Tensor, Tensor]]) -> str:
    noise = Noise.shared(5, "course 5.3")
    x_1, x_2 = noise.normal((3, 4)), noise.normal((3, 4))
    s, t = _halves(x_1)
    first, second = answer(x_1, x_2 * s.exp() + t, _halves)
    return near(first, x_1, what="x_1") or near(second, x_2, what="x_2")


def log_determinant(s: Tensor) -> Tensor:
    """The determinant of a triangular matrix is the product of its diagonal: ones, and exp(s)."""
    return s.sum(1)


def _determinant(answer: Callable[[Tensor], Tensor]) -> str:
    half, other = Noise.shared(5, "course 5.4").normal((2, 4))

    def forward(x: Tensor) -> Tensor:
        s, t = _halves(x[:4])
        return torch.cat([x[:4], x[4:] * s.exp() + t])

    jacobian = torch.autograd.functional.jacobian(forward, torch.cat([half, other]))
    assert isinstance(jacobian, Tensor)
    return near(answer(_halves(half)[0][None]), jacobian.det().abs().log()[None], what="the logarithm")


def game(of_real: Tensor, of_drawn: Tensor) -> tuple[float, float]:
    """`F.softplus(-r)` is log(1 + e^-r) and does not overflow."""
    gap = of_real - of_drawn
    return F.softplus(-gap).mean().item(), F.softplus(gap).mean().item()


def _game(answer: Callable[[Tensor, Tensor], tuple[float, float]]) -> str:
    noise = Noise.shared(5, "course 5.5")
    of_real, of_drawn = noise.normal((8,)) + 1, noise.normal((8,))
    won = [F.binary_cross_entropy_with_logits(gap, torch.ones(8)) for gap in (of_real - of_drawn, of_drawn - of_real)]
    critic, generator = answer(of_real, of_drawn)
    return near(critic, won[0], what="the critic's loss") or near(generator, won[1], what="the generator's loss")


def exact() -> str:
    """The VAE has a bound, the GAN nothing, the diffusion a bound, or by its ODE the exact value in many passes."""
    return "flow"


EXERCISES = (
    Exercise(_draw, draw_z),
    Exercise(_rate, rate),
    Exercise(_coupling, coupling_back),
    Exercise(_determinant, log_determinant),
    Exercise(_game, game),
    Exercise(choice("flow", "which of them can be inverted in one pass?"), exact, value=True),
)
