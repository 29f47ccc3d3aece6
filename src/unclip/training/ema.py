"""An average of the weights: its length grows with the run (Karras et al. 2024a, Eq. 2), or is fixed as in DDPM."""

import torch
from torch import Tensor, nn

from unclip.training.sharded.parted import state_of


class EMA:
    """An exponential moving average of a model's weights, whose length grows with the run (Karras et al. 2024a, Eq. 2).

        average <- beta_t average + (1 - beta_t) weights,    beta_t = (1 - 1/t)^(gamma + 1)

    Args:
        model: the model; `average` begins as a copy of its weights.
        gamma: how short the average is; 16: about the last 6 % of the run, whatever its length.
        decay: beta_t is this number instead; 0: not. DDPM's 0.9999 averages over the last 10,000 steps.

    Raises:
        ValueError: for a decay outside [0, 1).
    """

    def __init__(self, model: nn.Module, gamma: float = 16.0, decay: float = 0.0) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"ema_decay = {decay}: the share of the average that is kept, in [0, 1)")
        self.gamma, self.decay = gamma, decay
        self.average = {k: v.clone() for k, v in state_of(model).items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Takes in the model's weights after optimiser step number `step` (1, 2, ...)."""
        keep = self.decay or (1 - 1 / step) ** (self.gamma + 1)
        state = state_of(model)
        floating = [k for k, v in self.average.items() if v.is_floating_point()]
        torch._foreach_lerp_([self.average[k] for k in floating], [state[k] for k in floating], 1 - keep)  # pyright: ignore[reportPrivateImportUsage]

    def load(self, average: dict[str, Tensor]) -> None:
        """Continues from a saved average."""
        for name, value in self.average.items():
            value.copy_(average[name])
