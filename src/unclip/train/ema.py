"""An average of the weights whose length grows with the run (Karras et al. 2024, Eq. 5: power function)."""

import torch
from torch import Tensor, nn


class EMA:
    """theta_bar <- beta_t theta_bar + (1 - beta_t) theta, beta_t = (1 - 1/t)^(gamma + 1).

    gamma = 16 averages over about the last 6 % of the run, whatever its length, so nothing needs tuning.
    """

    def __init__(self, model: nn.Module, gamma: float = 16.0) -> None:
        self.gamma = gamma
        self.average = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """After optimiser step number `step` (1, 2, ...)."""
        keep = (1 - 1 / step) ** (self.gamma + 1)
        state = model.state_dict()
        floating = [k for k, v in self.average.items() if v.is_floating_point()]
        torch._foreach_lerp_([self.average[k] for k in floating], [state[k] for k in floating], 1 - keep)  # pyright: ignore[reportPrivateImportUsage]

    def load(self, average: dict[str, Tensor]) -> None:
        """Takes a saved average."""
        for name, value in self.average.items():
            value.copy_(average[name])
