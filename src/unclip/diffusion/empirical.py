"""The exact denoiser of finitely many points: the best that a network trained on them could say.

Data x_1 ... x_n, each as likely as the other, make q(x_t) a mixture of n Gaussians N(alpha x_i, sigma^2 I). Then

    E[x_0 | x_t] = sum_i w_i x_i,   w = softmax_i(-|x_t - alpha x_i|^2 / (2 sigma^2))

(Karras et al. 2022, appendix B.3, Eq. 57). Nothing is trained. It knows nothing but the points: a sampler that follows
it ends at one of them, which is what a network that generalises must not do.
"""

import torch
from torch import Tensor

from unclip.core.typing import Float, LogSNR, State
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.level import alpha, like


class Empirical:
    """The exact denoiser of a finite data set: a `Denoise` that knows all of it. For tests and for explanations.

    Args:
        points: the data, [n, ...]; the states that it is called with have the shape [b, ...].
    """

    def __init__(self, points: Float[Tensor, "n ..."]) -> None:
        if not len(points):
            raise ValueError("no points: an empirical distribution needs at least one")
        self.points = points

    def weights(self, x: State, log_snr: LogSNR) -> Float[Tensor, "b n"]:
        """The posterior probabilities p(x_0 = x_i | x_t) of the n points, [b, n]; each row sums to 1.

        Distances are taken between x/alpha and the points and multiplied by SNR/2: finite for log-SNR in [-20, 20].
        """
        level = like(log_snr, x)
        clean, points = (x / alpha(level)).flatten(1), self.points.flatten(1)
        far = torch.cdist(clean, points, compute_mode="donot_use_mm_for_euclid_dist").square()
        return torch.softmax(-far * torch.exp(log_snr).view(-1, 1) / 2, dim=1)

    def __call__(self, x: State, log_snr: LogSNR) -> Prediction:
        x0 = (self.weights(x, log_snr) @ self.points.flatten(1)).view_as(x)
        return Prediction.from_x0(x0, x, log_snr)
