"""What every weighting is: a function of the log-SNR."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from unclip.core.config.base import Config
from unclip.core.typing import LogSNR
from unclip.diffusion.level import resolvable
from unclip.diffusion.schedules import Schedule
from unclip.diffusion.schedules.density import slope


class Weighting(Config, ABC):
    """The base class of all loss weights: w(l) in loss = w(l) |eps - eps_hat|^2, a function of the log-SNR.

    per_log_snr: whether w is the weight of a unit of log-SNR, however often the schedule draws it.
    """

    per_log_snr: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, log_snr: LogSNR) -> Tensor:
        """The weight of the squared error of eps at these levels, of the shape of `log_snr`."""

    def weight_of_sample(self, log_snr: LogSNR, schedule: Schedule) -> Tensor:
        """The weight at levels that `schedule` drew: w, divided by their density where it counts a unit of log-SNR."""
        weight = self(resolvable(log_snr))
        return weight * slope(schedule, log_snr) if self.per_log_snr else weight
