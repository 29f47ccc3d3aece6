"""The learned schedule of VDM (Kingma et al. 2021): log-SNR(t) = -gamma(t), gamma rising.

    gamma(t) = gamma_0 + (gamma_1 - gamma_0) u(t),  u(t) = (g(t) - g(0)) / (g(1) - g(0)),
    g(t) = t + sum_j a_j sigmoid(b_j (t - c_j)),  a_j, b_j > 0

The diffusion loss in continuous time, L = gamma'(t)/2 |eps - eps_hat|^2 , depends in expectation on the ends
gamma_0, gamma_1 alone; the shape u changes only its variance. So the ends descend the loss, the shape its square.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from unclip.core.noise import Noise
from unclip.core.typing import Float, PerSample
from unclip.core.untyped import on_gradient
from unclip.diffusion.schedules.base import stratified
from unclip.diffusion.schedules.continuous import Tabulated


@dataclass(frozen=True)
class LearnedLevels:
    """What a learned schedule says at n times: the level, and slope = gamma'(t) = -d log-SNR/dt > 0."""

    log_snr: PerSample
    slope: PerSample
    shape: tuple[PerSample, PerSample]

    def minimise_variance(self, loss: PerSample) -> None:
        """Before `loss.mean().backward()`: from it, the shape will get the gradient of mean(loss^2) instead.

        d(L_i^2) = 2 L_i dL_i, so a factor on the way back is enough and no second pass is needed (VDM, appendix).
        `loss`: one value a sample, each from its own level alone. Network and ends get the plain gradient.
        """
        factor = 2 * loss.detach()
        for part in self.shape:
            on_gradient(part, lambda gradient: gradient * factor)


class LearnedSchedule(nn.Module):
    """VDM's learned schedule (Kingma et al. 2021): a monotone network with free ends, trained beside the denoiser.

    It starts nearly linear in log-SNR. It is a module with weights and no `Schedule`, which is a setting; `fixed` turns
    it into one once it is learned.

    Args:
        start: the log-SNR at the clean end, t = 0.
        end: the log-SNR at the noisy end, t = 1.
        width: the number of the network's hidden units.

    Raises:
        ValueError: where `end` does not lie below `start`.
    """

    def __init__(self, start: float = 13.3, end: float = -5.0, width: int = 64) -> None:
        super().__init__()
        if not start > end:
            raise ValueError(f"start = {start}, end = {end}: the log-SNR must fall from start (t = 0) to end (t = 1)")
        if width < 1:
            raise ValueError(f"width = {width}: the network needs at least 1 unit")
        self.ends = nn.Parameter(torch.tensor([-start, -end]))
        self.height = nn.Parameter(torch.full((width,), -4.0))
        self.steepness = nn.Parameter(torch.full((width,), float(width)))
        self.center = nn.Parameter((torch.arange(width) + 0.5) / width)

    def forward(self, t: PerSample) -> LearnedLevels:
        """The levels at times t in [0, 1], [b]."""
        low, high = self._g(t.new_tensor([0.0, 1.0]))[0]
        g, rise = self._g(t)
        shape = ((g - low) / (high - low), rise / (high - low))
        first, span = self.ends[0], self.ends[1] - self.ends[0]
        return LearnedLevels(-(first + span * shape[0]), span * shape[1], shape)

    def draw(self, n: int, noise: Noise) -> LearnedLevels:
        """Draws n stratified training levels with their slopes, as `Schedule.draw` draws levels."""
        return self(stratified(n, noise))

    def fixed(self, points: int = 257) -> Tabulated:
        """The schedule as it stands, as a `Tabulated` of `points` levels: for sampling and for settings."""
        with torch.no_grad():
            levels = self(torch.linspace(0, 1, points, device=self.ends.device)).log_snr
        return Tabulated(tuple(levels.tolist()))

    def _g(self, t: PerSample) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        """g and its derivative."""
        height, steepness = softplus(self.height), softplus(self.steepness)
        step = torch.sigmoid(steepness * (t[:, None] - self.center))
        return t + step @ height, 1 + (step * (1 - step)) @ (height * steepness)
